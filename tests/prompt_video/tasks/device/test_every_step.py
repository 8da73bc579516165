"""Every task's steps on a GPU that is none: what is left behind on the CPU fails here; see conftest.py."""

import json
import math
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.utils._pytree import tree_leaves

from data_modules.data_sets.captioned_folder import CaptionedFolder
from data_modules.data_sets.untrimmed_folder import UntrimmedFolder
from data_modules.data_sets.video_folder import VideoFolder
from data_modules.features.encoder import CENTER
from data_modules.features.store import Recipe, StoreWriter
from data_modules.loading.sampling import SegmentSampler, WindowSampler
from data_modules.loading.transforms import ResizeCrop
from data_modules.loading.windows import SlidingWindows
from data_modules.modules.extraction import transform_of
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.experiment.run_record import RunRecord
from prompt_video.localization.detector import ProposalDetector
from prompt_video.localization.suppression import Suppression
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.model.prompt import PromptLearner, TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.reports.results import media, write_predictions
from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.localization import LocalizationTask
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.tasks.retrieval import RetrievalTask

RATE = 10.0
IMAGE_SIZE = 16
PROMPT = partial(PromptLearner, num_prefix=2, num_suffix=1, too_long="truncate")
COMMON: dict[str, Any] = {"temporal": partial(TemporalEncoder, num_layers=1, num_heads=4), "temperature": 0.1}
GUARDED = {"text_consistency": 1.0, "video_consistency": 1.0, "feature_noise": 0.5}
Store = Callable[[Iterable[str]], Path]
Run = Callable[..., set[str]]

pytestmark = [
    # What torch says of a machine that really has no GPU.
    pytest.mark.filterwarnings("ignore:.*CUDA is not available.*"),
    pytest.mark.filterwarnings("ignore:.*no accelerator is found.*"),
]


