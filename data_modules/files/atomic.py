"""Files that are written whole or not at all, and the leftovers of writers that were killed."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.regular_files import is_file

LEFTOVER_SEC = 3600.0  # far longer than any one file takes to write
NAME_LETTERS = 40  # of a file, in the name of what is written beside it: longer ones are no names to most systems


class WriteError(InputError, OSError):
    """A file cannot be written, for want of room or of leave; what it held before is as it was."""


def write_whole(path: Path, write: Callable[[Path], object], replace: bool = True, before: Path | None = None) -> None:
    """Write a file so that others see all of it or nothing, whenever this process or the machine stops.

    Args:
        path: the file.
        write: writes it, to the path it is given, which is in the same folder.
        replace: False leaves a file that is already there.
        before: a name in the same folder for what the file held until now; None forgets it.

    Raises:
        WriteError: when the system refuses it.
    """
    if os.path.exists(path) and not is_file(path):  # noqa: PTH110 - a pipe or a device, which nothing may replace
        write(path)
        return
    temporary = _beside(path)
    try:
        write(temporary)
        _sync(temporary)
        if before is not None and path.exists():
            _keep(path, before)
        if replace or not _link(temporary, path):
            temporary.replace(path)
        with suppress(OSError):  # the file is there; some file systems know no more of a folder
            _sync(path.parent)
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    name = f".{path.name[:NAME_LETTERS]}.{os.urandom(4).hex()}.{os.getpid()}@{socket.gethostname()}.tmp"
    return path.with_name(name)


def _keep(path: Path, before: Path) -> None:
    """Give a file a second name, which it keeps when another takes the first."""
    second = _beside(before)
    if _link(path, second):
        second.replace(before)
    else:
        path.replace(before)


def _link(temporary: Path, path: Path) -> bool:
    """Give the file its name unless that is taken; False where the file system has no hard links."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return True
    except OSError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(root: Path) -> None:
    """Delete what killed writers left half written: by dead processes of this machine, or an hour old."""
    for path in root.glob(".*.tmp"):
        try:
            old = time.time() - path.stat().st_mtime > LEFTOVER_SEC
            if old or _writer_is_dead(path):
                path.unlink()
        except FileNotFoundError:  # its writer finished, or another process was faster
            continue


def _writer_is_dead(temporary: Path) -> bool:
    pid, _, host = temporary.name.removesuffix(".tmp").partition("@")
    if os.name != "posix" or host != socket.gethostname():
        return False
    try:
        os.kill(int(pid.rpartition(".")[2]), 0)  # signal 0 only asks whether the process is there
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError):
        return False
    return False
