"""Videos in class folders, alone or below split folders: what the layout of a folder says of them."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from data_modules.annotations.split_names import split_named
from data_modules.errors import InputError
from data_modules.files.listing import Listing, once_each, subfolders
from data_modules.protocols.trial import Split

log = logging.getLogger(__name__)

_OURS = {"features", "runs"}  # what the program itself writes where it is started, which may be the root


class Row(NamedTuple):
    """One video: its file, the name of its class folder, and its split where the folders name one."""

    path: Path
    label: str
    split: Split | None


def rows_of_folders(root: Path) -> list[Row]:
    """The videos in ``root/<class>/`` or ``root/<split>/<class>/``, in the order of their paths, each once.

    Folders that are called as splits are, and hold videos themselves, are classes of that name.

    Args:
        root: the folder.

    Raises:
        InputError: when there is none, a class folder has no videos, or it is not plain which folders are splits.
    """
    listing = Listing(root)
    files = [Path(folder, name) for folder, name in listing.files]
    splits = _splits(root, [path.relative_to(root).parts for path in files])
    rows, beside = [], []
    for path in files:
        first, *rest = path.relative_to(root).parts
        if not splits and rest:
            rows.append(Row(path, first, None))
        elif first in splits and len(rest) > 1:
            rows.append(Row(path, rest[0], splits[first]))
        else:
            beside.append(str(path))
    if beside:
        listing.left_out["videos beside the class folders"] = beside
    if twice := _twice_in_a_class(rows):
        rows = [row for row in rows if row not in twice]
        listing.left_out["links to a file that counts already"] = [str(row.path) for row in sorted(twice)]
    listing.say()
    _refuse_empty(root, splits, {row.path.relative_to(root).parts[: 2 if splits else 1] for row in rows}, listing)
    return sorted(rows)


def _splits(root: Path, files: Sequence[tuple[str, ...]]) -> dict[str, Split]:
    """Which folders in the root are splits; none: all are classes."""
    called = {path.name: split for path in subfolders(root) if (split := split_named(path.name)) is not None}
    nested = {parts[0] for parts in files if len(parts) > 2}
    flat = {parts[0] for parts in files if len(parts) == 2}
    others = sorted((nested | flat) - called.keys())
    if not called or (others and not called.keys() & nested):
        if classes := sorted(called.keys() & (nested | flat)):
            log.info("%s: the folder %s holds videos, and is a class of that name, no split", root, classes[0])
        return {}
    if not called.keys() & (nested | flat):
        raise InputError(f"{root / min(called)} has no class folders; expected {root / min(called)}/<class>/<video>.")
    if not called.keys() & nested:
        log.info("%s: the folders %s hold videos, and are classes of these names, no splits", root, ", ".join(called))
        return {}
    if others and len({called[name] for name in called.keys() & nested}) < 2:
        raise InputError(
            f"{root}: is {min(called.keys() & nested)} a split or a class? It lies beside {others[0]}. Call splits "
            "train, val and test, with nothing else beside them; or name the videos in data.labels."
        )
    by_split: dict[Split, str] = {}
    for name, split in sorted(called.items()):
        if split in by_split:
            raise InputError(f"{root}: {by_split[split]} and {name} are both called as the {split} split; join them.")
        by_split[split] = name
    return called


def _twice_in_a_class(rows: Sequence[Row]) -> set[Row]:
    """What a link shows a second time in its class; links from class to class, or split to split, are told."""
    by_path = {row.path: row for row in rows}
    kept, others = once_each(by_path)
    if not others:
        return set()
    of_file = {path.resolve(): by_path[path] for path in kept}
    twice: set[Row] = set()
    across: list[Path] = []
    for path in others:
        first = of_file.get(path.resolve())
        if first is not None and first[1:] == by_path[path][1:]:
            twice.add(by_path[path])
        else:
            across.append(path)
    if across:
        log.warning(
            "%d of the videos are in two classes or splits by links, the first being %s: doctor names them",
            len(across),
            across[0],
        )
    return twice


def _refuse_empty(root: Path, splits: dict[str, Split], filled: set[tuple[str, ...]], listing: Listing) -> None:
    """Every class folder must have videos: one without may be of a suffix that is not known."""
    for place in [root / name for name in splits] or [root]:
        folders = subfolders(place)
        if not folders:
            raise InputError(
                f"{place} has no class folders; expected {place}/<class>/<video>, or, of an experiment, a CSV in "
                "data.labels."
            )
        for folder in folders:
            if folder.relative_to(root).parts not in filled and (folder.parent != root or folder.name not in _OURS):
                raise InputError(f"the class folder {folder} has no videos{_instead(folder, listing)}")


def _instead(folder: Path, listing: Listing) -> str:
    kinds: Iterator[str] = (
        f" but {kind}"
        for kind, paths in listing.left_out.items()
        if any(Path(path).is_relative_to(folder) for path in paths)
    )
    return next(kinds, "") + "; remove it or fill it."
