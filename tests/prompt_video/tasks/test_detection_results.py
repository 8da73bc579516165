"""Figures of a localization test against the benchmark's own computation on the detections that it leaves behind."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from data_modules.annotations.activitynet_format import read_detections, write_detections
from data_modules.batch import Record, Segment, UntrimmedRecord
from data_modules.protocols.trial import Subset
from prompt_video.localization.external_scores import ExternalScores, fuse
from prompt_video.localization.suppression import Candidates, Suppression
from prompt_video.metrics.evaluation import evaluate
from prompt_video.tasks.detection_results import CLIP_ONLY, FROZEN, WITH_EXTERNAL, DetectionResults

NAMES = ("dive", "jump", "run", "throw")
TIOUS = (0.3, 0.5, 0.7)


def part_of(generator: torch.Generator, num_videos: int = 5) -> Subset:
    """Videos of a few actions, of the first three classes; the last video shows none."""
    records: list[Record] = []
    for number in range(num_videos):
        count = 0 if number + 1 == num_videos else 1 + number % 3
        bounds = (torch.rand(count, 2, generator=generator, dtype=torch.double) * 60).sort(-1).values
        targets = torch.randint(3, (count,), generator=generator).tolist()
        segments = [Segment(start, end, target) for (start, end), target in zip(bounds.tolist(), targets, strict=True)]
        records.append(
            UntrimmedRecord(f"v{number}", Path(f"v{number}.mp4"), segments=tuple(segments), duration_sec=60.0)
        )
    return Subset(NAMES, tuple(records))


def candidates_in(record: UntrimmedRecord, generator: torch.Generator, count: int = 30) -> Candidates:
    """Near the actions, and anywhere."""
    segments = torch.rand(count, 2, generator=generator) * 60
    for number, action in enumerate(record.segments):
        place = slice(3 * number, 3 * number + 3)
        near = torch.tensor([action.start_sec, action.end_sec]) + torch.randn(3, 2, generator=generator)
        segments[place] = near.clamp(0, 60)
    logits = 3 * torch.randn(2, count, len(NAMES), generator=generator)
    return Candidates(segments.sort(-1).values, torch.rand(count, generator=generator), *logits.softmax(-1))


def filled(
    suppression: Suppression | None = None, external: ExternalScores | None = None, weight: float = 0.5
) -> DetectionResults:
    generator = torch.Generator().manual_seed(0)
    part = part_of(generator)
    found = DetectionResults(part, TIOUS, suppression or Suppression(), external, weight)
    for record in part.records:
        assert isinstance(record, UntrimmedRecord)
        found.update(record.video_id, candidates_in(record, generator))
    found.compute()
    return found


def scores_file(folder: Path, scores: Mapping[str, Mapping[str, float]]) -> ExternalScores:
    path = folder / "scores.json"
    results = {
        video_id: [{"label": label, "score": score} for label, score in own.items()] for video_id, own in scores.items()
    }
    path.write_text(json.dumps({"results": results}))
    return ExternalScores(path, NAMES)


@pytest.mark.parametrize("method", [Suppression(), Suppression("hard", threshold=0.4), Suppression(max_detections=7)])
def test_figures_are_those_of_the_benchmark_on_the_detections(method: Suppression, tmp_path: Path) -> None:
    external = scores_file(tmp_path, {"v0": {"dive": 0.9, "run": 0.1}, "v1": {"jump": 1.0}})
    found = filled(method, external)
    for score in (CLIP_ONLY, FROZEN, WITH_EXTERNAL):
        # As they are read again from the file that is written.
        write_detections(tmp_path / f"{score}.json", found.detections[score], {})
        read = read_detections(tmp_path / f"{score}.json")
        assert read == found.detections[score]
        # Of a class that nothing shows every detection is false, and no figure is known.
        known = {video_id: [d for d in own if d.label != "throw"] for video_id, own in read.items()}
        expected = evaluate(found.truth(), known, TIOUS)
        for figure in ("map@0.3", "map@0.5", "map@0.7", "map_avg"):
            assert found.figures[found.key(score, figure)] == pytest.approx(expected.figures[figure], abs=1e-12)
        per_class = {label: row["ap_avg"] for label, row in expected.per_class.items()}
        assert found.class_ap[score] == pytest.approx(per_class, abs=1e-12)
        assert set(per_class) == {"dive", "jump", "run"}
    assert 0 < found.figures["clip_only/map@0.3"] < 1


def test_names_of_the_figures() -> None:
    figures = ("map@0.3", "map@0.5", "map@0.7", "map_avg")
    assert set(filled().figures) == {
        *(f"clip_only/{figure}" for figure in figures),
        *(f"clip_only/frozen_{figure}" for figure in figures),
        *(f"proposals/{figure}" for figure in ("ar@1", "ar@10", "ar@100", "auc")),
        "videos",
    }


def test_truth_is_as_annotated_in_double_precision() -> None:
    """So that an overlap that meets a threshold exactly meets it here too."""
    record = UntrimmedRecord("v", Path("v.mp4"), segments=(Segment(0.1, 0.7, 0),), duration_sec=1.0)
    found = DetectionResults(Subset(("dive",), (record,)), (0.5,), Suppression())
    found.update("v", Candidates(torch.tensor([[0.1, 0.7]]), torch.ones(1), torch.ones(1, 1), torch.ones(1, 1)))
    found.compute()
    (annotation,) = found.truth()["v"].annotations
    assert (annotation.start_sec, annotation.end_sec) == (0.1, 0.7)
    values = found.maps[CLIP_ONLY].truth_values
    assert isinstance(values, list)
    assert values[0].tolist() == [[0.1, 0.7]]


def test_several_labels_at_one_moment_survive() -> None:
    segments = (Segment(1.0, 5.0, 0), Segment(1.0, 5.0, 2))
    record = UntrimmedRecord("v", Path("v.mp4"), segments=segments, duration_sec=9.0)
    found = DetectionResults(Subset(NAMES, (record,)), TIOUS, Suppression())
    learned = torch.tensor([[0.45, 0.05, 0.5, 0.0]])
    found.update("v", Candidates(torch.tensor([[1.0, 5.0]]), torch.ones(1), learned, torch.full((1, 4), 0.25)))
    assert found.compute()["clip_only/map_avg"] == 1
    assert [(d.label, d.start_sec, d.end_sec) for d in found.detections[CLIP_ONLY]["v"]] == [
        ("run", 1, 5),
        ("dive", 1, 5),
        ("jump", 1, 5),
    ]
    assert found.figures["proposals/ar@1"] == 1, "one proposal finds both"


def test_external_scores_change_nothing_but_their_own_row(tmp_path: Path) -> None:
    external = scores_file(tmp_path, {f"v{number}": {"dive": 0.8, "jump": 0.3} for number in range(5)})
    without, joined = filled(), filled(external=external)
    for score in (CLIP_ONLY, FROZEN):
        assert joined.detections[score] == without.detections[score]
        assert joined.class_ap[score] == without.class_ap[score]
    assert {key: value for key, value in joined.figures.items() if "external" not in key} == without.figures
    assert joined.detections[WITH_EXTERNAL] != joined.detections[CLIP_ONLY]
    labels = {d.label for own in joined.detections[WITH_EXTERNAL].values() for d in own}
    assert labels == {"dive", "jump"}, "a class that the other classifier rules out is gone"


def test_external_scores_are_joined_with_their_weight(tmp_path: Path) -> None:
    external = scores_file(tmp_path, {f"v{number}": {"dive": 0.8, "run": 0.3} for number in range(5)})
    only_clip = filled(external=external, weight=0.0)
    assert only_clip.detections[WITH_EXTERNAL] == only_clip.detections[CLIP_ONLY]
    generator = torch.Generator().manual_seed(0)
    part = part_of(generator)
    first = part.records[0]
    assert isinstance(first, UntrimmedRecord)
    found = candidates_in(first, generator)
    of_video = external.of("v0")
    assert of_video is not None
    fused = fuse(found.learned, of_video, 0.25)
    expected = Suppression().keep(found.segments_sec, found.confidence[:, None] * fused).named(NAMES)
    assert filled(external=external, weight=0.25).detections[WITH_EXTERNAL]["v0"] == expected


def test_a_video_that_the_other_classifier_lacks_is_left_to_clip(tmp_path: Path) -> None:
    found = filled(external=scores_file(tmp_path, {"v1": {"jump": 1.0}}))
    for video_id, detections in found.detections[WITH_EXTERNAL].items():
        assert (detections == found.detections[CLIP_ONLY][video_id]) == (video_id != "v1")


def test_the_frozen_clip_has_the_same_proposals() -> None:
    """Swapping what is learned and what is frozen swaps their figures, and leaves the proposals' as they are."""
    one = filled()
    generator = torch.Generator().manual_seed(0)
    part = part_of(generator)
    other = DetectionResults(part, TIOUS, Suppression())
    for record in part.records:
        assert isinstance(record, UntrimmedRecord)
        found = candidates_in(record, generator)
        other.update(record.video_id, found._replace(learned=found.frozen, frozen=found.learned))
    swapped = other.compute()
    for figure in ("map@0.3", "map@0.5", "map@0.7", "map_avg"):
        assert swapped[f"clip_only/{figure}"] == one.figures[f"clip_only/frozen_{figure}"]
        assert swapped[f"clip_only/frozen_{figure}"] == one.figures[f"clip_only/{figure}"]
        assert swapped[f"clip_only/{figure}"] != one.figures[f"clip_only/{figure}"]
    for figure in ("ar@1", "ar@10", "ar@100", "auc"):
        assert swapped[f"proposals/{figure}"] == one.figures[f"proposals/{figure}"]


