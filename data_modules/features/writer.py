"""Fills a feature store, from one process or from many at once."""

import errno
import os
import tempfile
import time
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_modules.batch import BrokenVideo
from data_modules.errors import InputError
from data_modules.features.manifest import MANIFEST, Recipe, new_manifest, open_manifest
from data_modules.features.shards import SHARDS, Shard, Stamp, run_of, stamp, write_shard
from data_modules.files.atomic import remove_leftovers, write_whole

MAX_SHARD_BYTES = 128 * 2**20
MAX_PENDING_SEC = 60.0


class StoreWriter:
    """Adds videos to a store; each process has one of its own, and they need not know each other.

    Videos wait in memory until a shard is full or has waited a minute, so that a kill costs about a minute's work. A
    video that is added again takes the place of what the store had. Use it in a ``with`` block: what is waiting is
    written at its end, after an error too.

    Args:
        root: the folder; made if need be.
        recipe: what the features are made with.
        rank: of this process.
        max_shard_bytes: a shard is written once its features take this much.
        max_pending_sec: or once its first video has waited this long.

    Raises:
        InputError: the folder holds features that were made differently, or cannot be written to.
    """

    def __init__(
        self,
        root: Path,
        recipe: Recipe,
        rank: int = 0,
        max_shard_bytes: int = MAX_SHARD_BYTES,
        max_pending_sec: float = MAX_PENDING_SEC,
    ) -> None:
        self.root = Path(root)
        self.recipe = recipe
        self.max_shard_bytes = max_shard_bytes
        self.max_pending_sec = max_pending_sec
        _create_manifest(self.root, recipe)
        open_manifest(self.root, recipe, to_write=True)
        remove_leftovers(self.root)
        # Names sort in the order in which shards count: a later run's after an earlier's, whatever the clocks say.
        runs = [run_of(path) for path in self.root.glob(SHARDS)]
        self._prefix = f"shard-{max(runs, default=0) + 1:06d}-{rank:05d}-{os.urandom(4).hex()}"
        self._num_written = 0
        self._clear()

    def _clear(self) -> None:
        self._videos: dict[str, tuple[Tensor, np.ndarray, float, Stamp]] = {}
        self._broken: dict[str, tuple[BrokenVideo, Stamp]] = {}
        self._num_bytes = 0
        self._since = time.monotonic()

    def add(
        self,
        video_id: str,
        features: Float[Tensor, "N D"],
        times_sec: Float[np.ndarray, " N"] | Float[Tensor, " N"],
        duration_sec: float,
        path: Path,
    ) -> None:
        """Add a video.

        Args:
            video_id: its name in the store.
            features: one row a frame; copied.
            times_sec: when each frame is on screen, seconds from the video's first frame, ascending.
            duration_sec: of the whole video.
            path: its file, whose size and time of change are noted.

        Raises:
            InputError: a feature is not finite, or too large for float16; or the length is none.
            ValueError: no frames, another dim than the recipe's, or times that do not ascend.
        """
        kept = features.detach().to("cpu", getattr(torch, self.recipe.dtype), copy=True).contiguous()
        times = torch.as_tensor(times_sec).to("cpu", torch.float64, copy=True).numpy()
        if kept.shape != (len(times), self.recipe.dim) or not len(times):
            raise ValueError(
                f"video {video_id!r}: features {tuple(kept.shape)}, {len(times)} times, {self.recipe.dim=}"
            )
        if not (np.isfinite(times).all() and (np.diff(times) >= 0).all()):
            raise ValueError(f"video {video_id!r}: the frame times are not finite and ascending")
        if not 0 <= duration_sec < np.inf:
            raise InputError(f"video {video_id!r} ({path}) has a length of {duration_sec} s; it is not stored")
        if not kept.isfinite().all():
            what = f"too large for {self.recipe.dtype}" if features.isfinite().all() else "not finite"
            raise InputError(f"video {video_id!r} ({path}) has features that are {what}; they are not stored")
        self._make_room(video_id)
        self._videos[video_id] = (kept, times, duration_sec, stamp(path))
        self._num_bytes += kept.nbytes
        self._flush_if_due()

    def add_broken(self, video: BrokenVideo) -> None:
        """Note a video that cannot be used, so that later runs do not try it again until its file changes."""
        self._make_room(video.video_id)
        self._broken[video.video_id] = (video, stamp(Path(video.path)))
        self._flush_if_due()

    def _make_room(self, video_id: str) -> None:
        if video_id in self._videos or video_id in self._broken:
            self.flush()  # of one video a shard has one entry
        if not self._videos and not self._broken:
            self._since = time.monotonic()

    def _flush_if_due(self) -> None:
        if self._num_bytes >= self.max_shard_bytes or time.monotonic() - self._since >= self.max_pending_sec:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting, as one shard; it is on disk when this returns."""
        if not self._videos and not self._broken:
            return
        videos = list(self._videos.values())
        sources = [source for *_, source in videos]
        shard = Shard(
            video_ids=list(self._videos),
            num_frames=np.array([len(times) for _, times, _, _ in videos], dtype=np.int64),
            duration_sec=np.array([duration for _, _, duration, _ in videos], dtype=np.float64),
            source_bytes=np.array([size for size, _ in sources], dtype=np.int64),
            source_mtime_ns=np.array([mtime for _, mtime in sources], dtype=np.int64),
            broken=list(self._broken.values()),
        )
        empty = torch.empty(0, self.recipe.dim, dtype=getattr(torch, self.recipe.dtype))
        features = torch.cat([empty, *(features for features, *_ in videos)])
        times = np.concatenate([np.empty(0), *(times for _, times, *_ in videos)])
        write_shard(self.root, f"{self._prefix}-{self._num_written:06d}", self.recipe, shard, features, times)
        self._num_written += 1
        self._clear()

    def close(self) -> None:
        """Write what is waiting."""
        self.flush()

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _create_manifest(root: Path, recipe: Recipe) -> None:
    """Write the manifest unless there is one; several processes may race, and the first wins."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):  # a store that is there may lie on a disk that is read-only
            pass
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = f"frame features cannot be kept in {root}: {error.strerror}"
        raise InputError(f"{reason}. Name another place for them (features_root).") from error
    text = new_manifest(recipe)
    if not (root / MANIFEST).exists():
        write_whole(root / MANIFEST, lambda path: path.write_text(text, encoding="utf-8"), replace=False)
