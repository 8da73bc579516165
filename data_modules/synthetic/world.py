"""The files of a built-in world: rendered when they are first asked for, and the same ones each time."""

import json
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
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
        """The frames of the video, some at a time, so that a video of any length fits in memory."""


def render_missing(root: Path, world: Mapping[str, object], videos: Iterable[tuple[Path, Script]]) -> None:
    """Render what is not there yet; a killed rendering goes on where it stopped.

    Args:
        root: folder of the world.
        world: what all its files depend on besides their own scripts.
        videos: all its files, and what each of them shows.

    Raises:
        InputError: when the folder holds another world.
    """
    marker = root / "world.json"
    if marker.exists():
        if (other := json.loads(marker.read_text())) != world:
            raise InputError(f"{root} holds another world ({other}) than asked for ({world}); name another data.root.")
    else:
        root.mkdir(parents=True, exist_ok=True)
        write_whole(marker, lambda path: path.write_text(json.dumps(world)))
    missing = [(path, script) for path, script in videos if not path.exists()]
    if not missing:
        return
    log.info("rendering %d videos to %s", len(missing), root)
    workers = min(os.cpu_count() or 1, 8) if len(missing) > 100 else 0
    for _ in DataLoader(_Renderings(missing), batch_size=None, num_workers=workers):
        pass


def write_beside(path: Path, text: str) -> None:
    """Write what is told of the videos of a world, where it is not told already."""
    if not path.exists() or path.read_text() != text:
        write_whole(path, lambda partial: partial.write_text(text))


class _Renderings(Dataset[int]):
    """Renders as it is iterated: a loader's workers are a pool that every platform here starts safely and fast."""

    def __init__(self, videos: Sequence[tuple[Path, Script]]) -> None:
        self.videos = videos

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> int:
        path, script = self.videos[index]
        write_mp4(script.frames(), path)
        return index
