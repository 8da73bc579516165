"""Clips whose labels were corrected become examples: they are linked into the folders of their classes."""

import os
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.listing import subfolders
from data_modules.files.regular_files import is_file
from data_modules.files.suffixes import is_video
from data_modules.files.text_files import cut, read_table

NEEDED, OPTIONAL = ("video", "class"), ("rank", "probability", "similarity", "label")  # as `label --csv` writes them
NAME_BYTES = 255  # that a file system takes
HINT = "a cell with a comma needs quotes around it"


def take_corrections(root: Path, file: Path) -> int:
    """Link each corrected clip into the folder of its class, which is made where there is none.

    Args:
        root: folder of the examples.
        file: CSV with the header ``video,class``; a table of ``prompt-video label --csv`` of which the rows that are
            right are deleted and the others corrected. Of several rows of a video the one of rank 1 counts.

    Returns:
        How many clips are new.

    Raises:
        InputError: before anything is linked, when the file cannot be read, names a clip that is not there, or a class
            that no folder can be called.
    """
    folders = {_as_read(folder.name): folder for folder in (subfolders(root) if root.is_dir() else ())}
    wanted: dict[Path, Path] = {}
    for line, row in read_table(file, NEEDED, OPTIONAL, HINT):
        where, name = f"{file}, line {line}", row["class"].strip()
        if row.get("rank", "1").strip() not in ("", "1"):
            continue
        path = Path(row["video"].strip())
        if not is_file(path) or not is_video(path.name):
            raise InputError(f"{where}: there is no video {cut(str(path), 120)}.")
        folder = folders.setdefault(_as_read(name), root / name.replace(" ", "_"))
        is_name = name and not name.startswith(".") and name.isprintable() and len(os.fsencode(name)) <= NAME_BYTES
        if not is_name or folder.parent != root:
            raise InputError(f"{where}: no class can be called {cut(name)!a}.")
        if wanted.setdefault(path, folder) != folder:
            raise InputError(f"{where}: {path} is '{name}' here and '{_as_read(wanted[path].name)}' above.")
    return sum(_link(path, folder) for path, folder in wanted.items())


def _as_read(name: str) -> str:
    return name.replace("_", " ").strip()


def _link(path: Path, folder: Path) -> bool:
    """Whether a clip is new in a folder; it gets another name where that is taken."""
    folder.mkdir(parents=True, exist_ok=True)
    place, number = folder / path.name, 1
    while place.exists():
        if place.samefile(path):
            return False
        number += 1
        place = folder / f"{path.stem}_{number}{path.suffix}"
    try:
        os.link(path, place)
    except OSError:  # on another disk
        place.symlink_to(path.resolve())
    return True
