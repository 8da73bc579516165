"""What a part of the benchmark is: measurements, each at the largest size that fits into the memory that is free."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from prompt_video.bench.measure import Spread
from prompt_video.bench.vit_b16 import write_vit_b16

Figures = dict[str, Any]
MOST_OF_FREE = 0.9  # the rest is for what else goes on


@dataclass(frozen=True)
class Setting:
    """Where a measurement takes place.

    Args:
        device: that computes.
        folder: where measurements keep what later ones need, too.
    """

    device: torch.device
    folder: Path

    def vit_b16(self) -> Path:
        """Folder of a CLIP of ViT-B/16's shape with random weights."""
        folder = self.folder / "vit_b16"
        if not folder.exists():
            write_vit_b16(folder)
        return folder


@dataclass(frozen=True)
class Size:
    """A size that a measurement can have.

    Args:
        label: for people.
        mib: of memory that it takes at its highest, in all its processes, on the device that computes.
        seconds: that it takes on two cores of a server of 2021, or on a GPU of 2022.
        options: of the measurement's ``run``.
        quick: small enough for ``--quick``.
    """

    label: str
    mib: int
    seconds: int
    options: Mapping[str, Any] = field(default_factory=dict)
    quick: bool = False


@dataclass(frozen=True)
class Measurement:
    """Something that is measured at one size.

    Args:
        run: takes a `Setting` and the size's options, and returns figures, a `Spread` for what was timed in rounds.
        sizes: the largest first.
        on: the device it is for, if not for all; ``host``: it computes without a GPU, though there be one.
        apart: it runs in a process of its own; otherwise it starts processes itself.
    """

    run: Callable[..., Figures]
    sizes: Sequence[Size]
    on: Literal["cpu", "cuda", "any", "host"] = "any"
    apart: bool = True

    def candidates(self, device: torch.device, quick: bool) -> list[Size]:
        """Sizes that come into question, the largest first."""
        is_meant = self.on in ("any", "host", device.type)
        return [size for size in self.sizes if size.quick or not quick] if is_meant else []


def choose(candidates: Sequence[Size], free_mib: float) -> tuple[Size | None, str | None]:
    """The largest size that fits, and a sentence if that is not the first one; None if nothing fits."""
    wanted = candidates[0]
    size = next((size for size in candidates if size.mib <= MOST_OF_FREE * free_mib), None)
    if size is wanted:
        return size, None
    lack = f"{wanted.label} take {wanted.mib / 1024:.1f} GiB of memory, and {free_mib / 1024:.1f} are free"
    smallest = candidates[-1]
    if size is None and smallest is not wanted:
        lack += f"; {smallest.label} still take {smallest.mib / 1024:.1f}"
    return size, f"{lack}: left out" if size is None else f"{lack}: measured at {size.label}"


def recorded(figures: Mapping[str, Any], prefix: str = "") -> tuple[Figures, list[str]]:
    """Figures for JSON, and what is to be said of them.

    A `Spread` becomes its median, with ``<name>_range``, the lowest and the highest round, beside it.
    """
    plain: Figures = {}
    notes: list[str] = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            plain[name], more = recorded(value, f"{prefix}{name} ")
            notes += more
        elif isinstance(value, Spread):
            plain[name], lowest, highest = value.median, min(value.values), max(value.values)
            if len(value.values) > 1:
                plain[f"{name}_range"] = [lowest, highest]
            if value.is_too_wide:
                rounds = len(value.values)
                notes.append(
                    f"{prefix}{name} is between {lowest:.3g} and {highest:.3g} in {rounds} rounds: too wide to quote"
                )
        else:
            plain[name] = value
    return plain, notes
