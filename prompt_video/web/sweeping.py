"""The folder of uploads, which ends with its server, also where that was killed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nothing is swept
    fcntl = None  # type: ignore[assignment]

PREFIX = "prompt-video-serve-"
LOCK = ".lock"


@contextmanager
def uploads_folder() -> Iterator[Path]:
    """A new folder for temporary files, gone afterwards; first those are removed that killed servers have left."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _sweep(left)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder, (Path(folder) / LOCK).open("w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with this process
        yield Path(folder)


def _sweep(folder: Path) -> None:
    try:
        if fcntl is None or folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return
        with (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # its server lives, or has only just made the folder
        return
