"""What a feature store is on disk: a manifest that names the recipe, and shards that each describe themselves.

A shard is one safetensors file holding many whole videos. Its tensors: ``features`` (M, D), the frames of all its
videos one after another; ``time_sec`` (M,), when each is on screen; and one row a video in ``num_frames``,
``duration_sec``, ``source_bytes`` and ``source_mtime_ns``. Its metadata: ``video_ids`` in the same order, and
``broken``. Shards appear whole or not at all, and none is ever changed: of two that hold the same video, the one whose
name sorts later counts.
"""

import dataclasses
import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from data_modules.batch import BrokenVideo
from data_modules.errors import InputError

log = logging.getLogger(__name__)

VERSION = 1
MANIFEST = "manifest.json"
SHARDS = "shard-*.safetensors"

COLUMNS = ("num_frames", "duration_sec", "source_bytes", "source_mtime_ns")

Stamp = tuple[int, int]  # size in bytes and time of change in ns of a video file
GONE: Stamp = (-1, -1)

IMPORTED = "imported, not made here"  # the transform of features that came as files


@dataclass(frozen=True)
class Recipe:
    """What the features of a store were made with.

    Args:
        clip_name: the CLIP, as a person says it; may differ where the fingerprint agrees.
        clip_fingerprint: hash of its weights.
        dim: D, numbers per frame.
        frame_rate: frames encoded per second; None: every frame of the file.
        transform: what was done to the pixels, in words.
        dtype: how the numbers are kept.
        clip_dtype: what CLIP computed in: features of half precision are 0.07 away from those of float32.
    """

    clip_name: str
    clip_fingerprint: str
    dim: int
    frame_rate: float | None
    transform: str
    dtype: Literal["float16", "float32"] = "float16"
    clip_dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    def key(self) -> str:
        """Eight hex characters for folder names; CLIP counts by its weights, not by its name."""
        fields = json.dumps({**self.fields(), "clip_name": ""}, sort_keys=True)
        return hashlib.sha256(fields.encode()).hexdigest()[:8]

    def differences(self, other: "Recipe") -> list[str]:
        """One line for each field in which a run (``other``) asks for something else than the store (this) has."""
        ours, asked = ({**recipe.fields(), "clip_dtype": recipe.clip_dtype} for recipe in (self, other))
        if self.clip_fingerprint == other.clip_fingerprint:
            asked["clip_name"] = ours["clip_name"]
        return [
            f"{name}: the store has {_say(ours[name])}, this run asks for {_say(asked[name])}"
            for name in ours
            if ours[name] != asked[name]
        ]

    def fields(self) -> dict[str, str | int | float]:
        """As they stand in the manifest."""
        rate = "native" if self.frame_rate is None else float(self.frame_rate)
        fields = {"version": VERSION, **dataclasses.asdict(self), "frame_rate": rate}
        if self.clip_dtype == "float32":
            del fields["clip_dtype"]  # which stores did not name while there was no other
        return fields


def _say(value: str | int | float) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def read_manifest(root: Path) -> Recipe:
    """The recipe of a store.

    Raises:
        InputError: there is no store, or its manifest is damaged or of another version.
    """
    path = root / MANIFEST
    if not path.is_file():
        what = f"is not a feature store: it has no {MANIFEST}" if root.is_dir() else "does not exist"
        raise InputError(f"feature store {root} {what}. Extract the features first, or correct the path.")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        version, rate = fields.pop("version"), fields.pop("frame_rate")
        if version != VERSION:
            raise InputError(
                f"feature store {root} has store version {version}, this program reads version {VERSION}. "
                "Extract the features again into another folder, or use the program that made them."
            )
        recipe = Recipe(**fields, frame_rate=None if rate == "native" else float(rate))
        texts = (recipe.clip_name, recipe.clip_fingerprint, recipe.transform)
        if not (isinstance(recipe.dim, int) and all(isinstance(text, str) for text in texts)):
            raise ValueError("a field has the wrong type")
        if recipe.dtype not in ("float16", "float32"):
            raise ValueError(f"dtype is {recipe.dtype!r}")
        if recipe.clip_dtype not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"clip_dtype is {recipe.clip_dtype!r}")
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file leads to, the type checker of the tests included
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path} is damaged ({reason}). Restore it, or delete {root} and extract again.") from error
    return recipe


