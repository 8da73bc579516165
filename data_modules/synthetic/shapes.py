"""The drawn world behind the demo: shapes, motions, and the pixels they make. Pure and seeded; no files.

Lengths are fractions of the frame's side, angles radians, time runs from 0 to 1 over a video. The y axis points
down, as in images.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

FRAME_SIZE = 96
SHAPES = ("square", "triangle", "star", "cross", "heart", "moon")
MOTIONS = ("moving left", "moving right", "moving up", "moving down", "growing", "shrinking", "spinning", "blinking")
# Drawn for the pre-training of the tiny CLIP only: never a class of the demo.
EXTRA_MOTIONS = ("circling", "standing still")
COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.90, 0.12, 0.12),
    "green": (0.12, 0.75, 0.20),
    "blue": (0.15, 0.30, 0.95),
    "yellow": (0.95, 0.90, 0.15),
    "purple": (0.60, 0.15, 0.80),
    "orange": (1.00, 0.55, 0.08),
    "cyan": (0.15, 0.85, 0.90),
    "white": (0.97, 0.97, 0.97),
}
# Turning a shape by this angle gives the same shape (no circle or ring: nobody could see them spin).
SYMMETRY = {"square": math.pi / 2, "triangle": 2 * math.pi / 3, "star": 2 * math.pi / 5, "cross": math.pi / 2}

_TABLE_SIZE = 96
_TABLE_REACH = 1.4  # the distance table covers [-reach, reach] in units of the shape's radius


def class_name(shape: str, motion: str) -> str:
    """The name a person would give the class, such as ``a star moving left``."""
    return f"a {shape} {motion}"


@dataclass(frozen=True)
class Trajectories:
    """Where N shapes go: one row of parameters a video, evaluated at any time by `at`."""

    start: Float[Tensor, "N 2"]
    end: Float[Tensor, "N 2"]
    radius_start: Float[Tensor, " N"]
    radius_end: Float[Tensor, " N"]
    tilt: Float[Tensor, " N"]
    turn: Float[Tensor, " N"]  # radians over the whole video
    blink_period: Float[Tensor, " N"]  # in video lengths; infinite: always on
    blink_phase: Float[Tensor, " N"]
    dim_opacity: Float[Tensor, " N"]
    orbit: Float[Tensor, " N"]
    orbit_phase: Float[Tensor, " N"]
    wobble: Float[Tensor, " N"]
    ease_start: Float[Tensor, " N"]
    ease_end: Float[Tensor, " N"]
    ease_power: Float[Tensor, " N"]

    def at(self, time: Float[Tensor, "N T"]) -> "Scene":
        """The state of every shape at ``time`` in [0, 1]."""

        def column(values: Tensor) -> Tensor:
            return values[:, None]

        span = column(self.ease_end - self.ease_start)
        progress = ((time - column(self.ease_start)) / span).clamp(0, 1) ** column(self.ease_power)
        center = self.start[:, None] + progress[..., None] * (self.end - self.start)[:, None]  # (N, T, 2)
        angle = 2 * math.pi * time + column(self.orbit_phase)
        center = center + column(self.orbit)[..., None] * torch.stack([angle.cos(), angle.sin()], dim=-1)
        heading = self.end - self.start
        length = heading.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        sideways = torch.stack([-heading[:, 1], heading[:, 0]], dim=-1) / length
        sway = column(self.wobble) * torch.sin(angle)
        center = center + sway[..., None] * sideways[:, None]
        radius = column(self.radius_start) * column(self.radius_end / self.radius_start) ** progress
        tilt = column(self.tilt) + column(self.turn) * time
        is_dim = ((time / column(self.blink_period) + column(self.blink_phase)) % 1.0) < 0.5
        is_dim &= column(self.blink_period).isfinite()
        opacity = torch.where(is_dim, column(self.dim_opacity), torch.ones_like(time))
        return Scene(center, radius, tilt, opacity)


@dataclass(frozen=True)
class Scene:
    """Shapes at moments: what `draw` needs besides the kind of shape, its colour and the background."""

    center: Float[Tensor, "N T 2"]
    radius: Float[Tensor, "N T"]
    tilt: Float[Tensor, "N T"]
    opacity: Float[Tensor, "N T"]


def sample_trajectories(motions: list[str], generator: torch.Generator) -> Trajectories:
    """Draw one trajectory for each named motion, from `MOTIONS` or `EXTRA_MOTIONS`."""
    num = len(motions)
    kind = {name: torch.tensor([motion == name for motion in motions]) for name in (*MOTIONS, *EXTRA_MOTIONS)}

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(num, generator=generator)

    start = torch.stack([uniform(0.19, 0.81), uniform(0.19, 0.81)], dim=-1)
    end = start.clone()
    travel = uniform(0.40, 0.62)
    first = 0.15 + (0.70 - travel) * torch.rand(num, generator=generator)
    for name, axis, sign in (
        ("moving left", 0, -1),
        ("moving right", 0, 1),
        ("moving up", 1, -1),
        ("moving down", 1, 1),
    ):
        rows = kind[name]
        low, high = first[rows], (first + travel)[rows]
        start[rows, axis], end[rows, axis] = (low, high) if sign > 0 else (high, low)
    moves = kind["moving left"] | kind["moving right"] | kind["moving up"] | kind["moving down"]
    circles = kind["circling"]
    start[circles] = end[circles] = start[circles].clamp(0.38, 0.62)

    radius = uniform(0.12, 0.23)
    small, ratio = uniform(0.09, 0.13), uniform(1.9, 2.5)
    radius_start, radius_end = radius.clone(), radius.clone()
    grows, shrinks = kind["growing"], kind["shrinking"]
    radius_start[grows], radius_end[grows] = small[grows], (small * ratio)[grows]
    radius_start[shrinks], radius_end[shrinks] = (small * ratio)[shrinks], small[shrinks]

    spins, blinks = kind["spinning"], kind["blinking"]
    any_angle = uniform(0.0, 2 * math.pi)
    tilt = torch.where(spins, any_angle, math.radians(1) * uniform(-10.0, 10.0))
    side = torch.where(uniform(0.0, 1.0) < 0.5, -1.0, 1.0)
    turn = torch.where(spins, side * 2 * math.pi * uniform(0.5, 1.5), 0.0)
    return Trajectories(
        start=start,
        end=end,
        radius_start=radius_start,
        radius_end=radius_end,
        tilt=tilt,
        turn=turn,
        blink_period=torch.where(blinks, uniform(0.25, 0.5), torch.inf),
        blink_phase=uniform(0.0, 1.0),
        dim_opacity=uniform(0.10, 0.25),
        orbit=torch.where(circles, uniform(0.14, 0.22), 0.0),
        orbit_phase=uniform(0.0, 2 * math.pi),
        wobble=torch.where(moves, uniform(0.0, 0.025), 0.0),
        ease_start=uniform(0.0, 0.2),
        ease_end=uniform(0.8, 1.0),
        ease_power=uniform(0.8, 1.25),
    )


def sample_backgrounds(num: int, generator: torch.Generator) -> Float[Tensor, "N 3 S S"]:
    """Textured backgrounds in [0, 1]: a grey level, large colour clouds and small grey ones."""
    size = (FRAME_SIZE, FRAME_SIZE)
    level = 0.2 + 0.3 * torch.rand(num, 1, 1, 1, generator=generator)
    clouds = 0.28 * (torch.rand(num, 3, 4, 4, generator=generator) - 0.5)
    grain = 0.22 * (torch.rand(num, 1, 16, 16, generator=generator) - 0.5)
    texture = F.interpolate(clouds, size, mode="bilinear") + F.interpolate(grain, size, mode="bilinear")
    return (level + texture).clamp(0, 1)


def sample_colors(names: list[str], generator: torch.Generator) -> Float[Tensor, "N 3"]:
    """RGB in [0, 1] of the named `COLORS`, each in a shade of its own."""
    shade = 0.85 + 0.20 * torch.rand(len(names), 1, generator=generator)
    return (torch.tensor([COLORS[name] for name in names]) * shade).clamp(0, 1)


def draw(
    shapes: Int[Tensor, " N"], colors: Float[Tensor, "N 3"], backgrounds: Float[Tensor, "N 3 S S"], scene: Scene
) -> UInt8[Tensor, "N T 3 S S"]:
    """Paint N shapes at T moments each.

    Args:
        shapes: index into `SHAPES`.
        colors: RGB in [0, 1].
        backgrounds: RGB in [0, 1]; the same for all moments of a row.
        scene: positions, sizes, angles and opacities.
    """
    num, moments = scene.radius.shape
    size = backgrounds.shape[-1]
    axis = (torch.arange(size) + 0.5) / size
    cos, sin = scene.tilt.cos(), scene.tilt.sin()
    offset_x = axis - scene.center[..., :1]  # (N, T, S)
    offset_y = axis - scene.center[..., 1:]
    scale = 1 / (scene.radius * _TABLE_REACH)
    # Every pixel in the shape's own coordinates, scaled so that the distance table spans [-1, 1].
    x = (cos * scale)[..., None, None] * offset_x[:, :, None, :] + (sin * scale)[..., None, None] * offset_y[..., None]
    y = (cos * scale)[..., None, None] * offset_y[..., None] - (sin * scale)[..., None, None] * offset_x[:, :, None, :]
    grid = torch.stack([x, y], dim=-1).reshape(num, moments * size, size, 2)
    distance = F.grid_sample(_distances()[shapes], grid, padding_mode="border", align_corners=False)
    distance = distance.reshape(num, moments, size, size)
    cover = (0.5 - distance * scene.radius[..., None, None] * size).clamp(0, 1) * scene.opacity[..., None, None]
    backdrop = backgrounds[:, None]
    frames = backdrop + cover[:, :, None] * (colors[:, None, :, None, None] - backdrop)
    return (frames * 255).round().to(torch.uint8)


def _outline(shape: str) -> Float[Tensor, "P 2"]:
    """Corners of a shape in units of its radius, in order around it."""
    if shape == "square":
        points = [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]
    elif shape == "triangle":
        points = [(1.1 * math.sin(2 * math.pi * k / 3), -1.1 * math.cos(2 * math.pi * k / 3)) for k in range(3)]
    elif shape == "star":
        reach = [1.15 if k % 2 == 0 else 0.48 for k in range(10)]
        points = [(r * math.sin(math.pi * k / 5), -r * math.cos(math.pi * k / 5)) for k, r in enumerate(reach)]
    elif shape == "cross":
        a, b = 0.34, 1.0
        points = [(-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a), (a, b), (-a, b), (-a, a), (-b, a), (-b, -a)]
        points.append((-a, -a))
    elif shape == "heart":
        turns = [2 * math.pi * k / 60 for k in range(60)]
        lobes = [13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t) for t in turns]
        points = [(math.sin(t) ** 3, -lobe / 16 - 0.1) for t, lobe in zip(turns, lobes, strict=True)]
    else:  # moon: an outer arc, and back along an inner one
        outer = [math.radians(50 + 260 * k / 40) for k in range(41)]
        tip_x, tip_y = math.cos(outer[0]), math.sin(outer[0])
        inner_x, inner_radius = 0.55, math.hypot(tip_x - 0.55, tip_y)
        opening = math.atan2(tip_y, tip_x - inner_x)
        inner = [2 * math.pi - opening - (2 * math.pi - 2 * opening) * k / 40 for k in range(1, 40)]
        points = [(math.cos(t), math.sin(t)) for t in outer]
        points += [(inner_x + inner_radius * math.cos(t), inner_radius * math.sin(t)) for t in inner]
        points = [(x + 0.25, y) for x, y in points]
    return torch.tensor(points)


def _distance_table(shape: str) -> Float[Tensor, "1 S S"]:
    """Signed distance to the outline, negative inside, in units of the radius."""
    corners = _outline(shape)
    following = corners.roll(-1, dims=0)
    axis = (torch.arange(_TABLE_SIZE) + 0.5) / _TABLE_SIZE * 2 * _TABLE_REACH - _TABLE_REACH
    point = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)[..., None, :]  # (S, S, 1, 2)
    edge = following - corners
    along = ((point - corners) * edge).sum(-1) / edge.square().sum(-1)
    distance = (point - corners - along.clamp(0, 1)[..., None] * edge).norm(dim=-1).amin(-1)
    # Even-odd rule: a ray to the right crosses the outline an odd number of times from inside.
    crosses = (corners[:, 1] > point[..., 1]) != (following[:, 1] > point[..., 1])
    rise = torch.where(edge[:, 1] == 0, 1.0, edge[:, 1])
    hit = corners[:, 0] + (point[..., 1] - corners[:, 1]) / rise * edge[:, 0]
    inside = (crosses & (point[..., 0] < hit)).sum(-1) % 2 == 1
    return torch.where(inside, -distance, distance)[None]


@cache
def _distances() -> Float[Tensor, "shapes 1 S S"]:
    """The tables of all `SHAPES`; computed when the first is drawn."""
    return torch.stack([_distance_table(shape) for shape in SHAPES])
