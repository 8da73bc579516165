"""The doctor on untrimmed videos: what it says of their annotation, and whether its proof can fail."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from data_modules.batch import Record, Segment, Span, UntrimmedRecord
from data_modules.data_sets.thumos14 import Thumos14
from data_modules.protocols import ClosedSet, OpenSet
from data_modules.protocols.trial import DatasetIndex, Subset, Trial
from prompt_video.preflight.check_results import CheckResult
from prompt_video.preflight.segments import check_segments, check_unseen_segments, is_untrimmed, merged

NAMES = ("jump", "throw", "dive")


def video(video_id: str, *segments: tuple[float, float, int], ambiguous: Sequence[Span] = ()) -> UntrimmedRecord:
    made = tuple(Segment(float(start), float(end), target) for start, end, target in segments)
    return UntrimmedRecord(video_id, Path(video_id), segments=made, ambiguous_sec=tuple(ambiguous), duration_sec=20.0)


CATALOG = DatasetIndex(
    NAMES,
    {
        "train": [
            video("1", (0, 4, 0), (3, 5, 2), (8, 9, 1)),
            video("2", (0, 0, 2), (6, 7, 1)),
            video("3", (2, 4, 2), (3, 6, 2), (10, 11, 0), ambiguous=[(12.0, 13.0)]),
        ],
        "test": [video("4", (0, 4, 2), (18, 21, 0), (9, 8, 2))],
    },
)
OPEN = OpenSet(train_classes=["jump", "throw"])


def tampered(trial: Trial, video_id: str, hidden_sec: tuple[Span, ...]) -> Trial:
    """With something else hidden of one training video."""
    records = (record for record in trial.train.records if isinstance(record, UntrimmedRecord))
    changed = tuple(replace(r, hidden_sec=hidden_sec) if r.video_id == video_id else r for r in records)
    return replace(trial, train=Subset(trial.train.class_names, changed))


def verdict(result: CheckResult | None) -> tuple[str, list[str]]:
    assert result is not None
    return result.verdict, list(result.examples)


def test_what_is_odd_in_the_annotation() -> None:
    result = check_segments(ClosedSet().trials(CATALOG, 0), CATALOG, {})
    assert result.verdict == "note"
    assert result.summary == (
        "11 segments, ending at or before their start: 2, ending after their video: 1, ambiguous spans beside them: 1"
    )
    assert list(result.examples) == ["2: 0 to 0 s", "4: 9 to 8 s", "4: 18 to 21 s of 20 s", "3: 12 to 13 s"]
    part = Subset(("throw",), (CATALOG.records["train"][1],))
    assert (
        "2 segments, ending at or before their start: 1"
        in check_segments([Trial("one", part, {})], CATALOG, {}).summary
    )
    sound = replace(CATALOG, records={"train": [video("1", (0, 4, 0))], "test": []})
    longer = check_segments(ClosedSet().trials(sound, 0), sound, {Path("1"): 25.0})
    assert (longer.summary, list(longer.examples)) == (
        "1 segment, videos of another duration than annotated: 1",
        ["1, 20 s annotated and 25 s long"],
    )
    short = check_segments(ClosedSet().trials(sound, 0), sound, {Path("1"): 3.0})
    assert list(short.examples) == ["1: 0 to 4 s of 3 s", "1, 20 s annotated and 3 s long"]
    shorter = check_segments(ClosedSet().trials(sound, 0), sound, {Path("1"): 1.0})
    assert shorter.verdict == "error"
    assert "Are the times frames" in shorter.summary
    assert check_segments(ClosedSet().trials(sound, 0), sound, {}).verdict == "ok"


def test_all_of_the_unseen_classes_is_hidden() -> None:
    (trial,) = OPEN.trials(CATALOG, 0)
    result = check_unseen_segments([trial], CATALOG)
    assert verdict(result) == ("ok", [])
    assert result is not None
    assert result.summary == (
        "hidden from training: all 4 segments of classes that are not trained on, in 3 training videos; 1 training "
        "segment that they overlap left out"
    )


@pytest.mark.parametrize(
    ("video_id", "hidden_sec", "shown"),
    [
        ("1", (), ["1, dive, 3 to 5 s"]),
        ("1", ((3.0, 4.9),), ["1, dive, 3 to 5 s"]),
        ("1", ((3.1, 9.0),), ["1, dive, 3 to 5 s"]),
        ("1", ((5.0, 3.0),), ["1, dive, 3 to 5 s"]),
        ("1", ((3.0, 3.9), (4.0, 5.0)), ["1, dive, 3 to 5 s"]),
        ("3", ((2.0, 4.0),), ["3, dive, 3 to 6 s"]),
        ("3", ((20.0, 30.0),), ["3, dive, 2 to 4 s", "3, dive, 3 to 6 s"]),
        ("1", ((4.0, 5.0), (3.0, 4.0)), []),
        ("3", ((0.0, 20.0),), []),
        ("2", (), []),  # nothing is shown from 0 to 0 s
    ],
)
def test_a_tampered_record_is_found(video_id: str, hidden_sec: tuple[Span, ...], shown: list[str]) -> None:
    (trial,) = OPEN.trials(CATALOG, 0)
    result = check_unseen_segments([tampered(trial, video_id, hidden_sec)], CATALOG)
    assert verdict(result) == ("error" if shown else "ok", shown)


def test_the_trial_is_named_where_there_are_several() -> None:
    (trial,) = OPEN.trials(CATALOG, 0)
    wrong = replace(tampered(trial, "1", ()), name="split 1")
    result = check_unseen_segments([trial, wrong], CATALOG)
    assert verdict(result) == ("error", ["split 1: 1, dive, 3 to 5 s"])
    assert result is not None
    assert result.summary.startswith("1 of 8 segments of classes that are not trained on, in 3 training videos, can be")


def test_nothing_to_hide_is_no_finding() -> None:
    assert check_unseen_segments(ClosedSet().trials(CATALOG, 0), CATALOG) is None


def test_only_untrimmed_videos_are_checked() -> None:
    assert is_untrimmed(OPEN.trials(CATALOG, 0))
    trimmed = Subset(NAMES, (Record("1", Path("1"), 0),))
    assert not is_untrimmed([Trial("trimmed", trimmed, {"test": trimmed})])
    assert not is_untrimmed([Trial("empty", Subset(NAMES, ()), {})])


def test_merged_spans_hold_the_same_moments() -> None:
    draw = random.Random(0)
    for _ in range(300):
        spans = [(float(draw.randrange(12)), float(draw.randrange(12))) for _ in range(draw.randrange(6))]
        summary = merged(spans)
        for tenth in range(1, 240, 2):  # never the end of a span
            moment = tenth / 20
            assert any(start < moment < end for start, end in spans) == any(s < moment < e for s, e in summary)
        assert all(one[1] < other[0] for one, other in pairwise(summary))


@pytest.mark.parametrize("split", ["75_25", "50_50"])
def test_the_published_splits_of_thumos14_hide_what_they_must(tmp_path: Path, split: str) -> None:
    data = Thumos14(tmp_path, protocol=OpenSet(split=split))
    result = check_unseen_segments(data.trials, data.dataset_index)
    assert verdict(result) == ("ok", [])
    trial, record = next(
        (trial, record)
        for trial in data.trials
        for record in trial.train.records
        if isinstance(record, UntrimmedRecord) and record.hidden_sec
    )
    wrong = tampered(trial, record.video_id, record.hidden_sec[1:])
    assert verdict(check_unseen_segments([wrong], data.dataset_index))[0] == "error"
