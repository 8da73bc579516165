"""The metrics, fed video by video: on one process, and on two real ones, give what the tables give at once."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from prompt_video.metrics.average_precision import average_precision
from prompt_video.metrics.localization import DetectionMAP, ProposalRecall
from prompt_video.metrics.proposals import recall_curve
from prompt_video.metrics.tables import ACTIVITYNET_TIOUS, Detections, Truth

Tables = Callable[[str], tuple[Detections, Truth, int]]

# Evaluates one division of the videos after another.
PROCESS = """
import json
import torch
from torch import distributed

from prompt_video.metrics.localization import DetectionMAP, ProposalRecall

rank, folder, divisions = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
videos = torch.load(f"{folder}/videos.pt")
precision, recall = DetectionMAP(4), ProposalRecall()
found = []
for shares in divisions:
    for name in shares[rank]:
        segments, scores, labels, truth, truth_labels = videos[name]
        precision.update(name, segments, scores, labels, truth, truth_labels)
        recall.update(name, segments, scores, truth)
    figures = {name: float(value) for name, value in {**precision.compute(), **recall.compute()}.items()}
    found.append([figures, precision.per_class().nan_to_num(-1).flatten().tolist()])
    precision.reset()
    recall.reset()
with open(f"{folder}/{rank}.json", "w") as file:
    json.dump(found, file)
distributed.destroy_process_group()
"""


@pytest.fixture
def videos() -> dict[str, tuple[torch.Tensor, ...]]:
    """Segments, scores, labels, true segments and their labels; one has no detection, one no truth, one neither."""
    generator = torch.Generator().manual_seed(0)

    def segments(count: int) -> torch.Tensor:
        start = torch.rand(count, 1, generator=generator) * 50
        return torch.cat([start, start + 5 + 10 * torch.rand(count, 1, generator=generator)], 1)

    def labels(count: int) -> torch.Tensor:
        return torch.randint(3, (count,), generator=generator)

    made: dict[str, tuple[torch.Tensor, ...]] = {}
    for number in range(9):
        count, count_true = (0 if number in (2, 4) else 60), (0 if number in (3, 4) else 3)
        scores = torch.rand(count, generator=generator)
        made[f"video {number}"] = (segments(count), scores, labels(count), segments(count_true), labels(count_true))
    return made


def on_one_process(videos: dict[str, tuple[torch.Tensor, ...]]) -> tuple[dict[str, float], list[float]]:
    precision, recall = DetectionMAP(4), ProposalRecall()
    for name, (segments, scores, labels, truth, truth_labels) in videos.items():
        precision.update(name, segments, scores, labels, truth, truth_labels)
        recall.update(name, segments, scores, truth)
    figures = {name: float(value) for name, value in {**precision.compute(), **recall.compute()}.items()}
    return figures, precision.per_class().nan_to_num(-1).flatten().tolist()


def test_two_processes_find_what_one_does(
    videos: dict[str, tuple[torch.Tensor, ...]], tmp_path: Path, run_ranks: Callable[..., None]
) -> None:
    names = sorted(videos)
    # The second process has half of the videos, the one without detections, the one without anything, or none.
    divisions = [[sorted(set(names) - set(own)), own] for own in (names[::2], [names[2]], [names[4]], [])]
    torch.save(videos, tmp_path / "videos.pt")
    run_ranks(PROCESS, str(tmp_path), json.dumps(divisions))
    expected, expected_per_class = on_one_process(videos)
    assert 0 < expected["map_avg"] < 1
    assert 0 < expected["ar@10"] < 1
    for rank in range(2):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert len(found) == len(divisions)
        for figures, per_class in found:
            assert figures == pytest.approx(expected, abs=1e-12)
            assert per_class == pytest.approx(expected_per_class, abs=1e-12)


def test_video_by_video_is_all_at_once(tables: Tables) -> None:
    detections, truth, num_classes = tables("random 3")
    precision, recall = DetectionMAP(num_classes + 1), ProposalRecall()
    for video in np.unique(np.concatenate([detections.video, truth.video])):
        own, true = detections.video == video, truth.video == video
        arrays = (detections.segments[own], detections.scores[own], detections.label[own])
        segments, scores, labels = (torch.from_numpy(array) for array in arrays)
        truth_segments, truth_labels = torch.from_numpy(truth.segments[true]), torch.from_numpy(truth.label[true])
        precision.update(str(video), segments, scores, labels, truth_segments, truth_labels)
        recall.update(str(video), segments, scores, truth_segments)
    ap = average_precision(detections, truth, num_classes, ACTIVITYNET_TIOUS)
    figures = precision.compute()
    assert list(figures)[:2] == ["map@0.5", "map@0.55"]
    assert list(figures)[-2:] == ["map@0.95", "map_avg"]
    assert [value.item() for value in figures.values()] == pytest.approx([*ap.mean(0), ap.mean()])
    assert precision.per_class()[:-1].numpy() == pytest.approx(ap)
    assert precision.per_class()[-1].isnan().all()
    curve = recall_curve(detections, truth, ACTIVITYNET_TIOUS)
    expected = {f"ar@{count}": curve.average_recall[count - 1] for count in (1, 10, 100)}
    assert {name: value.item() for name, value in recall.compute().items()} == {**expected, "auc": curve.auc}


def test_a_video_given_twice_is_refused(videos: dict[str, tuple[torch.Tensor, ...]]) -> None:
    metric = DetectionMAP(3, [0.5])
    for name in ("video 0", "video 1", "video 0"):
        metric.update(name, *videos[name])
    with pytest.raises(ValueError, match="1 of 3 videos were given twice"):
        metric.compute()
    metric.reset()
    metric.update("video 0", *videos["video 0"])
    assert metric.compute().keys() == {"map@0.5", "map_avg"}


def test_without_ground_truth_there_is_no_figure(videos: dict[str, tuple[torch.Tensor, ...]]) -> None:
    precision, recall = DetectionMAP(3, [0.5]), ProposalRecall()
    segments, scores, labels, truth, truth_labels = videos["video 3"]
    precision.update("video 3", segments, scores, labels, truth, truth_labels)
    recall.update("video 3", segments, scores, truth)
    assert all(value.isnan() for value in {**precision.compute(), **recall.compute()}.values())
