"""Controls of a test: against plain loops, on the built-in world, and in the results of every task."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything

from data_modules import MovingShapes, VideoFolder
from data_modules.batch import Segment, UntrimmedRecord
from data_modules.loading.sampling import SegmentSampler, WindowSampler
from data_modules.loading.transforms import ResizeCrop
from data_modules.protocols import OpenSet
from data_modules.protocols.trial import Subset
from data_modules.synthetic.moving_shapes import PAIRS
from data_modules.synthetic.rendering import render, write_mp4
from prompt_video.model.descriptions import Descriptions
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.model.nonsense_names import nonsense_names
from prompt_video.model.parts import OrderedParts
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.tasks import RecognitionTask
from prompt_video.tasks.classification_results import ClassificationResults
from prompt_video.tasks.segment_naming import window_segments

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's hints, which the command line leaves out
TEMPORAL = partial(TemporalEncoder, num_heads=4, max_frames=8, position_std=0.5)


class Run(Protocol):
    folder: Path


def plain_trainer(**options: Any) -> Trainer:  # noqa: ANN401 - Lightning's
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(accelerator="cpu", **quiet, **options)


def control(task: RecognitionTask, name: str, test: str = "test") -> ClassificationResults:
    return cast(ClassificationResults, task.control_results[test][name])


def results_of(run: Run) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((run.folder / "results.json").read_text())
    return results


def folder_data(root: Path, **options: Any) -> VideoFolder:  # noqa: ANN401 - the constructor's
    sampler = WindowSampler(num_frames=8, strides=(1, 2), num_views=2)
    known: dict[str, Any] = {"features": "off", "preprocessing": ResizeCrop(64), "sampler": sampler}
    known |= {"val_fraction": 0.0, "test_fraction": 0.25, "num_workers": 0, "num_crops": 3, "batch_size": 3}
    return VideoFolder(root, **{**known, **options})


def test_each_view_of_a_video_is_changed_by_itself(trimmed_videos: Path) -> None:
    """Two views of three crops, decoded: by a plain loop over views and frames."""
    seed_everything(1, verbose=False)
    task, data = RecognitionTask(backbone="tiny", temporal=TEMPORAL, frozen_share=0.3), folder_data(trimmed_videos)
    (figures,) = plain_trainer().test(task, data, verbose=False)
    model = task.model.eval()

    def probability(frames: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        mask = torch.ones(1, len(frames), dtype=torch.bool)
        batch: Any = {"features": frames[None], "mask": mask, "text": list(texts)}
        return model.test_scores(batch)[0].softmax(-1)[0]

    with torch.no_grad():
        for batch in data.test_dataloader()[0]:
            rows, texts = model.frame_features(batch), batch["text"]
            for place, video_id in enumerate(batch["video_id"]):
                views = rows[place * 6 : place * 6 + 6]
                expected = {
                    "reversed": [probability(torch.stack(list(view)[::-1]), texts) for view in views],
                    "one_frame": [probability(view[3:4], texts) for view in views],
                    "nonsense_names": [probability(view, nonsense_names(len(texts))) for view in views],
                }
                for name, of_views in expected.items():
                    mean = torch.stack(of_views).mean(0)
                    (found,) = [video for video in control(task, name).videos if video.video_id == video_id]
                    assert found.pred == mean.argmax()
                    assert found.probability == pytest.approx(mean.max().item(), abs=1e-5)
    assert figures["controls/in_order/top1"] == figures["test/top1"]
    assert figures["controls/chance/top1"] == 0.5
    assert figures["controls/reversed/top1"] == control(task, "reversed").compute()["top1"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> MovingShapes:
    """The test split of the built-in world, one video of each class, with its features."""
    root = tmp_path_factory.mktemp("world")
    task = RecognitionTask(backbone="tiny")
    known: dict[str, Any] = {"preprocessing": task.preprocessing, "num_workers": 0, "sampler": SegmentSampler(16)}
    data = MovingShapes(root / "videos", 0, 0, 1, features_root=root / "features", **known)
    data.extract(task.encoder, splits=["test"])
    return data


@pytest.mark.slow
def test_what_grows_shrinks_backwards_on_the_built_in_world(world: MovingShapes) -> None:
    """Sentences of each class, matched to the parts of a video in order: nothing has to be trained for it."""
    in_order = partial(Descriptions, source="shapes-temporal", join="in_order")
    task = RecognitionTask(backbone="tiny", prompt=in_order, temporal=OrderedParts)
    (figures,) = plain_trainer().test(task, world, verbose=False)
    for name in ("shuffled", "reversed", "one_frame"):
        assert figures[f"controls/{name}/top1"] < figures["test/top1"] - 0.1
    assert "controls/nonsense_names/top1" not in figures
    assert task.about_controls()["left_out"].startswith("made-up names are left out: the method knows its classes by")
    motions = [motion for _, motion in PAIRS]
    turned = {"growing": "shrinking", "shrinking": "growing"}
    assert [motions[v.pred] for v in task.results["test"].videos if motions[v.target] in turned] == [*turned] * 6
    backwards = [motions[v.pred] for v in control(task, "reversed").videos if motions[v.target] in turned]
    assert backwards == [*turned.values()] * 6


@pytest.mark.slow
def test_reversed_frames_turn_left_into_right_after_training(tmp_path: Path) -> None:
    """Prompts and temporal encoder look at the order of frames, in a minute world of two classes."""
    for motion in ("moving left", "moving right"):
        for number in range(16):
            write_mp4([render("star", motion, number).frames], tmp_path / "videos" / motion / f"{number:02d}.mp4")
    seed_everything(0, verbose=False)
    optimizer = partial(torch.optim.AdamW, lr=5e-3)
    task = RecognitionTask(backbone="tiny", temporal=TEMPORAL, optimizer=optimizer)
    data = folder_data(
        tmp_path / "videos", features="auto", features_root=tmp_path / "features", num_crops=1,
        preprocessing=task.preprocessing, sampler=SegmentSampler(8), batch_size=12,
    )  # fmt: skip
    data.extract(task.encoder)
    trainer = plain_trainer(max_epochs=12, enable_checkpointing=False)
    trainer.fit(task, data)
    (figures,) = trainer.test(task, data, verbose=False)
    assert figures["test/top1"] == 1
    assert figures["controls/reversed/top1"] == 0
    left_and_right = control(task, "reversed").confusion()
    assert left_and_right.tolist() == [[0, 4], [4, 0]]


@pytest.mark.slow
def test_averaged_frames_have_no_order_and_made_up_names_are_at_chance(world: MovingShapes) -> None:
    shapes = partial(TemplatePrompt, templates="shapes")
    task = RecognitionTask(backbone="tiny", prompt=shapes, temporal=partial(TemporalEncoder, num_layers=0))
    (figures,) = plain_trainer().test(task, world, verbose=False)
    assert figures["test/top1"] >= 6 / 48
    for name in ("shuffled", "reversed"):
        same = [(video.video_id, video.pred) for video in control(task, name).videos]
        assert same == [(video.video_id, video.pred) for video in task.results["test"].videos]
    assert figures["controls/nonsense_names/top1"] <= 3 / 48
    assert figures["controls/chance/top1"] == pytest.approx(1 / 48)


def test_classes_that_are_called_as_in_training_are_apart_from_others(
    tmp_path: Path, make_videos: Callable[[Path, int], Path]
) -> None:
    root = make_videos(tmp_path / "videos", 2)
    (root / "moving_left").rename(root / "kicking a ball")
    for name in ("ball kick", "reading"):
        (root / name).mkdir()
        for number, path in enumerate(sorted((root / "spinning").glob("*.mp4"))):
            (root / name / f"{number}.mp4").write_bytes(path.read_bytes())
    task = RecognitionTask(backbone="tiny", temporal=TEMPORAL)
    protocol = OpenSet(train_classes=["kicking a ball", "spinning"])
    data = folder_data(root, protocol=protocol, test_fraction=0.5)
    (figures,) = plain_trainer().test(task, data, verbose=False)
    assert task.overlaps == {"test": {"ball kick": "kicking a ball"}}
    assert task.about_controls() == {"overlapping": {"test": {"ball kick": "kicking a ball"}}}
    (video,) = [video for video in task.results["test"].videos if video.target == 0]
    assert figures["controls/overlapping_classes/top1"] == float(video.pred == 0)
    assert {"controls/other_classes/top1"} <= figures.keys()


def test_controls_can_be_turned_off_and_no_validation_has_any(trimmed_videos: Path) -> None:
    data = folder_data(trimmed_videos, num_crops=1)
    task = RecognitionTask(backbone="tiny", temporal=TEMPORAL, controls=False)
    (figures,) = plain_trainer().test(task, data, verbose=False)
    assert {name.split("/")[0] for name in figures} == {"test"}
    assert task.about_controls() == {}
    task = RecognitionTask(backbone="tiny", temporal=TEMPORAL)
    (validated,) = plain_trainer().validate(task, folder_data(trimmed_videos, val_fraction=0.25), verbose=False)
    assert {name.split("/")[0] for name in validated} == {"val"}


def test_a_probe_reads_no_names() -> None:
    task = RecognitionTask(backbone="tiny", prompt=LinearProbe, temporal=TEMPORAL)
    assert task.controls() == ["shuffled", "reversed", "one_frame"]
    assert task.names_left_out() == (
        "made-up names are left out: the method knows its classes by a learned vector, not by their names alone"
    )


def test_every_task_has_controls_in_its_results_and_report(recognition: Run, localization: Run, retrieval: Run) -> None:
    named, found, told = (results_of(run)["metrics"] for run in (recognition, localization, retrieval))
    orders = ("in_order", "shuffled", "reversed", "one_frame")
    of_classes = {f"controls/{name}/top1" for name in (*orders, "nonsense_names", "chance")}
    assert {name for name in named if name[:9] == "controls/"} == of_classes
    assert {name for name in found if name[:9] == "controls/"} == of_classes
    assert {name for name in told if name[:9] == "controls/"} == {f"controls/{name}/t2v/r@1" for name in orders}
    assert told["controls/in_order/t2v/r@1"] == told["test/t2v/r@1"]
    assert results_of(retrieval)["controls"]["left_out"].endswith("captions are sentences, not names")
    for run in (recognition, localization, retrieval):
        assert "frames in shuffled order" in (run.folder / "report.html").read_text()


def test_each_annotated_segment_is_named_once_in_whatever_windows() -> None:
    segments = (
        Segment(0.0, 2.0, 0),
        Segment(3.0, 7.0, 1),
        Segment(8.0, 8.0, 0),
        Segment(6.0, 9.5, 1),
        Segment(9.0, 14.0, 0),
    )
    record = UntrimmedRecord("long", Path("long.mp4"), segments=segments, duration_sec=12.0)
    windows = {
        "origin_sec": torch.tensor([0.0, 4.0]),
        "frame_sec": torch.tensor([0.5, 0.5]),
        "own_sec": torch.tensor([[0.0, 6.0], [6.0, torch.inf]]),
    }
    batch: Any = {"video_id": ["long", "long"], "windows": windows, "mask": torch.ones(2, 16, dtype=torch.bool)}
    found = window_segments(batch, {"long": record})
    assert found.names == ["long 0", "long 1", "long 3", "long 4"], "the third is empty"
    assert found.targets == [0, 1, 1, 0]
    assert found.segments[found.chosen].tolist() == [[0, 4], [6, 14], [4, 11], [10, 20]]


def test_figures_of_some_classes_alone() -> None:
    results = ClassificationResults(Subset(("a", "b", "c"), ()).class_names)
    guesses = torch.tensor([[0.9, 0.1, 0], [0.9, 0.1, 0], [0, 0.2, 0.8]])
    results.update(["1", "2", "3"], torch.tensor([0, 1, 1]), guesses, guesses)
    assert results.of_classes(["a"]) == {"top1": 1.0}
    assert results.of_classes(["a"], inverted=True) == {"top1": 0.0}
    assert results.of_classes(["c"]) == {}
