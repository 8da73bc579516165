"""Frame features of the frozen backbone, computed once and read many times: any rows of any videos, memory-mapped.

``StoreWriter`` fills a store, ``FeatureStore`` reads it, ``pending`` says what is still to do; ``store_format`` and
`data_modules.features.shards` describe the files.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, Int, Int64, Shaped
from torch import Tensor

from data_modules.batch import BrokenVideo
from data_modules.features.manifest import MANIFEST, Recipe, open_manifest
from data_modules.features.shards import GONE, SHARDS, Shard, Stamp, check_shards, map_shard, read_shard, stamp
from data_modules.features.writer import StoreWriter
from data_modules.video.timeline import Timeline

__all__ = ["FeatureStore", "Recipe", "StoreWriter", "pending"]

TORCH_GRAIN = 32768  # at::internal::GRAIN_SIZE: from so many elements on, torch uses several threads


class StoredRows(NamedTuple):
    """One shard's features as they lie on disk, memory-mapped. V videos; a row outside of them is nobody's any more."""

    features: Shaped[np.ndarray, "M D"]
    times_sec: Float64[np.ndarray, " M"]
    video_ids: list[str]
    starts: Int64[np.ndarray, " V"]
    counts: Int64[np.ndarray, " V"]


class FeatureStore:
    """Reads a store, as it was when opened; what writers add later is seen by opening it again.

    It pickles as a path and a list of shard names: cheap to send to data loader workers, which see the same videos.

    Args:
        root: the folder.
        recipe: what the features must have been made with; None accepts any.

    Raises:
        InputError: there is no such store, it was made differently, or a file of it is damaged.
    """

    def __init__(self, root: Path, recipe: Recipe | None = None) -> None:
        self.root = Path(root)
        self.recipe = open_manifest(self.root, recipe)
        names = sorted(path.name for path in self.root.glob(SHARDS))
        check_shards(self.root, self.recipe, names)
        self._open(names)

    def check(self) -> None:
        """Read every byte again, whenever that was done before.

        Raises:
            InputError: a shard is not what was written.
        """
        check_shards(self.root, self.recipe, self._names, again=True)

    def _open(self, names: Sequence[str]) -> None:
        self._names = names
        self._maps: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._index: dict[str, int] = {}  # video -> row of the columns below
        self._broken: dict[str, tuple[BrokenVideo, Stamp]] = {}
        self._left_out: list[BrokenVideo] = []
        self._renamed: dict[str, str] = {}
        shards = [read_shard(self.root / name, self.recipe) for name in names]
        for first, shard in zip(_starts([len(shard.video_ids) for shard in shards]).tolist(), shards, strict=True):
            self._add(first, shard)
        self._num_frames = _join([shard.num_frames for shard in shards])
        self._shard = np.repeat(np.arange(len(shards)), [len(shard.video_ids) for shard in shards])
        self._offset = _join([_starts(shard.num_frames) for shard in shards])
        self._duration_sec = _join([shard.duration_sec for shard in shards]).astype(np.float64)
        self._source = (
            _join([shard.source_bytes for shard in shards]),
            _join([shard.source_mtime_ns for shard in shards]),
        )

    def _add(self, first: int, shard: Shard) -> None:
        """Enter a shard's videos; a later shard's word on a video is the one that counts."""
        if self._broken:
            for video_id in self._broken.keys() & set(shard.video_ids):
                del self._broken[video_id]
        self._index.update(zip(shard.video_ids, range(first, first + len(shard.video_ids)), strict=True))
        for video, source in shard.broken:
            self._index.pop(video.video_id, None)
            self._broken[video.video_id] = (video, source)

    def leave_out(self, videos: Iterable[BrokenVideo]) -> None:
        """From now on these are broken, whatever is stored of them; on disk nothing changes."""
        for video in videos:
            if self._index.pop(video.video_id, None) is not None:
                self._broken[video.video_id] = (video, GONE)
                self._left_out.append(video)
        for known in ("video_ids", "broken"):
            self.__dict__.pop(known, None)

    def rename(self, names: Mapping[str, str]) -> None:
        """From now on call videos otherwise: the new name of each, and the one that it was stored under."""
        rows = {name: self._index[stored] for name, stored in names.items()}
        for stored in names.values():
            del self._index[stored]
        self._index.update(rows)
        self._renamed.update(names)
        self.__dict__.pop("video_ids", None)

    def __getstate__(self) -> tuple[Path, Recipe, Sequence[str], Sequence[BrokenVideo], Mapping[str, str]]:
        return self.root, self.recipe, self._names, self._left_out, self._renamed

    def __setstate__(self, state: tuple[Path, Recipe, Sequence[str], Sequence[BrokenVideo], Mapping[str, str]]) -> None:
        self.root, self.recipe, names, left_out, renamed = state
        self._open(names)
        self.rename(renamed)
        self.leave_out(left_out)

    def __contains__(self, video_id: object) -> bool:
        return video_id in self._index

    def __len__(self) -> int:
        return len(self._index)

    @cached_property
    def video_ids(self) -> Sequence[str]:
        """All videos that have features, sorted."""
        return sorted(self._index)

    @cached_property
    def broken(self) -> dict[str, BrokenVideo]:
        """The videos that could not be used, by id."""
        return {video_id: video for video_id, (video, _) in self._broken.items()}

    def duration_sec(self, video_id: str) -> float:
        """Length of a video."""
        return float(self._duration_sec[self._row(video_id)])

    def num_frames(self, video_id: str) -> int:
        """How many frames of a video have features."""
        return int(self._num_frames[self._row(video_id)])

    def times_sec(self, video_id: str) -> Float64[np.ndarray, " N"]:
        """When each stored frame of a video is on screen, seconds from the start of the file, ascending."""
        row = self._row(video_id)
        offset = self._offset[row]
        return self._map(int(self._shard[row]))[1][offset : offset + self._num_frames[row]].copy()

    def source(self, video_id: str) -> Stamp:
        """Size in bytes and time of change in ns of the file that was read."""
        if video_id in self._broken:
            return self._broken[video_id][1]
        row = self._row(video_id)
        return int(self._source[0][row]), int(self._source[1][row])

    def rows_at(self, video_id: str, moments_sec: Float[np.ndarray, " T"]) -> Int[np.ndarray, " T"]:
        """Which stored frame is on screen at each moment, by the rule that decoding has too."""
        timeline = Timeline(self.times_sec(video_id), self.duration_sec(video_id))
        return timeline.on_screen(moments_sec.astype(np.float64))

    def read(self, video_id: str, rows: Int[np.ndarray, " T"] | None = None) -> Float[Tensor, "T D"]:
        """Features of some frames of a video, or of all, as a float32 copy."""
        return self.gather([(video_id, np.arange(self.num_frames(video_id)) if rows is None else rows)])

    def gather(self, requests: Sequence[tuple[str, Int[np.ndarray, " _"]]]) -> Float[Tensor, "M D"]:
        """Rows of many videos in one call, one request after another, as a float32 copy.

        Raises:
            IndexError: a row is not one of its video's.
        """
        videos = np.array([self._row(video_id) for video_id, _ in requests], dtype=np.int64)
        counts = [len(rows) for _, rows in requests]
        rows = _join([rows for _, rows in requests]).astype(np.int64)
        outside = (rows < 0) | (rows >= np.repeat(self._num_frames[videos], counts))
        if outside.any():
            video_id = requests[int(np.repeat(np.arange(len(counts)), counts)[outside][0])][0]
            raise IndexError(f"video {video_id!r} has {self.num_frames(video_id)} rows, none is row {rows[outside][0]}")
        rows = rows + np.repeat(self._offset[videos], counts)
        taken = np.empty((len(rows), self.recipe.dim), self.recipe.dtype)
        stop = 0
        for shard, count in zip(self._shard[videos].tolist(), counts, strict=True):
            start, stop = stop, stop + count
            # "clip", since numpy copies twice where it has to check the rows, which was done above.
            np.take(self._map(shard)[0], rows[start:stop], axis=0, out=taken[start:stop], mode="clip")
        return _to_float32(torch.from_numpy(taken))

    @property
    def shard_names(self) -> Sequence[str]:
        """The files, in the order in which they count; none is ever changed."""
        return self._names

    def shards(self) -> Iterator[StoredRows]:
        """Everything, without a copy: for going through all features of all videos."""
        video_ids, rows = list(self._index), np.fromiter(self._index.values(), np.int64, len(self._index))
        for number in range(len(self._names)):
            own = np.flatnonzero(self._shard[rows] == number)
            names = [video_ids[place] for place in own.tolist()]
            yield StoredRows(*self._map(number), names, self._offset[rows[own]], self._num_frames[rows[own]])

    def _row(self, video_id: str) -> int:
        try:
            return self._index[video_id]
        except KeyError:
            raise KeyError(f"the feature store {self.root} has no features of video {video_id!r}") from None

    def _map(self, shard: int) -> tuple[np.ndarray, np.ndarray]:
        if shard not in self._maps:
            self._maps[shard] = map_shard(self.root / self._names[shard])
        return self._maps[shard]


def _to_float32(kept: Float[Tensor, "M D"]) -> Float[Tensor, "M D"]:
    """In pieces too small for torch to share among threads: waiting for a busy core costs far more than it gains."""
    if kept.dtype == torch.float32:
        return kept
    result = torch.empty(kept.shape)
    num_rows = max(1, (TORCH_GRAIN - 1) // kept.shape[1])
    for start in range(0, len(kept), num_rows):
        result[start : start + num_rows] = kept[start : start + num_rows]
    return result


def _join(columns: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(columns) if columns else np.empty(0, dtype=np.int64)


def _starts(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """Where each of several pieces begins, laid one after another."""
    return np.cumsum(lengths, dtype=np.int64) - np.asarray(lengths, dtype=np.int64)


def pending(root: Path, recipe: Recipe, wanted: Iterable[tuple[str, Path]]) -> list[str]:
    """The videos that are still to be extracted: those not in the store, and those whose file has changed.

    A broken video is tried again only once its file has changed. One that has features and no file any more is left as
    it is: the file may come back, and until then `FeatureStore.leave_out` is for it.

    Args:
        root: the store's folder, which need not exist yet.
        recipe: what the features are to be made with.
        wanted: id and file of each video.

    Raises:
        InputError: as ``FeatureStore``.
    """
    videos = dict(wanted)
    if not (root / MANIFEST).exists():
        return list(videos)
    store = FeatureStore(root, recipe)
    todo = []
    for video_id, path in videos.items():
        has_features, is_broken = video_id in store, video_id in store.broken
        if (now := stamp(path)) == GONE and has_features:
            continue
        if not (has_features or is_broken) or store.source(video_id) != now:
            todo.append(video_id)
    return todo
