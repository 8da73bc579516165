"""Nothing but a regular file is ever opened: a pipe would be waited for, and a device has no end."""

import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def is_file(path: Path) -> bool:
    """Whether there is a file of this name; of one that is too long for any `Path` raises an error."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this name, as `is_file`."""
    return os.path.isdir(path)  # noqa: PTH112


def why_not_a_file(path: Path) -> str | None:
    """What keeps a path from being that of a regular file, in words; None where it is one. Links are followed."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, FileNotFoundError):
            reason = "a link to nothing" if path.is_symlink() else "there is no such file"
        return reason
    return None if stat.S_ISREG(mode) else f"{_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file"
