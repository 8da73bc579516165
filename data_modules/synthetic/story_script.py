"""What happens in a described video of the built-in world, and the sentences that tell it. Pure and seeded."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from data_modules.synthetic.rendering import FRAME_RATE
from data_modules.synthetic.shapes import COLORS, MOTIONS, SHAPES, sample_trajectories
from data_modules.synthetic.video_script import Piece, VideoScript

ACTION_SEC = (1.6, 2.6)
PAUSE_SEC = (0.2, 0.5)  # between two actions
NUM_ACTIONS = (2, 3)
RADII = {"small": (0.10, 0.13), "": (0.145, 0.185), "big": (0.20, 0.25)}  # fractions of the frame's side
_CHANGES_SIZE = ("growing", "shrinking")
_SIZE_WORDS = {"small": ("small", "little", "tiny"), "big": ("big", "large", "huge")}
_VERBS = {
    "moving left": ("moves left", "is moving left", "slides to the left", "goes left"),
    "moving right": ("moves right", "is moving right", "slides to the right", "goes right"),
    "moving up": ("moves up", "is moving up", "rises", "goes up"),
    "moving down": ("moves down", "is moving down", "falls", "goes down"),
    "growing": ("grows", "is growing", "gets bigger", "expands"),
    "shrinking": ("shrinks", "is shrinking", "gets smaller", "contracts"),
    "spinning": ("spins", "is spinning", "rotates", "turns around"),
    "blinking": ("blinks", "is blinking", "flashes", "flickers"),
}
_JOINTS = (", then ", ", and then ", ", after that ", "; next ")


@dataclass(frozen=True)
class Event:
    """One action of a story; ``size`` is empty where nothing is to be said of it."""

    size: str
    color: str
    shape: str
    motion: str


@dataclass(frozen=True)
class Story:
    """A video before it is drawn, and what happens in it in order."""

    events: tuple[Event, ...]
    video_script: VideoScript


@lru_cache(maxsize=4096)  # a data module asks for all its stories whenever a trainer starts
def write_story(seed: int) -> Story:
    """Draw what happens; equal seeds give equal stories. No shape and no colour stands in a story twice."""
    rng = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    count = rng.choice(NUM_ACTIONS)
    events: list[Event] = []
    pieces: list[Piece] = []
    for shape, color in zip(rng.sample(SHAPES, count), rng.sample(list(COLORS), count), strict=True):
        motion = rng.choice(MOTIONS)
        path = sample_trajectories([motion], generator)
        size = ""
        if motion not in _CHANGES_SIZE:
            size = rng.choice(list(RADII))
            radius = torch.tensor([rng.uniform(*RADII[size])])
            path = replace(path, radius_start=radius, radius_end=radius)
        if pieces:
            pieces.append(Piece(_frames(PAUSE_SEC, rng), "", color, path, (0.0, 0.0)))
        pieces.append(Piece(_frames(ACTION_SEC, rng), shape, color, path, (0.0, 1.0)))
        events.append(Event(size, color, shape, motion))
    return Story(tuple(events), VideoScript(tuple(pieces), (), seed))


def tell(story: Story, wordings: int) -> list[str]:
    """Sentences that tell the story, each in other words as far as there are any.

    Args:
        story: to be told.
        wordings: how many.
    """
    rng = random.Random(story.video_script.seed + 1)
    sentences: dict[str, None] = {}
    for _ in range(20 * wordings):
        sentences[_sentence(story.events, rng)] = None
        if len(sentences) == wordings:
            break
    return list(sentences)


def _sentence(events: Sequence[Event], rng: random.Random) -> str:
    text = ""
    for number, event in enumerate(events):
        text += rng.choice(_JOINTS) if number else ""
        text += _clause(event, rng)
    return text


def _clause(event: Event, rng: random.Random) -> str:
    words = [event.color, event.shape]
    if event.size:
        words.insert(0, rng.choice(_SIZE_WORDS[event.size]))
    article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join([article, *words, rng.choice(_VERBS[event.motion])])


def _frames(span_sec: tuple[float, float], rng: random.Random) -> int:
    return round(rng.uniform(*span_sec) * FRAME_RATE)
