"""Stories of the built-in world: what is drawn, and what the sentences say of it."""

from itertools import pairwise

import pytest
import torch

from data_modules.synthetic.rendering import FRAME_RATE
from data_modules.synthetic.shapes import COLORS, MOTIONS, SHAPES
from data_modules.synthetic.story_script import ACTION_SEC, NUM_ACTIONS, PAUSE_SEC, RADII, tell, write_story
from data_modules.synthetic.video_script import play

WORDS = {"small": {"small", "little", "tiny"}, "big": {"big", "large", "huge"}}


@pytest.mark.parametrize("seed", range(30))
def test_what_is_drawn_is_what_happens(seed: int) -> None:
    story = write_story(seed)
    moving = [piece for piece in story.video_script.pieces if piece.shape]
    pauses = [piece for piece in story.video_script.pieces if not piece.shape]
    assert len(story.events) in NUM_ACTIONS
    assert [(piece.shape, piece.color) for piece in moving] == [(event.shape, event.color) for event in story.events]
    assert len(pauses) == len(moving) - 1
    assert len({event.shape for event in story.events}) == len({event.color for event in story.events}) == len(moving)
    for piece, event in zip(moving, story.events, strict=True):
        assert ACTION_SEC[0] - 0.1 < piece.num_frames / FRAME_RATE < ACTION_SEC[1] + 0.1
        radii = piece.trajectories.radius_start, piece.trajectories.radius_end
        if event.motion in ("growing", "shrinking"):
            assert event.size == ""
            assert (radii[0] < radii[1]).item() == (event.motion == "growing")
        else:
            low, high = RADII[event.size]
            assert radii[0] == radii[1]
            assert low <= radii[0].item() <= high
    assert all(PAUSE_SEC[0] - 0.1 < pause.num_frames / FRAME_RATE < PAUSE_SEC[1] + 0.1 for pause in pauses)


def test_sizes_can_be_told_apart() -> None:
    ranges = sorted(RADII.values())
    assert all(one[1] < other[0] for one, other in pairwise(ranges))


@pytest.mark.parametrize("seed", range(30))
def test_sentences_tell_shape_color_and_size_in_order(seed: int) -> None:
    story = write_story(seed)
    sentences = tell(story, 4)
    assert len(sentences) == len(set(sentences)) == 4
    for sentence in sentences:
        words = sentence.replace(",", "").replace(";", "").split()
        assert [word for word in words if word in SHAPES] == [event.shape for event in story.events]
        assert [word for word in words if word in COLORS] == [event.color for event in story.events]
        for event in story.events:
            before = words[max(words.index(event.color) - 1, 0)]
            assert before in WORDS[event.size] if event.size else before in ("a", "an")


def test_equal_seeds_give_equal_stories_and_others_do_not() -> None:
    first, again, other = write_story(1), write_story(1), write_story(2)
    assert first.events == again.events != other.events
    assert tell(first, 3) == tell(again, 3) != tell(other, 3)
    for one, two in zip(play(first.video_script), play(again.video_script), strict=True):
        assert torch.equal(one, two)


def test_everything_occurs() -> None:
    events = [event for seed in range(200) for event in write_story(seed).events]
    assert {event.shape for event in events} == set(SHAPES)
    assert {event.motion for event in events} == set(MOTIONS)
    assert {event.color for event in events} == set(COLORS)
    assert {event.size for event in events} == set(RADII)


def test_no_more_wordings_than_there_are() -> None:
    story = write_story(0)
    assert len(tell(story, 3000)) == 1024
