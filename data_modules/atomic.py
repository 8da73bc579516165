"""Files that are written whole or not at all, and the leftovers of writers that were killed."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

LEFTOVER_SEC = 3600.0  # far longer than any one file takes to write


def write_whole(path: Path, write: Callable[[Path], object], replace: bool = True) -> None:
    """Write a file so that others see all of it or nothing, whenever this process or the machine stops.

    Args:
        path: the file.
        write: writes it, to the path it is given.
        replace: False leaves a file that is already there.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.{os.getpid()}@{socket.gethostname()}.tmp")
    try:
        write(temporary)
        _sync(temporary)
        if replace or not _link(temporary, path):
            temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


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
