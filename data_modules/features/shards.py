"""The shards of a feature store: what is in one, and that it is still what was written.

A shard is one safetensors file holding many whole videos. Its tensors: ``features`` (M, D), the frames of all its
videos one after another; ``time_sec`` (M,), when each is on screen; and one row a video in ``num_frames``,
``duration_sec``, ``source_bytes`` and ``source_mtime_ns``. Its metadata: ``video_ids`` in the same order, and
``broken``. Shards appear whole or not at all, and none is ever changed: of two that hold the same video, the one whose
name sorts later counts.

The last part of a shard's name is a checksum of its bytes, of the rest of its name, and of the store's recipe and id: a
shard that is damaged, renamed, or of another store is seen. Which ones were found to be sound stands in
``checked.json``, so that each is read for this once, and again when its file changes.
"""

import dataclasses
import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from data_modules.batch import BrokenVideo
from data_modules.errors import InputError
from data_modules.features.manifest import Recipe, store_id
from data_modules.files.atomic import write_whole
from data_modules.files.regular_files import why_not_a_file

SHARDS = "shard-*.safetensors"
CHECKED = "checked.json"
_NAME = re.compile(r"shard-(\d{6})-\d{5}-[0-9a-f]{8}-\d{6}-([0-9a-f]{8})\.safetensors")
_PIECE_BYTES = 8 << 20

COLUMNS = {"num_frames": np.int64, "duration_sec": np.float64, "source_bytes": np.int64, "source_mtime_ns": np.int64}

Stamp = tuple[int, int]  # size in bytes and time of change in ns of a video file
GONE: Stamp = (-1, -1)


def stamp(path: Path) -> Stamp:
    """Size and time of change of a video file, by which a changed one is known; ``GONE`` if there is no such file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return GONE
    return (status.st_size, status.st_mtime_ns) if S_ISREG(status.st_mode) else GONE


class Shard(NamedTuple):
    """Everything in a shard but the frames themselves. V videos."""

    video_ids: list[str]
    num_frames: Int64[np.ndarray, " V"]
    duration_sec: Float64[np.ndarray, " V"]
    source_bytes: Int64[np.ndarray, " V"]
    source_mtime_ns: Int64[np.ndarray, " V"]
    broken: list[tuple[BrokenVideo, Stamp]]


def run_of(path: Path) -> int:
    """The number in a shard's name that later runs have a higher one of.

    Raises:
        InputError: it is not called as a shard is.
    """
    if not (match := _NAME.fullmatch(path.name)):
        raise InputError(
            f"{path} is not called as a shard of a feature store is; was it renamed, or is it of an older program? "
            "Take it out of the folder, and the next extraction makes its videos again."
        )
    return int(match[1])


def write_shard(
    root: Path,
    prefix: str,
    recipe: Recipe,
    shard: Shard,
    features: Float[Tensor, "M D"],
    time_sec: Float64[np.ndarray, " M"],
) -> None:
    """Write one shard; it is on disk, whole, when this returns.

    Args:
        root: folder of the store.
        prefix: of its name, up to the checksum.
        recipe: of the store.
        shard: its index.
        features: of all its videos.
        time_sec: of all its frames.
    """
    tensors = {
        "features": features,
        "time_sec": torch.from_numpy(time_sec),
        **{name: torch.from_numpy(getattr(shard, name)) for name in COLUMNS},
    }
    broken = [[*dataclasses.astuple(video), *source] for video, source in shard.broken]
    # json escapes whatever is not ASCII, so that even file names that are not valid unicode survive.
    metadata = {"video_ids": json.dumps(shard.video_ids), "broken": json.dumps(broken)}
    # Not `save_file`, which writes to a temporary name of its own (left behind by a kill) that only its owner may read.
    content = save(tensors, metadata)
    name = f"{prefix}-{zlib.crc32(content, _seed(_key(root, recipe), prefix)):08x}.safetensors"
    write_whole(root / name, lambda path: path.write_bytes(content))


def read_shard(path: Path, recipe: Recipe) -> Shard:
    """The index of one shard; the frames are not touched.

    Raises:
        InputError: the file is damaged. It is not skipped, since a run would silently go on without its videos.
    """
    try:
        _must_be_file(path)
        with safe_open(path, "numpy") as file:
            metadata = file.metadata()
            shape, kind = (getattr(file.get_slice("features"), f"get_{what}")() for what in ("shape", "dtype"))
            times = file.get_slice("time_sec")
            columns = {name: file.get_tensor(name) for name in COLUMNS}
            if kind != {"float16": "F16", "float32": "F32"}[recipe.dtype] or times.get_dtype() != "F64":
                raise ValueError("its numbers are of another type")
        shard = Shard(json.loads(metadata["video_ids"]), **columns, broken=_read_broken(metadata["broken"]))
        _check_index(shard)
        total = int(shard.num_frames.sum())
        if shape != [total, recipe.dim] or times.get_shape() != [total]:
            raise ValueError("its index does not fit its features")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise damaged(path, str(error)) from error
    return shard


def damaged(path: Path, reason: str) -> InputError:
    """What to say of a shard that cannot be read."""
    return InputError(
        f"{path} is damaged ({reason}). If it was copied here, copy it again; otherwise delete it, and the next "
        "extraction makes its videos again."
    )


def _read_broken(text: str) -> list[tuple[BrokenVideo, Stamp]]:
    broken = []
    for video_id, path, reason, size, mtime_ns in json.loads(text):
        texts, numbers = (video_id, path, reason), (size, mtime_ns)
        if not (all(isinstance(one, str) for one in texts) and all(type(one) is int for one in numbers)):
            raise ValueError("its list of broken videos has the wrong types")
        broken.append((BrokenVideo(*texts), numbers))
    return broken


def _check_index(shard: Shard) -> None:
    """Types and ranges of an index: a checksum tells damage, and not what another program writes.

    Raises:
        ValueError: a column is not as it should be.
    """
    ids = [*shard.video_ids, *(video.video_id for video, _ in shard.broken)]
    if not isinstance(shard.video_ids, list) or not all(isinstance(video_id, str) for video_id in ids):
        raise ValueError("its ids are no texts")
    if len(set(ids)) < len(ids):
        raise ValueError("it names a video twice")
    for name, kind in COLUMNS.items():
        column: np.ndarray = getattr(shard, name)
        if column.shape != (len(shard.video_ids),) or column.dtype != kind:
            raise ValueError(f"its column {name} is not as it should be")
    if len(ids) and ((shard.num_frames < 1).any() or not _is_length(shard.duration_sec)):
        raise ValueError("a video has no frames, or no length")


def _is_length(seconds: Float64[np.ndarray, " V"]) -> bool:
    return bool((np.isfinite(seconds) & (seconds >= 0)).all())


def map_shard(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features (M, D) and times (M,) of a shard, memory-mapped: only the rows that are looked at are ever read.

    Raises:
        InputError: the file was taken away or damaged since its index was read.
    """
    try:
        with safe_open(path, "pt") as file:  # torch's map keeps no file open, so thousands of shards do no harm
            return file.get_tensor("features").numpy(), file.get_tensor("time_sec").numpy()
    except (SafetensorError, OSError) as error:
        raise damaged(path, str(error)) from error