class Watch(Callback):
    """Sees that weights and batches are where they should be, in each kind of step.

    Args:
        device: where that is.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seen: set[str] = set()

    def look(self, trainer: Trainer, module: LightningModule, batch: Any) -> None:  # noqa: ANN401 - of any task
        tensors = [value for value in tree_leaves([batch, *module.parameters()]) if isinstance(value, Tensor)]
        assert {value.device for value in tensors} == {self.device}
        assert trainer.state.stage is not None
        self.seen.add(trainer.state.stage.value)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:  # noqa: ANN401
        self.look(trainer, pl_module, batch)

    def on_validation_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, *_: int) -> None:  # noqa: ANN401
        self.look(trainer, pl_module, batch)

    def on_test_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, *_: int) -> None:  # noqa: ANN401
        self.look(trainer, pl_module, batch)

    def on_predict_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, *_: int) -> None:  # noqa: ANN401
        self.look(trainer, pl_module, batch)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if isinstance(pl_module, VideoTextTask):
            assert media(pl_module.tests, [])


@pytest.fixture
def store(tmp_path: Path, clip_folder: Path) -> Store:
    """Random features of four seconds of each video that is named."""
    backbone = FrozenBackbone(str(clip_folder))
    crop = ResizeCrop(IMAGE_SIZE, CENTER)
    recipe = Recipe(backbone.name, backbone.fingerprint, backbone.embed_dim, RATE, transform_of(backbone, crop))

    def fill(video_ids: Iterable[str]) -> Path:
        generator = torch.Generator().manual_seed(0)
        middles = (np.arange(40) + 0.5) / RATE
        with StoreWriter(tmp_path / "store", recipe) as writer:
            for video_id in video_ids:
                features = torch.randn(40, recipe.dim, generator=generator)
                writer.add(video_id, features, middles, 4.0, tmp_path / video_id)
        return tmp_path / "store"

    return fill


@pytest.fixture
def settings(store: Store) -> Callable[[Iterable[str]], dict[str, Any]]:
    """What the data modules share."""

    def make(video_ids: Iterable[str]) -> dict[str, Any]:
        options = {"frame_rate": RATE, "preprocessing": ResizeCrop(IMAGE_SIZE), "batch_size": 6, "num_workers": 0}
        return {"features": str(store(video_ids)), **options}

    return make


@pytest.fixture
def run(gpu: Any, tmp_path: Path) -> Run:  # noqa: ANN401 - of conftest.py
    """Train, validate, test and predict; gives the kinds of steps that were made."""

    def everything(task: VideoTextTask, data: Any) -> set[str]:  # noqa: ANN401 - a data module
        if data.features != "auto":
            data.extract(task.encoder)
        watch = Watch(gpu.device)
        (tmp_path / "run").mkdir()
        trainer: Trainer = gpu.trainer(callbacks=[watch, RunRecord(tmp_path / "run", "", 0)], num_sanity_val_steps=0)
        trainer.fit(task, datamodule=data)
        trainer.test(task, datamodule=data, verbose=False)
        assert trainer.callback_metrics
        assert all(math.isfinite(float(value)) for value in trainer.callback_metrics.values())
        rows: list[Any] = trainer.predict(task, datamodule=data) or []
        assert write_predictions(tmp_path, [row for batch in rows for row in batch], task.tests, task.describe())
        assert all(loader.pin_memory for loader in (data.train_dataloader(), *data.predict_dataloader()))
        return watch.seen

    return everything


@pytest.fixture
def classes(tmp_path: Path, settings: Callable[[Iterable[str]], dict[str, Any]]) -> VideoFolder:
    """Two videos of each of three classes in each split."""
    names = [
        f"{split}/{label}/{number}.mp4"
        for split in ("train", "val", "test")
        for label in ("star", "red_star", "the_ring")
        for number in range(2)
    ]
    for name in names:
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / name).touch()
    return VideoFolder(tmp_path / "videos", sampler=WindowSampler(num_frames=4, num_views=2), **settings(names))


@pytest.mark.parametrize(
    "options",
    [
        {"prompt": PROMPT},
        {"prompt": PROMPT, "backbone_dtype": "float32"},
        {"prompt": PROMPT, "backbone_dtype": "float16"},
        {"prompt": PROMPT, "text_chunk": 1, "learn_temperature": True, "frozen_share": 0.3, **GUARDED},
        {"prompt": partial(PROMPT, layout="by_position"), "classes_per_step": 2},
        {"prompt": LinearProbe, "video_consistency": 1.0},
        {"prompt": partial(TemplatePrompt, templates=["a {}", "{}"])},
    ],
    ids=["prompts", "float32", "float16", "regularized", "some_classes", "linear_probe", "templates"],
)
def test_recognition(
    run: Run,
    classes: VideoFolder,
    clip_folder: Path,
    options: dict[str, Any],
) -> None:
    task = RecognitionTask(backbone=str(clip_folder), **{"backbone_dtype": "bfloat16", **COMMON, **options})
    assert run(task, classes) == {"train", "validate", "test", "predict"}


@pytest.fixture
def actions(tmp_path: Path, settings: Callable[[Iterable[str]], dict[str, Any]]) -> UntrimmedFolder:
    """Two videos with two actions each in each split, in windows that overlap."""
    database = {}
    for subset in ("training", "validation", "testing"):
        for number in range(2):
            happens = [("star", 0.3 + number, 1.4 + number), ("the ring", 1.8, 3.1)]
            annotations = [{"label": label, "segment": [start, end]} for label, start, end in happens]
            database[f"{subset}{number}"] = {"subset": subset, "duration": 4.0, "annotations": annotations}
    (tmp_path / "annotations.json").write_text(json.dumps({"database": database}))
    return UntrimmedFolder(tmp_path, windows=SlidingWindows(num_frames=24), **settings(database))


DETECTOR = partial(ProposalDetector, channels=8, num_scales=2, num_proposals=4)


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (False, {"prompt": PROMPT, "frames_inside": 4}),
        (False, {"prompt": PROMPT, "frames_inside": None, "text_chunk": 1, "frozen_share": 0.3, **GUARDED}),
        (False, {"prompt": LinearProbe, "frames_inside": 4}),
        (True, {"prompt": PROMPT, "frames_inside": 4}),
    ],
    ids=["frames_inside", "whole_windows_regularized", "linear_probe", "given_proposals"],
)
def test_localization(
    run: Run, actions: UntrimmedFolder, clip_folder: Path, tmp_path: Path, given: bool, options: dict[str, Any]
) -> None:
    found = [{"segment": [start, start + 1.0], "score": 0.5} for start in (0.2, 1.1, 1.9, 2.8)]
    videos = [record.video_id for records in actions.dataset_index.records.values() for record in records]
    (tmp_path / "proposals.json").write_text(json.dumps({"results": dict.fromkeys(videos, found)}))
    classified = {name: [{"label": "star", "score": 0.7}, {"label": "the ring", "score": 0.2}] for name in videos}
    (tmp_path / "scores.json").write_text(json.dumps({"results": classified}))
    task = LocalizationTask(
        backbone=str(clip_folder),
        backbone_dtype="bfloat16",
        detector=DETECTOR,
        suppression=Suppression(max_detections=4),
        proposals=tmp_path / "proposals.json" if given else None,
        external_scores=tmp_path / "scores.json",
        **{**COMMON, **options},
    )
    assert run(task, actions) == {"train", "validate", "test", "predict"}


@pytest.fixture
def captions(tmp_path: Path, settings: Callable[[Iterable[str]], dict[str, Any]]) -> CaptionedFolder:
    """Four videos with two captions each in each split."""
    names = [f"{split}{number}" for split in ("train", "val", "test") for number in range(4)]
    rows = [f"{name},the {text} {name},{name[:-1]}" for name in names for text in ("star", "ring")]
    (tmp_path / "captions.csv").write_text("\n".join(["video,caption,split", *rows]))
    return CaptionedFolder(tmp_path, sampler=SegmentSampler(num_frames=4), **settings(names))


@pytest.mark.parametrize(
    "options",
    [{}, {"text_chunk": 2, "video_chunk": 2, "query_bank": 3}],
    ids=["plain", "chunks_and_bank"],
)
def test_retrieval(run: Run, captions: CaptionedFolder, clip_folder: Path, options: dict[str, Any]) -> None:
    task = RetrievalTask(backbone=str(clip_folder), backbone_dtype="bfloat16", prompt=PROMPT, **COMMON, **options)
    assert run(task, captions) == {"train", "validate", "test", "predict"}


@pytest.mark.parametrize("features", ["auto", "off"])
def test_from_video_files(
    run: Run,
    gpu: Any,  # noqa: ANN401 - of conftest.py
    make_videos: Callable[[Path, int], Path],
    clip_folder: Path,
    tmp_path: Path,
    features: str,
) -> None:
    """Frames are encoded on the way into a store, or in every step."""
    root = make_videos(tmp_path / "videos", 3)
    data = VideoFolder(
        root,
        val_fraction=0.3,
        test_fraction=0.3,
        sampler=SegmentSampler(num_frames=2),
        features=features,
        features_root=tmp_path / "features",
        frame_rate=2.0,
        preprocessing=ResizeCrop(IMAGE_SIZE),
        batch_size=2,
        num_workers=0,
    )
    task = RecognitionTask(backbone=str(clip_folder), backbone_dtype="bfloat16", prompt=PROMPT, **COMMON)
    if features == "auto":
        watch = Watch(gpu.device)
        data.extract(
            task.encoder, Trainer(**gpu.options(), callbacks=[watch], logger=False, enable_checkpointing=False)
        )
        assert watch.seen == {"predict"}
        (stored,) = data.stores
        assert len(stored) == 6
        assert stored.recipe.backbone_dtype == "bfloat16"
    assert run(task, data) == {"train", "validate", "test", "predict"}
