"""What happens in a long video of the built-in world: actions, pauses and distractors, piece by piece. Pure and seeded.

Times count frames; the pixels are drawn piece by piece, so that a video may be of any length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from data_modules.synthetic.rendering import FRAME_RATE
from data_modules.synthetic.shapes import (
    COLORS,
    EXTRA_MOTIONS,
    SHAPES,
    Trajectories,
    draw,
    sample_backgrounds,
    sample_colors,
    sample_trajectories,
)

ACTION_SEC = (1.8, 4.0)
GAP_SEC = (0.8, 3.0)  # between two actions, before the first and behind the last
WAIT_SEC = (0.3, 0.9)  # that a shape stands still before its action, and behind it
MIN_ACTIONS, MAX_ACTIONS = 4, 7
GAPS = ("nothing", *EXTRA_MOTIONS)  # the last two are shown by a shape that nobody asks for


@dataclass(frozen=True)
class Piece:
    """Some frames on end that show one shape, or none.

    Args:
        num_frames: how many.
        shape: of `data_modules.synthetic.shapes.SHAPES`; empty where nothing is to be seen.
        color: of the shape.
        trajectories: of the one shape.
        time: of the trajectory, from 0 to 1, at the first and at the last frame; equal where the shape waits.
    """

    num_frames: int
    shape: str
    color: str
    trajectories: Trajectories
    time: tuple[float, float]


@dataclass(frozen=True)
class Action:
    """What is annotated: frames from ``start`` up to ``end`` show ``shape`` doing ``motion``."""

    shape: str
    motion: str
    start: int
    end: int


@dataclass(frozen=True)
class VideoScript:
    """A whole video before it is drawn."""

    pieces: tuple[Piece, ...]
    actions: tuple[Action, ...]
    seed: int

    @property
    def num_frames(self) -> int:
        """Frames of the whole video."""
        return sum(piece.num_frames for piece in self.pieces)


def write_video_script(classes: Sequence[tuple[str, str]], seed: int) -> VideoScript:
    """Draw what happens; equal arguments give an equal video.

    Args:
        classes: shape and motion of every action that may be shown.
        seed: of everything in the video.
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    def frames(span: tuple[float, float]) -> int:
        return max(1, round(uniform(*span) * FRAME_RATE))

    def choose(count: int) -> int:
        return int(torch.randint(count, (), generator=generator))

    pieces: list[Piece] = []
    actions: list[Action] = []

    def add(shape: str, motion: str, num_frames: int, is_action: bool) -> None:
        color = list(COLORS)[choose(len(COLORS))]
        path = sample_trajectories([motion], generator)
        waits = is_action and uniform(0.0, 1.0) < 0.5
        if waits:
            pieces.append(Piece(frames(WAIT_SEC), shape, color, path, (0.0, 0.0)))
        start = sum(piece.num_frames for piece in pieces)
        if is_action:
            actions.append(Action(shape, motion, start, start + num_frames))
        pieces.append(Piece(num_frames, shape, color, path, (0.0, 1.0)))
        if waits:
            pieces.append(Piece(frames(WAIT_SEC), shape, color, path, (1.0, 1.0)))

    def add_gap() -> None:
        kind = GAPS[choose(len(GAPS))]
        shape = "" if kind == "nothing" else SHAPES[choose(len(SHAPES))]
        add(shape, EXTRA_MOTIONS[0] if kind == "nothing" else kind, frames(GAP_SEC), is_action=False)

    order = torch.randperm(len(classes), generator=generator).tolist()
    count = MIN_ACTIONS + choose(MAX_ACTIONS - MIN_ACTIONS + 1)
    for number in range(count):
        add_gap()
        shape, motion = classes[int(order[number % len(order)])]
        add(shape, motion, frames(ACTION_SEC), is_action=True)
    add_gap()
    return VideoScript(tuple(pieces), tuple(actions), seed)


def play(video_script: VideoScript) -> Iterator[UInt8[Tensor, "T 3 S S"]]:
    """The pictures of a video, a piece at a time."""
    generator = torch.Generator().manual_seed(video_script.seed + 1)
    background = sample_backgrounds(1, generator)
    shades = {color: sample_colors([color], generator) for color in COLORS}
    for piece in video_script.pieces:
        if not piece.shape:
            still = (background * 255).round().to(torch.uint8)
            yield still.expand(piece.num_frames, -1, -1, -1)
            continue
        time = torch.linspace(*piece.time, piece.num_frames)
        kind = torch.tensor([SHAPES.index(piece.shape)])
        yield draw(kind, shades[piece.color], background, piece.trajectories.at(time[None]))[0]
