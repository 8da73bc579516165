"""Tasks and data modules with Lightning's own trainer: the command line's figures, and a sentence for a mistake."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

from data_modules import CaptionedShapes, UntrimmedShapes, VideoDataModule, VideoFolder
from data_modules.errors import InputError
from data_modules.loading.transforms import ResizeCrop
from data_modules.protocols import FewShot
from prompt_video.cli import main
from prompt_video.localization.detector import ProposalDetector
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.tasks import LocalizationTask, RecognitionTask, RetrievalTask
from prompt_video.tasks.base import VideoTextTask

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's hints, which the command line leaves out
TEMPORAL = partial(TemporalEncoder, num_heads=4)


def plain_trainer(folder: Path, **options: Any) -> Trainer:  # noqa: ANN401 - Lightning's
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(**{"accelerator": "cpu", "default_root_dir": folder, "max_epochs": 2, **quiet, **options})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, make_videos: Callable[[Path, int], Path]) -> Path:
    return make_videos(tmp_path_factory.mktemp("videos"), 8)


def folder_data(root: Path, tmp_path: Path, **options: Any) -> VideoFolder:  # noqa: ANN401 - the constructor's
    known: dict[str, Any] = {"features_root": tmp_path / "features", "preprocessing": ResizeCrop(64), "num_workers": 0}
    return VideoFolder(root, val_fraction=0.25, test_fraction=0.25, **{**known, "batch_size": 4, **options})


def test_the_figures_are_those_of_the_command_line(root: Path, tmp_path: Path) -> None:
    fit = ["fit", "--data=VideoFolder", f"--data.root={root}", f"--data.features_root={tmp_path / 'features'}"]
    fit += ["--data.val_fraction=0.25", "--data.test_fraction=0.25", "--data.batch_size=4", "--data.num_workers=0"]
    fit += ["--model=RecognitionTask", "--model.temporal.num_heads=4", "--trainer.max_epochs=2"]
    fit += ["--trainer.accelerator=cpu", "--wandb=disabled", "--quiet=true", f"--run_folder={tmp_path / 'run'}"]
    assert main(fit) == 0
    metrics = json.loads((tmp_path / "run" / "results.json").read_text())["metrics"]
    seed_everything(0, workers=True, verbose=False)
    task, data = RecognitionTask(backbone="tiny", temporal=TEMPORAL), folder_data(root, tmp_path)
    data.extract(task.encoder)
    best = ModelCheckpoint(tmp_path / "plain", monitor=task.monitor, mode="max")
    trainer = plain_trainer(tmp_path, callbacks=[best, ModelCheckpoint(tmp_path / "plain", save_last=True)])
    trainer.fit(task, data)
    (figures,) = trainer.test(task, data, ckpt_path="best", verbose=False)
    assert figures == {name: metrics[name] for name in figures}
    ours, theirs = (
        torch.load(path, weights_only=True)["state_dict"]
        for path in (tmp_path / "run" / "checkpoints" / "last.ckpt", tmp_path / "plain" / "last.ckpt")
    )
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert torch.equal(weight, theirs[name]), name


def recognition(folder: Path, root: Path) -> tuple[VideoTextTask, VideoDataModule]:
    return RecognitionTask(backbone="tiny", temporal=TEMPORAL), folder_data(root, folder)


def localization(folder: Path, _: Path) -> tuple[VideoTextTask, VideoDataModule]:
    options: dict[str, Any] = {"features_root": folder, "preprocessing": ResizeCrop(64), "num_workers": 0}
    data = UntrimmedShapes(folder / "videos", 2, 1, 1, frame_rate=6.0, **options)
    detector = partial(ProposalDetector, channels=16, num_scales=4, num_proposals=20)
    return LocalizationTask(backbone="tiny", temporal=TEMPORAL, detector=detector), data


def retrieval(folder: Path, _: Path) -> tuple[VideoTextTask, VideoDataModule]:
    data = CaptionedShapes(
        folder / "videos", 4, 2, 4, features_root=folder, preprocessing=ResizeCrop(64), num_workers=0
    )
    return RetrievalTask(backbone="tiny", temporal=TEMPORAL), data


@pytest.mark.parametrize(
    ("make", "keys"),
    [
        (recognition, {"video_id", "scores", "label"}),
        (localization, {"video_id", "detections"}),
        (retrieval, {"caption", "scores"}),
    ],
)
def test_each_task_fits_validates_tests_predicts_and_goes_on(
    make: Callable[[Path, Path], tuple[VideoTextTask, VideoDataModule]], keys: set[str], root: Path, tmp_path: Path
) -> None:
    task, data = make(tmp_path, root)
    with pytest.raises(InputError, match=r"no feature store is open: call data\.extract\(task\.encoder\) before"):
        plain_trainer(tmp_path).test(task, data, verbose=False)
    task, data = make(tmp_path, root)
    data.extract(task.encoder, plain_trainer(tmp_path))
    best = ModelCheckpoint(tmp_path / "kept", monitor=task.monitor, mode="max")
    trainer = plain_trainer(tmp_path, callbacks=[best, ModelCheckpoint(tmp_path / "kept", save_last=True)])
    trainer.fit(task, data)
    (validated,) = trainer.validate(task, data, ckpt_path="best", verbose=False)
    assert validated[task.monitor] == best.best_model_score
    (first,) = trainer.test(task, data, ckpt_path="last", verbose=False)
    rows = [row for batch in trainer.predict(task, data) or [] for row in batch]
    assert rows
    assert all(row.keys() == keys for row in rows)
    again, data = make(tmp_path, root)
    data.extract(again.encoder)
    assert plain_trainer(tmp_path).test(again, data, ckpt_path=str(tmp_path / "kept" / "last.ckpt"), verbose=False) == [
        first
    ]
    goes_on = plain_trainer(tmp_path, max_epochs=3)
    goes_on.fit(again, data, ckpt_path=str(tmp_path / "kept" / "last.ckpt"))
    assert goes_on.global_step == 3 * trainer.global_step // 2


def test_one_trainer_extracts_fits_and_tests_and_frames_need_no_extraction(root: Path, tmp_path: Path) -> None:
    task, data = RecognitionTask(backbone="tiny", temporal=TEMPORAL), folder_data(root, tmp_path)
    trainer = plain_trainer(tmp_path, max_epochs=1)
    data.extract(task.encoder, trainer)
    trainer.fit(task, data)
    assert trainer.test(task, data, verbose=False)
    decoded = folder_data(root, tmp_path, features="off")
    decoded.extract(task.encoder)
    assert decoded.stores == []
    plain_trainer(tmp_path, max_epochs=1).fit(RecognitionTask(backbone="tiny", temporal=TEMPORAL), decoded)


def test_a_mistake_is_told_in_a_sentence(root: Path, tmp_path: Path) -> None:
    task = RecognitionTask(backbone="tiny", temporal=TEMPORAL)
    large = folder_data(root, tmp_path, preprocessing=ResizeCrop(224), features="off")
    with pytest.raises(
        InputError,
        match=r"made by resize224-bicubic.*backbone 'tiny' was trained on resize64-bicubic.*=task\.preprocessing",
    ):
        plain_trainer(tmp_path).fit(task, large)
    with pytest.raises(InputError, match="trained on resize64"):
        large.extract(task.encoder)
    few = FewShot(source="drawn", shots=1, num_trials=2)
    with pytest.raises(InputError, match=r"the protocol has 2 trials; name the one that is meant"):
        plain_trainer(tmp_path).fit(task, folder_data(root, tmp_path, features="off", protocol=few))
    with pytest.raises(InputError, match=r"a task needs a data module for its candidates: trainer.fit\(task, data\)"):
        plain_trainer(tmp_path).fit(task, folder_data(root, tmp_path, features="off").train_dataloader())
