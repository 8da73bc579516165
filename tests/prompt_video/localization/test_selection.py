"""What is shown of many detections, and which of it is right: against brute force over random videos."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, permutations

import pytest

from data_modules.annotations.activitynet_format import AnnotatedVideo, Annotation, Detection
from data_modules.errors import InputError
from prompt_video.localization.selection import Selection, apart, balanced_selection, best_first, merged
from prompt_video.localization.verdicts import judge


def some_detections(seed: int, count: int, seconds: int = 30) -> list[Detection]:
    """Whole seconds, so that some touch, and scores of which no two are equal."""
    rng = random.Random(seed)
    starts = [rng.randrange(seconds) for _ in range(count)]
    scores = rng.sample(range(1, 1000), count)
    return [
        Detection(rng.choice("ab"), float(start), float(start + rng.randrange(1, 9)), score / 1000)
        for start, score in zip(starts, scores, strict=True)
    ]


def video(actions: Sequence[Annotation], video_id: str = "v") -> AnnotatedVideo:
    return AnnotatedVideo(video_id, "test", 60.0, tuple(actions))


def test_the_best_above_the_score_are_shown_best_first() -> None:
    detections = [Detection("a", 0.0, 1.0, score) for score in (0.2, 0.5, 0.9, 0.7)]
    assert [d.score for d in Selection(0.5).of(detections)] == [0.9, 0.7, 0.5]
    assert [d.score for d in Selection(0.0, at_most=2).of(detections)] == [0.9, 0.7]
    assert Selection(0.95).of(detections) == ()


@pytest.mark.parametrize(("min_score", "at_most"), [(1.5, 5), (-0.1, 5), (float("nan"), 5), (0.5, 0)])
def test_a_selection_that_cannot_be_is_refused(min_score: float, at_most: int) -> None:
    with pytest.raises(InputError, match=r"min_score must be in|at_most must be"):
        Selection(min_score, at_most)


def test_a_balanced_selection_shows_as_many_as_are_true() -> None:
    actions = [Annotation("a", 0.0, 1.0)] * 3
    truth = {"v": video(actions[:1], "v"), "w": video(actions[:2], "w")}
    found = some_detections(0, 60)
    detections = {"v": found[:20], "w": found[20:40], "not annotated": found[40:]}
    selection = balanced_selection(detections, truth)
    assert sum(len(selection.of(detections[video_id])) for video_id in truth) == 3


def test_a_balanced_selection_of_too_few_shows_all_of_them() -> None:
    detections = some_detections(0, 2)
    selection = balanced_selection({"v": detections}, {"v": video([Annotation("a", 0.0, 1.0)] * 5)})
    assert selection.of(detections) == best_first(detections)


def test_a_balanced_selection_without_truth_or_detections_is_the_usual_one() -> None:
    assert balanced_selection({"v": some_detections(0, 2)}, {"v": video([])}) == Selection()
    assert balanced_selection({}, {"v": video([Annotation("a", 0.0, 1.0)])}) == Selection()


@pytest.mark.parametrize("seed", range(20))
def test_merged_detections_cover_the_same_moments_with_the_best_score(seed: int) -> None:
    detections = some_detections(seed, 12)
    whole = merged(detections)
    assert [d.start_sec for d in whole] == sorted(d.start_sec for d in whole)
    for label in "ab":
        before = [d for d in detections if d.label == label]
        after = [d for d in whole if d.label == label]
        for moment in range(45):
            covered = any(d.start_sec <= moment + 0.5 <= d.end_sec for d in before)
            assert covered == (sum(d.start_sec <= moment + 0.5 <= d.end_sec for d in after) == 1)
        assert all(one.end_sec < other.start_sec for one, other in pairwise(after))
        for d in after:
            inside = [b.score for b in before if d.start_sec <= b.start_sec <= d.end_sec]
            assert d.score == max(inside)


def test_of_two_detections_of_one_action_only_the_better_is_right() -> None:
    actions = [Annotation("a", 0.0, 10.0), Annotation("b", 0.0, 10.0)]
    detections = [Detection("a", 0.0, 10.0, 0.4), Detection("a", 1.0, 10.0, 0.8), Detection("b", 6.0, 10.0, 0.9)]
    verdicts = judge(detections, actions)
    assert verdicts.right == (False, True, False)
    assert verdicts.detected == (True, False)
    assert verdicts.f1 == pytest.approx(2 * 1 / 5)
    assert str(verdicts) == "1 of 2 found, 2 wrong"


def test_the_overlap_that_is_just_enough_is_enough() -> None:
    actions = [Annotation("a", 0.0, 10.0)]
    assert judge([Detection("a", 0.0, 5.0, 0.5)], actions, 0.5).right == (True,)
    assert judge([Detection("a", 0.0, 4.9, 0.5)], actions, 0.5).right == (False,)


def test_nothing_is_found_of_an_action_annotated_backwards() -> None:
    verdicts = judge(
        [Detection("a", 2.0, 2.0, 0.5), Detection("a", 0.0, 9.0, 0.4)], [Annotation("a", 5.0, 3.0)], 0.0001
    )
    assert verdicts.right == (False, False)
    assert verdicts.detected == (False,)


def test_nothing_to_find_and_nothing_found_is_perfect() -> None:
    assert judge([], []).f1 == 1.0
    assert judge([Detection("a", 0.0, 1.0, 0.5)], []).f1 == 0.0


@pytest.mark.parametrize("seed", range(40))
def test_verdicts_are_those_of_trying_every_assignment(seed: int) -> None:
    """Of all one-to-one assignments, the one in which the better detections, in turn, overlap most."""
    detections = some_detections(seed, 4, seconds=8)
    rng = random.Random(100 + seed)
    actions = [
        Annotation(rng.choice("ab"), start := rng.uniform(0.0, 8.0), start + rng.uniform(1.0, 8.0)) for _ in range(4)
    ]

    def tiou(one: Detection, other: Annotation) -> float:
        shared = min(one.end_sec, other.end_sec) - max(one.start_sec, other.start_sec)
        total = (one.end_sec - one.start_sec) + (other.end_sec - other.start_sec) - max(shared, 0.0)
        overlap = max(shared, 0.0) / total if one.label == other.label else 0.0
        return overlap if overlap >= 0.3 else 0.0

    order = sorted(range(4), key=lambda n: -detections[n].score)
    overlaps = [[tiou(detections[n], action) for action in actions] for n in order]
    best = max(permutations(range(4)), key=lambda p: [overlaps[n][place] for n, place in enumerate(p)])
    right = {order[n] for n, place in enumerate(best) if overlaps[n][place] > 0}
    assert judge(detections, actions, 0.3).right == tuple(n in right for n in range(4))


def test_what_stands_apart_yields_to_what_is_better() -> None:
    night, snow = Detection("night", 0.0, 60.0, 0.4), Detection("snow", 20.0, 40.0, 0.5)
    assert apart([night, snow]) == (snow, replace(night, end_sec=20.0), replace(night, start_sec=40.0))
    border = Detection("rain", 35.0, 55.0, 0.3)
    assert apart([snow, border]) == (snow, replace(border, start_sec=40.0)), "the border of two is the better one's"
    assert apart([snow, replace(snow, start_sec=15.0, score=0.4)]) == (snow,), "two guesses at one thing"
    assert apart([snow, Detection("rain", 15.0, 41.0, 0.4)]) == (snow,), "little is left of it"
    sliver = Detection("rain", 19.0, 61.0, 0.3)
    assert apart([snow, sliver]) == (snow, replace(sliver, start_sec=40.0))
    assert apart([snow, replace(night, end_sec=0.0)]) == (snow,), "empty ones are nowhere"
    again = replace(snow, start_sec=39.0, end_sec=60.0, score=0.4)
    assert apart([snow, again]) == (snow, replace(again, start_sec=40.0)), "it snows again"
    touching = replace(snow, start_sec=40.0, end_sec=50.0)
    assert apart([snow, touching]) == (snow, touching)


@pytest.mark.parametrize("seed", range(20))
def test_each_moment_is_that_of_the_best_detection_which_stayed(seed: int) -> None:
    detections = some_detections(seed, 25)
    shown = apart(detections)
    assert all(one.end_sec <= other.start_sec or other.end_sec <= one.start_sec
               for one, other in permutations(shown, 2))  # fmt: skip
    assert list(shown) == sorted(shown, key=lambda d: (-d.score, d.start_sec))
    assert best_first(detections)[0] in shown
    stayed = [d for d in detections if d.score in {one.score for one in shown}]
    for moment in (second + 0.5 for second in range(40)):
        claims = [d for d in stayed if d.start_sec < moment < d.end_sec]
        here = [d for d in shown if d.start_sec < moment < d.end_sec]
        assert [d.score for d in here] == sorted((d.score for d in claims), reverse=True)[:1]
    for score in (0.3, 0.6):
        above = [d for d in detections if d.score >= score]
        assert apart(above) == tuple(d for d in shown if d.score >= score), "the same before and after"
        assert Selection(score, 3, overlapping=False).of(detections) == apart(above)[:3]
