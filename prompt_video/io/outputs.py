"""Files with results: places that cannot be written are found before the work, and what was computed is not lost."""

import math
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files import json_files
from prompt_video.io.readable import readable


def check_file(path: Path | None, option: str) -> None:
    """Before the work: that a file can be written. For a moment its folder is made, and an empty file in it.

    Args:
        path: of the file; None is not to be written.
        option: that names it, for messages.

    Raises:
        InputError: when it cannot be.
    """
    if path is None:
        return
    with _telling(path, option):
        if path.is_dir():
            raise InputError(f"{option} {path} is a folder: name a file in it.")
        if path.is_file() or not path.exists():  # else a pipe or a device, which is written as it is
            _try(path.parent, path.name)


def check_folder(path: Path | None, option: str) -> None:
    """As `check_file`, for a folder that gets several files."""
    if path is not None:
        with _telling(path, option):
            _try(path, "a")


def save(path: Path | None, write: Callable[[Path], object], said: str) -> bool:
    """Write a result and say where it is; where its place fails after all, in the folder for temporary files.

    Args:
        path: of the file or the folder; None is not to be written.
        write: writes it, to the path it is given.
        said: to begin the line, such as ``all figures:``.

    Returns:
        Whether it is where it should be.

    Raises:
        InputError: when it can be written nowhere.
    """
    if path is None:
        return True
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
    except OSError as error:
        spare = Path(tempfile.mkdtemp(prefix="prompt-video-")) / path.name[-100:]
        try:
            write(spare)
        except OSError:
            shutil.rmtree(spare.parent, ignore_errors=True)
            raise InputError(f"{path} cannot be written: {_reason(error)}.") from error
        told = f"prompt-video: {path} cannot be written: {_reason(error)}. What was found is in {spare}"
        print(readable(told), file=sys.stderr)
        return False
    print(readable(f"{said} {path}"))
    return True


def write_json(path: Path, content: object) -> None:
    """Write JSON that every program reads, UTF-8, whole or not at all: a number that is not finite becomes null.

    What no encoding can hold is written as JSON writes it, a backslash and its number.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    json_files.write_json(path, _finite(content))


def _finite(content: object) -> object:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _try(folder: Path, name: str) -> None:
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with suppress(FileNotFoundError):
            (folder / name).lstat()  # a name that is too long, or cannot be encoded
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".tmp", buffering=0) as file:
            file.write(b"a")  # an empty one fits on a full disk
    finally:
        for place in made:
            place.rmdir()


@contextmanager
def _telling(path: Path, option: str) -> Iterator[None]:
    what = f"{option} {path}"
    if str(path) == "-":
        raise InputError(f"{what} would be called so on disk, as what is printed is for people: give it another name.")
    try:
        yield
    except InputError:
        raise
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{what} cannot be written: one of its folders is a file.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{what} cannot be written: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    first = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return (isinstance(first, OSError) and first.strerror) or str(first)