def check_shards(root: Path, recipe: Recipe, names: Sequence[str], *, again: bool = False) -> None:
    """Hold shards against the checksums in their names: those that were not yet, or have changed since.

    Args:
        root: folder of the store.
        recipe: of the store.
        names: of the shards.
        again: all of them, whatever was found before.

    Raises:
        InputError: one is damaged, of another store, or not called as it was.
    """
    try:
        known: object = {} if again else json.loads((root / CHECKED).read_text(encoding="utf-8"))
        known = known if isinstance(known, dict) else {}
    except (OSError, ValueError, RecursionError):  # written anew
        known = {}
    state = {}
    key = _key(root, recipe)
    for name in names:
        run_of(root / name)
        try:
            _must_be_file(root / name)
            status = (root / name).stat()
            # The time at which the file was touched in any way, which no program can set.
            state[name] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
            if known.get(name) != state[name]:
                _check(root / name, key)
        except OSError as error:
            raise damaged(root / name, str(error)) from error
    if state != known:
        try:
            write_whole(root / CHECKED, lambda path: path.write_text(json.dumps(state), encoding="utf-8"))
        except OSError:  # of somebody else: then they are read each time
            return


def _check(path: Path, key: str) -> None:
    prefix, _, rest = path.name.rpartition("-")
    checksum = _seed(key, prefix)
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            checksum = zlib.crc32(piece, checksum)
    if f"{checksum:08x}.safetensors" != rest:
        raise damaged(path, "its checksum differs: it is not what was written, or of another store")


def _key(root: Path, recipe: Recipe) -> str:
    return f"{store_id(root)}/{recipe.key()}"


def _seed(key: str, prefix: str) -> int:
    return zlib.crc32(f"{key}/{prefix}".encode())


def _must_be_file(path: Path) -> None:
    if reason := why_not_a_file(path):
        raise OSError(reason)
