from itertools import pairwise

import pytest
import torch

from data_modules.synthetic.rendering import FRAME_RATE
from data_modules.synthetic.shapes import MOTIONS, SHAPES
from data_modules.synthetic.video_script import (
    ACTION_SEC,
    GAP_SEC,
    GAPS,
    MAX_ACTIONS,
    MIN_ACTIONS,
    WAIT_SEC,
    Piece,
    VideoScript,
    play,
    write_video_script,
)

CLASSES = [(shape, motion) for shape in SHAPES[:3] for motion in MOTIONS]


def frames_of(span_sec: tuple[float, float]) -> range:
    """Lengths in frames that a piece may have."""
    return range(round(span_sec[0] * FRAME_RATE), round(span_sec[1] * FRAME_RATE) + 1)


def placed(video_script: VideoScript) -> dict[tuple[int, int], Piece]:
    """The pieces by their first frame and the one behind their last."""
    result, start = {}, 0
    for piece in video_script.pieces:
        result[start, start + piece.num_frames] = piece
        start += piece.num_frames
    return result


def test_equal_arguments_give_an_equal_video() -> None:
    first, again, other = (list(play(write_video_script(CLASSES, seed))) for seed in (3, 3, 4))
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert [len(piece) for piece in first] != [len(piece) for piece in other]
    assert write_video_script(CLASSES, 3).actions != write_video_script(CLASSES[::-1], 3).actions


def test_actions_are_apart_and_their_pieces_show_them() -> None:
    counts, waits = set(), 0
    for seed in range(30):
        video_script = write_video_script(CLASSES, seed)
        pieces = placed(video_script)
        assert list(pieces)[-1][1] == video_script.num_frames
        actions = video_script.actions
        counts.add(len(actions))
        assert len({(action.shape, action.motion) for action in actions}) == len(actions)
        assert {(action.shape, action.motion) for action in actions} <= set(CLASSES)
        edges = [0, *(edge for action in actions for edge in (action.start, action.end)), video_script.num_frames]
        # Even with a wait on both sides an action is preceded and followed by a gap.
        gaps = [behind - end for end, behind in pairwise(edges)][::2]
        assert all(frames_of(GAP_SEC)[0] <= gap <= frames_of(GAP_SEC)[-1] + 2 * frames_of(WAIT_SEC)[-1] for gap in gaps)
        for action in actions:
            piece = pieces[action.start, action.end]
            assert (piece.shape, piece.time) == (action.shape, (0.0, 1.0))
            assert piece.num_frames in frames_of(ACTION_SEC)
            assert_moves(piece, action.motion)
        still = [piece for piece in video_script.pieces if piece.time[0] == piece.time[1]]
        waits += len(still)
        assert len(still) % 2 == 0
        assert all(piece.num_frames in frames_of(WAIT_SEC) for piece in still)
        others = len(pieces) - len(actions) - len(still)
        assert others == len(actions) + 1
    assert counts == set(range(MIN_ACTIONS, MAX_ACTIONS + 1))
    assert waits > 30


def assert_moves(piece: Piece, motion: str) -> None:
    """The trajectory of an action does what its name says."""
    scene = piece.trajectories.at(torch.linspace(0, 1, piece.num_frames)[None])
    x, y = (scene.center[0, -1] - scene.center[0, 0]).tolist()
    growth = float(scene.radius[0, -1] / scene.radius[0, 0])
    said = {
        "moving left": x < -0.3,
        "moving right": x > 0.3,
        "moving up": y < -0.3,
        "moving down": y > 0.3,
        "growing": growth > 1.5,
        "shrinking": growth < 0.7,
        "spinning": float((scene.tilt[0, -1] - scene.tilt[0, 0]).abs()) > 3,
        "blinking": float(scene.opacity.amin()) < 0.5,
    }
    assert [name for name, does in said.items() if does] == [motion]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_played(seed: int) -> None:
    video_script = write_video_script(CLASSES, seed)
    pieces = list(play(video_script))
    assert [len(frames) for frames in pieces] == [piece.num_frames for piece in video_script.pieces]
    background = torch.cat(pieces).median(dim=0).values  # no shape stays anywhere for half of the video
    for piece, frames in zip(video_script.pieces, pieces, strict=True):
        changed = (frames.int() - background.int()).abs().amax(1) > 12
        share = changed.float().mean((1, 2))
        if not piece.shape:
            assert not changed.any()
        else:  # there is a shape, and it leaves most of the picture alone
            assert share.mean() > 0.01
            assert share.amax() < 0.4
        is_still = bool((frames == frames[0]).all())
        assert is_still == (not piece.shape or piece.time[0] == piece.time[1] or standing(piece))
    for (piece, frames), (behind, following) in pairwise(zip(video_script.pieces, pieces, strict=True)):
        if piece.trajectories is behind.trajectories:  # a wait goes over into its action, and an action into its wait
            assert torch.equal(frames[-1], following[0])


def standing(piece: Piece) -> bool:
    """Whether the shape of a gap stands still."""
    scene = piece.trajectories.at(torch.linspace(0, 1, 40)[None])
    same = (scene.center == scene.center[:, :1]).all() and (scene.tilt == scene.tilt[:, :1]).all()
    return bool(same and (scene.radius == scene.radius[:, :1]).all() and (scene.opacity == 1).all())


def test_every_kind_of_gap_occurs() -> None:
    assert GAPS == ("nothing", "circling", "standing still")
    kinds = set()
    for seed in range(10):
        video_script = write_video_script(CLASSES, seed)
        actions = {(action.start, action.end) for action in video_script.actions}
        for place, piece in placed(video_script).items():
            if place not in actions and piece.time == (0.0, 1.0):
                assert piece.num_frames in frames_of(GAP_SEC)
                kinds.add("nothing" if not piece.shape else "standing still" if standing(piece) else "circling")
    assert kinds == set(GAPS)
