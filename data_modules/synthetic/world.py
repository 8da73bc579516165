"""The files of a built-in world: rendered when they are first asked for, and the same ones each time."""

import json
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from data_modules.errors import InputError
from data_modules.files.atomic import write_whole
from data_modules.synthetic.rendering import write_mp4

log = logging.getLogger(__name__)


class Script(ABC):
    """What a video of the world shows."""

    @abstractmethod
    def frames(self) -> Iterable[UInt8[Tensor, "T 3 S S"]]:
        """Its frames, some at a time."""


@dataclass(frozen=True)
class Rendering:
    """One file to be."""

    path: Path
    script: Script


def render_missing(root: Path, world: Mapping[str, object], renderings: Sequence[Rendering]) -> None:
    """Render what is not there yet; a killed rendering goes on where it stopped.

    Args:
        root: folder of the world.
        world: what all its files depend on besides their own scripts.
        renderings: all its files.

    Raises:
        InputError: when the folder holds another world.
    """
    marker = root / "world.json"
    if marker.exists():
        if (found := json.loads(marker.read_text())) != world:
            raise InputError(f"{root} holds another world ({found}) than asked for ({world}); name another data.root.")
    else:
        root.mkdir(parents=True, exist_ok=True)
        write_whole(marker, lambda path: path.write_text(json.dumps(world)))
    missing = [rendering for rendering in renderings if not rendering.path.exists()]
    if not missing:
        return
    log.info("rendering %d videos to %s", len(missing), root)
    workers = min(os.cpu_count() or 1, 8) if len(missing) > 100 else 0
    for _ in DataLoader(_Renderings(missing), batch_size=None, num_workers=workers):
        pass


class _Renderings(Dataset[int]):
    """Renders as it is iterated: a loader's workers are a pool that every platform here starts safely and fast."""

    def __init__(self, renderings: Sequence[Rendering]) -> None:
        self.renderings = renderings

    def __len__(self) -> int:
        return len(self.renderings)

    def __getitem__(self, index: int) -> int:
        rendering = self.renderings[index]
        write_mp4(rendering.script.frames(), rendering.path)
        return index