def test_recall_is_of_the_proposals_whatever_they_are_called() -> None:
    generator = torch.Generator().manual_seed(0)
    part = part_of(generator)
    found, blind = DetectionResults(part, TIOUS, Suppression()), DetectionResults(part, TIOUS, Suppression())
    for record in part.records:
        assert isinstance(record, UntrimmedRecord)
        own = candidates_in(record, generator)
        found.update(record.video_id, own)
        blind.update(record.video_id, own._replace(learned=torch.full_like(own.learned, 0.25)))
    one, other = found.compute(), blind.compute()
    assert one["clip_only/map_avg"] != other["clip_only/map_avg"]
    assert all(one[key] == other[key] for key in one if key.startswith("proposals/"))


def test_a_video_in_which_nothing_is_found_counts_too() -> None:
    found = filled()
    generator = torch.Generator().manual_seed(0)
    part = part_of(generator)
    nothing = DetectionResults(part, TIOUS, Suppression())
    for record in part.records:
        empty = torch.empty(0, len(NAMES))
        nothing.update(record.video_id, Candidates(torch.empty(0, 2), torch.empty(0), empty, empty))
    assert set(nothing.compute()) == set(found.figures)
    assert nothing.figures.pop("videos") == len(part.records)
    assert all(value == 0 for value in nothing.figures.values())
    assert nothing.truth().keys() == found.truth().keys()


def test_a_second_test_forgets_the_first() -> None:
    found = filled()
    before = dict(found.figures)
    found.reset()
    assert found.truth() == {}
    generator = torch.Generator().manual_seed(0)
    for record in part_of(generator).records:
        assert isinstance(record, UntrimmedRecord)
        found.update(record.video_id, candidates_in(record, generator))
    assert found.compute() == before


def test_only_videos_that_were_looked_at_count() -> None:
    generator = torch.Generator().manual_seed(0)
    part = part_of(generator)
    found = DetectionResults(part, TIOUS, Suppression())
    record = part.records[1]
    assert isinstance(record, UntrimmedRecord)
    found.update(record.video_id, candidates_in(record, generator))
    found.compute()
    assert found.truth().keys() == found.paths().keys() == {"v1"}
    assert_close(torch.tensor(found.truth()["v1"].annotations[0].start_sec), torch.tensor(record.segments[0].start_sec))