def open_manifest(root: Path, recipe: Recipe | None, *, to_write: bool = False) -> Recipe:
    """The recipe of a store, held against the one that a run asks for.

    Of imported features nobody knows what was done to the pixels: they may be read by a run that asks for anything
    there, but features that are made here must not be written among them. So it is with features of float32, which a
    run in half precision may read: none are more exact.

    Args:
        root: folder of the store.
        recipe: what is asked for; None accepts any.
        to_write: whether features are to be added.

    Raises:
        InputError: as ``read_manifest``, or the recipes differ.
    """
    stored = read_manifest(root)
    if recipe is not None and stored.transform == IMPORTED != recipe.transform and not to_write:
        log.info("the features in %s were imported: how the videos' frames were cropped for them is not known", root)
        recipe = replace(recipe, transform=IMPORTED)
    if recipe is not None and stored.clip_dtype == "float32" != recipe.clip_dtype and not to_write:
        log.info("CLIP computed the features in %s in float32, and computes in %s here", root, recipe.clip_dtype)
        recipe = replace(recipe, clip_dtype="float32")
    if recipe is not None and (differences := stored.differences(recipe)):
        lines = "\n  ".join(differences)
        raise InputError(
            f"the features in {root} were not made with what this run asks for:\n  {lines}\n"
            "Use another folder for this run's features, or set these options to what the store has."
        )
    return stored


def stamp(path: Path) -> Stamp:
    """Size and time of change of a video file, by which a changed one is known; ``GONE`` if there is none."""
    try:
        status = path.stat()
    except OSError:
        return GONE
    return status.st_size, status.st_mtime_ns


class Shard(NamedTuple):
    """Everything in a shard but the frames themselves. V videos."""

    video_ids: list[str]
    num_frames: Int64[np.ndarray, " V"]
    duration_sec: Float64[np.ndarray, " V"]
    source_bytes: Int64[np.ndarray, " V"]
    source_mtime_ns: Int64[np.ndarray, " V"]
    broken: list[tuple[BrokenVideo, Stamp]]


def write_shard(path: Path, shard: Shard, features: Float[Tensor, "M D"], time_sec: Float64[np.ndarray, " M"]) -> None:
    """Write one shard; not atomic by itself."""
    tensors = {
        "features": features,
        "time_sec": torch.from_numpy(time_sec),
        **{name: torch.from_numpy(getattr(shard, name)) for name in COLUMNS},
    }
    broken = [[*dataclasses.astuple(video), *source] for video, source in shard.broken]
    # json escapes whatever is not ASCII, so that even file names that are not valid unicode survive.
    metadata = {"video_ids": json.dumps(shard.video_ids), "broken": json.dumps(broken)}
    # Not `save_file`, which writes to a temporary name of its own (left behind by a kill) that only its owner may read.
    path.write_bytes(save(tensors, metadata))


def read_shard(path: Path, recipe: Recipe) -> Shard:
    """The index of one shard; the frames are not touched.

    Raises:
        InputError: the file is damaged. It is not skipped, since a run would silently go on without its videos.
    """
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata()
            shape = file.get_slice("features").get_shape()
            columns = {name: file.get_tensor(name) for name in COLUMNS}
        video_ids = json.loads(metadata["video_ids"])
        broken = [(BrokenVideo(*entry[:3]), (entry[3], entry[4])) for entry in json.loads(metadata["broken"])]
        lengths = {len(video_ids), *(len(column) for column in columns.values())}
        if len(lengths) > 1 or shape != [columns["num_frames"].sum(), recipe.dim]:
            raise ValueError("its index does not fit its features")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{path} is damaged ({error}). If it was copied here, copy it again; otherwise delete it, and the next "
            "extraction makes its videos again."
        ) from error
    return Shard(video_ids, **columns, broken=broken)


def map_shard(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features (M, D) and times (M,) of a shard, memory-mapped: only the rows that are looked at are ever read."""
    with safe_open(path, "pt") as file:  # torch's map keeps no file open, so thousands of shards do no harm
        return file.get_tensor("features").numpy(), file.get_tensor("time_sec").numpy()
