"""The files of a built-in world: rendered when they are first asked for, and the same ones each time."""

import json
import logging
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from jaxtyping import UInt8
from torch import Tensor

from data_modules.errors import InputError
from data_modules.files.atomic import remove_leftovers, write_whole
from data_modules.loading.processes import in_processes
from data_modules.modules.base import VideoDataModule
from data_modules.protocols.trial import SPLITS, Split
from data_modules.synthetic.rendering import write_mp4

log = logging.getLogger(__name__)


class Script(ABC):
    """What a video of the world shows."""

    @abstractmethod
    def frames(self) -> Iterable[UInt8[Tensor, "T 3 S S"]]:
        """The frames of the video, some at a time, so that a video of any length fits in memory."""


class World(VideoDataModule):
    """A data set whose videos are rendered when they are first asked for."""

    version: ClassVar[int]  # raised where the same seed would no longer give the same files
    videos_are: ClassVar[str] = ""  # what sets it apart from worlds of other videos
    counts: Mapping[Split, int]  # videos of each split; of a world of classes of each class
    world_seed: int

    @abstractmethod
    def files(self, split: Split) -> Iterable[tuple[Path, Script]]:
        """All videos of a split, and what each of them shows."""

    def told(self) -> Mapping[str, str]:
        """What is written beside the videos: contents by name."""
        return {}

    def prepare_data(self) -> None:
        """Render what is missing, and write what is told of it."""
        videos = {"videos": self.videos_are} if self.videos_are else {}
        world = {"version": self.version, "seed": self.world_seed, **videos}
        render_missing(self.root, world, (file for split in SPLITS for file in self.files(split)))
        for name, text in self.told().items():
            _write_beside(self.root / name, text)


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
    for folder in {path.parent for path, _ in missing}:
        remove_leftovers(folder)
    workers = min(os.cpu_count() or 1, 8) if len(missing) > 100 else 0
    deque(in_processes(_render, missing, workers), maxlen=0)


def _write_beside(path: Path, text: str) -> None:
    """Write it where it does not stand there already."""
    if not path.exists() or path.read_text() != text:
        write_whole(path, lambda partial: partial.write_text(text))


def _render(video: tuple[Path, Script]) -> None:
    path, script = video
    write_mp4(script.frames(), path)
