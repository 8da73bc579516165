"""What the features of a store were made with: its manifest, which must fit what a run asks for.

The features themselves are in shards beside it, see `data_modules.features.shards`.
"""

import dataclasses
import hashlib
import json
import logging
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from data_modules.errors import InputError

log = logging.getLogger(__name__)

# Of the files, and of how videos are read: a store of features that would come out differently today is another store.
# 1 knew neither pixels that are not square nor sound before the first frame.
VERSION = 2
MANIFEST = "manifest.json"
_ID_BYTES = 8

Precision = Literal["float32", "bfloat16", "float16"]

# As stores of before say it, whose manifests are read and whose folders are found as ever.
FORMERLY = {"backbone_name": "clip_name", "backbone_fingerprint": "clip_fingerprint", "backbone_dtype": "clip_dtype"}

IMPORTED = "imported, not made here"  # the transform of features that came as files


@dataclass(frozen=True)
class Recipe:
    """What the features of a store were made with.

    Args:
        backbone_name: the frozen model, as a person says it; may differ where the fingerprint agrees.
        backbone_fingerprint: hash of its weights.
        dim: D, numbers per frame.
        frame_rate: frames encoded per second; None: every frame of the file.
        transform: what was done to the pixels, in words.
        dtype: how the numbers are kept.
        backbone_dtype: what it computed in: features of half precision are 0.07 away from those of float32.
    """

    backbone_name: str
    backbone_fingerprint: str
    dim: int
    frame_rate: float | None
    transform: str
    dtype: Literal["float16", "float32"] = "float16"
    backbone_dtype: Precision = "float32"

    def key(self) -> str:
        """Eight hex characters for folder names; the backbone counts by its weights, not by its name."""
        fields = {**self.fields(), "backbone_name": ""}
        formerly = json.dumps({FORMERLY.get(name, name): value for name, value in fields.items()}, sort_keys=True)
        return hashlib.sha256(formerly.encode()).hexdigest()[:8]

    def differences(self, other: "Recipe") -> list[str]:
        """One line for each field in which a run (``other``) asks for something else than the store (this) has."""
        ours, requested = self.fields(), other.fields()
        if self.backbone_fingerprint == other.backbone_fingerprint:
            requested["backbone_name"] = ours["backbone_name"]
        return [
            f"{name}: the store has {_say(ours[name])}, this run asks for {_say(requested[name])}"
            for name in ours
            if ours[name] != requested[name]
        ]

    def fields(self) -> dict[str, str | int | float]:
        """As they stand in the manifest."""
        rate = "native" if self.frame_rate is None else float(self.frame_rate)
        return {"version": VERSION, **dataclasses.asdict(self), "frame_rate": rate}


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
        if (version := fields["version"]) != VERSION:
            raise InputError(
                f"feature store {root} has store version {version}, this program reads version {VERSION}. "
                "Make it again in another folder, or use the program that made it."
            )
        today = {former: name for name, former in FORMERLY.items()}
        return _recipe_of({today.get(name, name): value for name, value in fields.items()})
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file leads to, the type checker of the tests included
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path} is damaged ({reason}). Restore it, or delete {root} and make it again.") from error


def new_manifest(recipe: Recipe) -> str:
    """The text of a new store's manifest, with an id of its own: shards of another store are none of this one's."""
    return json.dumps({**recipe.fields(), "id": os.urandom(_ID_BYTES).hex()}, indent=2) + "\n"


def store_id(root: Path) -> str:
    """What tells a store from all others; its manifest must be there."""
    return str(json.loads((root / MANIFEST).read_text(encoding="utf-8"))["id"])


def _recipe_of(fields: dict[str, Any]) -> Recipe:
    """What a manifest says.

    Raises:
        ValueError: a field is missing, unknown, or not what it should be.
    """
    kinds: dict[str, Callable[[object], bool]] = {
        "version": lambda value: value == VERSION,
        "id": lambda value: isinstance(value, str) and len(value) == 2 * _ID_BYTES,
        "backbone_name": lambda value: isinstance(value, str),
        "backbone_fingerprint": lambda value: isinstance(value, str),
        "dim": lambda value: type(value) is int and value >= 1,
        "frame_rate": lambda value: value == "native" or (type(value) is float and 0 < value < math.inf),
        "transform": lambda value: isinstance(value, str),
        "dtype": lambda value: value in ("float16", "float32"),
        "backbone_dtype": lambda value: value in ("float32", "bfloat16", "float16"),
    }
    if other := sorted(kinds.keys() ^ fields.keys()):
        raise ValueError(f"{other[0]} is missing or unknown")
    for name, is_right in kinds.items():
        if not is_right(fields[name]):
            raise ValueError(f"{name} is {str(fields[name])[:40]!r}")
    rate = fields.pop("frame_rate")
    del fields["version"], fields["id"]
    return Recipe(**fields, frame_rate=None if rate == "native" else rate)


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
    if recipe is not None and stored.backbone_dtype == "float32" != recipe.backbone_dtype and not to_write:
        log.info(
            "the features in %s were computed in float32, and this run computes in %s", root, recipe.backbone_dtype
        )
        recipe = replace(recipe, backbone_dtype="float32")
    if recipe is not None and (differences := stored.differences(recipe)):
        raise InputError(
            f"the features in {root} were not made with what this run asks for: {'; '.join(differences)}. "
            "Use another folder for this run's features, or set these options to what the store has."
        )
    return stored
