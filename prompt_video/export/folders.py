"""Folders that are filled with the files of an export, whole or not at all."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_modules.errors import InputError

ABOUT = "config.json"


@contextmanager
def filled(folder: Path, kind: str) -> Iterator[Path]:
    """An empty place whose files go into the folder when all of them are written.

    What else lies in the folder stays, so that a working copy of a repository remains one.

    Args:
        folder: to fill; new, empty, or filled before by an export of the same kind.
        kind: of the export, which its ``config.json`` names.

    Raises:
        InputError: when something else is in the folder, or nothing can be written there.
    """
    _refuse_other(folder, kind)
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix=".export-", dir=folder)  # on the same disk, so that moving is quick
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be written to: {error.strerror}.") from error
    try:
        with place as name:
            yield Path(name)
            for path in sorted(Path(name).iterdir()):
                path.replace(folder / path.name)
    except OSError as error:  # such as a full disk
        raise InputError(f"the export to {folder} failed: {error.strerror or error}.") from error
    finally:
        if is_new and not any(folder.iterdir()):
            folder.rmdir()


def without_paths(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The same with null for absolute paths: an export goes to other people, who have no such files."""
    if isinstance(value, dict):
        return {name: without_paths(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_paths(inner) for inner in value]
    if isinstance(value, str) and (value.startswith("~") or Path(value).is_absolute()):
        return None
    return value


def _refuse_other(folder: Path, kind: str) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder.")
    if not folder.exists() or all(path.name.startswith(".") for path in folder.iterdir()):
        return
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        is_same = about.get("kind") == kind
    except (OSError, ValueError, AttributeError):
        is_same = False
    if not is_same:
        raise InputError(
            f"the folder {folder} is not empty and holds no {kind}; name a new folder, so that nothing is lost."
        )
