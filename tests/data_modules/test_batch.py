"""Records under a restriction of the classes, as protocols restrict them."""

import random
from pathlib import Path

import pytest

from data_modules.batch import Record, Segment, Span, UntrimmedRecord
from data_modules.protocols.trial import Subset

NAMES = ("cut", "dive", "eat", "fall")


def video(video_id: str, *segments: tuple[float, float, int], hidden: tuple[Span, ...] = ()) -> UntrimmedRecord:
    segment_records = tuple(Segment(*segment) for segment in segments)
    return UntrimmedRecord(
        video_id, Path(video_id), segments=segment_records, ambiguous_sec=((8.0, 9.0),), hidden_sec=hidden
    )


SUBSET = Subset(
    NAMES,
    (
        video("a", (1.0, 2.0, 0), (3.0, 4.0, 1), (5.0, 6.0, 0)),
        video("b", (1.0, 2.0, 2), (1.5, 2.5, 3)),
        video("c", (1.0, 2.0, 3), hidden=((4.0, 5.0),)),
        video("d"),
    ),
)


def contents_of(subset: Subset) -> list[tuple[str, list[tuple[float, float, str]], tuple[Span, ...]]]:
    """What each video of a subset shows, in the names of the subset, and what it hides."""
    rows = []
    for record in subset.records:
        assert isinstance(record, UntrimmedRecord)
        segments = [(s.start_sec, s.end_sec, subset.class_names[s.target]) for s in record.segments]
        rows.append((record.video_id, segments, record.hidden_sec))
    return rows


def test_targets_stand_once_each_in_their_order() -> None:
    assert video("a", (1.0, 2.0, 3), (3.0, 4.0, 1), (5.0, 6.0, 3)).targets == (3, 1)
    assert video("a").targets == ()
    assert video("a").target == -1
    assert Record("a", Path("a"), 2).targets == (2,)


def test_other_classes_are_hidden_and_videos_without_any_dropped() -> None:
    subset = SUBSET.only(["fall", "cut"])
    assert subset.class_names == ("fall", "cut")
    assert contents_of(subset) == [
        ("a", [(1.0, 2.0, "cut"), (5.0, 6.0, "cut")], ((3.0, 4.0),)),
        ("b", [(1.5, 2.5, "fall")], ((1.0, 2.0),)),
        ("c", [(1.0, 2.0, "fall")], ((4.0, 5.0),)),
    ]
    assert all(isinstance(r, UntrimmedRecord) and r.ambiguous_sec == ((8.0, 9.0),) for r in subset.records)


def test_a_second_restriction_hides_more() -> None:
    twice = SUBSET.only(["fall", "cut", "eat"]).only(["eat"])
    assert contents_of(twice) == [("b", [(1.0, 2.0, "eat")], ((1.5, 2.5),))]
    assert contents_of(SUBSET.only(["cut", "dive"]).only(["dive", "cut"])) == contents_of(SUBSET.only(["dive", "cut"]))
    for names in (["cut"], ["cut", "eat"]):
        once = {video_id: (segments, set(hidden)) for video_id, segments, hidden in contents_of(SUBSET.only(names))}
        twice_ = SUBSET.only(["eat", "cut", "fall"]).only(names)
        assert {video_id: (segments, set(hidden)) for video_id, segments, hidden in contents_of(twice_)} == once


@pytest.mark.parametrize("span", [(3.0, 2.0), (3.0, 3.0)])
def test_a_segment_the_wrong_way_round_hides_what_lies_between_its_ends(span: Span) -> None:
    subset = Subset(NAMES, (video("a", (1.0, 2.0, 0), (*span, 1)),))
    ((_, _, hidden),) = contents_of(subset.only(["cut"]))
    assert hidden == ((min(span), max(span)),)


def test_more_names_hide_nothing() -> None:
    subset = SUBSET.only(["dive", "cut"])
    among = subset.among(["eat", "cut", "dive"])
    assert among.class_names == ("eat", "cut", "dive")
    assert contents_of(among) == contents_of(subset)


def test_every_segment_is_either_kept_or_hidden() -> None:
    draw = random.Random(0)
    for _ in range(100):
        segments = [(float(n), n + 0.5, draw.randrange(4)) for n in range(draw.randrange(6))]
        names = draw.sample(NAMES, draw.randrange(1, 5))
        subset = Subset(NAMES, (video("a", *segments),)).only(names)
        wanted = [(start, end, NAMES[target]) for start, end, target in segments if NAMES[target] in names]
        others = tuple((start, end) for start, end, target in segments if NAMES[target] not in names)
        assert contents_of(subset) == ([("a", wanted, others)] if wanted else [])


def test_a_trimmed_video_shows_one_class() -> None:
    subset = Subset(NAMES, (Record("a", Path("a"), 1), Record("b", Path("b"), 2), Record("unknown", Path("c"), -1)))
    assert subset.only(["eat", "cut"]).records == (Record("b", Path("b"), 0),)
