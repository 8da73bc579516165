"""Captions for stills of the drawn world, loose and incomplete as captions on the web are."""

import math
import random
from dataclasses import dataclass

from data_modules.synthetic.shapes import SYMMETRY

_OPENINGS = (
    "",
    "",
    "",
    "",
    "a photo of",
    "a picture of",
    "an image of",
    "a still of",
    "a video of",
    "a frame of",
    "a drawing of",
    "there is",
    "this is",
    "look at",
    "we see",
)
_SIZES = {"small": ("small", "tiny", "little"), "medium": ("medium", "medium-sized"), "big": ("big", "large", "huge")}
_MOTION_WORDS = {
    "moving left": ("moving left", "moves left", "going left", "sliding to the left", "moving to the left"),
    "moving right": ("moving right", "moves right", "going right", "sliding to the right", "moving to the right"),
    "moving up": ("moving up", "moves up", "going up", "rising", "moving upwards"),
    "moving down": ("moving down", "moves down", "going down", "falling", "moving downwards"),
    "growing": ("growing", "grows", "getting bigger", "expanding"),
    "shrinking": ("shrinking", "shrinks", "getting smaller", "contracting"),
    "spinning": ("spinning", "spins", "rotating", "turning around"),
    "blinking": ("blinking", "blinks", "flashing", "flickering"),
    "circling": ("circling", "going in circles", "moving in a circle"),
    "standing still": ("standing still", "not moving", "staying in place"),
}
_FILLERS = (
    "from the holiday album",
    "seen last summer by the sea",
    "uploaded by a friend of mine",
    "number 12 of the series",
    "please leave a comment below",
    "no filter was used for this one",
    "found in an old box of pictures",
    "my favourite one so far",
    "for the school project",
    "as part of the daily challenge",
)


@dataclass(frozen=True)
class Still:
    """What is to be seen in one frame, and the motion of the video it was taken from, which is not."""

    shape: str
    motion: str
    color: str
    x: float
    y: float
    radius: float
    tilt: float
    opacity: float


def caption(still: Still, rng: random.Random, *, with_motion: bool, long: bool) -> str:
    """One caption: always the shape; by chance size, tilt, colour and place.

    Args:
        still: the frame to describe.
        rng: source of chance.
        with_motion: name the motion as well.
        long: put filler phrases around it, so that late text positions are trained too: learned prompts put the
            end token there.
    """
    words = [rng.choices(("a", "the", "none"), (0.8, 0.1, 0.1))[0], *_adjectives(still, rng), still.shape]
    if words[0] == "none":
        words = words[1:]
    elif words[0] == "a" and words[1][0] in "aeiou":
        words[0] = "an"
    parts = [rng.choice(_OPENINGS), " ".join(words)]
    extras = [rng.choice(_MOTION_WORDS[still.motion])] if with_motion else []
    if rng.random() < 0.7:
        extras.append(_place(still, rng))
    rng.shuffle(extras)
    text = " ".join(part for part in (*parts, *extras) if part)
    if long:
        fillers = rng.sample(_FILLERS, rng.randint(1, 5))
        cut = rng.randint(0, len(fillers))
        text = " , ".join([*fillers[:cut], text, *fillers[cut:]])
    return text


def _adjectives(still: Still, rng: random.Random) -> list[str]:
    words = []
    if rng.random() < 0.6:
        size = "small" if still.radius < 0.14 else "medium" if still.radius < 0.195 else "big"
        words.append(rng.choice(_SIZES[size]))
    if still.opacity < 1 and rng.random() < 0.6:
        words.append(rng.choice(("faint", "dim")))
    turn = SYMMETRY.get(still.shape, 2 * math.pi)
    if abs((still.tilt + turn / 2) % turn - turn / 2) > math.radians(15) and rng.random() < 0.6:
        words.append(rng.choice(("tilted", "rotated")))
    if rng.random() < 0.5:
        words.append(still.color)
    return words


def _place(still: Still, rng: random.Random) -> str:
    """Where the shape is: one axis or both, in five steps each, since a coarse word teaches a coarse position."""
    far = rng.choice(("far ", "very "))
    side = "left" if still.x < 0.5 else "right"
    edge = "top" if still.y < 0.5 else "bottom"
    across, upright = abs(still.x - 0.5), abs(still.y - 0.5)
    horizontal = "center" if across < 0.09 else side if across < 0.23 else far + side
    vertical = "middle" if upright < 0.09 else edge if upright < 0.23 else "very " + edge
    kind = rng.random()
    if kind < 0.3:
        return f"{rng.choice(('on the', 'at the', 'to the') if horizontal != 'center' else ('in the',))} {horizontal}"
    if kind < 0.6:
        return f"{rng.choice(('at the', 'near the') if vertical != 'middle' else ('in the',))} {vertical}"
    if horizontal == "center" and vertical == "middle":
        return rng.choice(("in the center", "in the middle"))
    if horizontal == "center":
        return f"at the {vertical} center"
    if vertical == "middle":
        return f"on the {horizontal} in the middle"
    return rng.choice((f"at the {vertical} {horizontal}", f"on the {horizontal} at the {vertical}"))
