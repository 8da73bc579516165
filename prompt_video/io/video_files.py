"""Videos that were named on the command line."""

import glob
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.listing import Listing, once_each
from data_modules.files.regular_files import is_folder
from data_modules.files.text_files import cut

log = logging.getLogger(__name__)


def below_common(names: Iterable[str]) -> list[str]:
    """Paths below the folder that holds all of them."""
    paths = [Path(os.path.abspath(name)) for name in names]  # noqa: PTH100 - links stay as they were named
    common = Path(os.path.commonpath([path.parent for path in paths]))
    return [path.relative_to(common).as_posix() for path in paths]


def files_of(patterns: Sequence[str]) -> list[Path]:
    """The files that were named: as they are, all videos below a folder, and what a pattern matches.

    Raises:
        InputError: when a name, a folder or a pattern leads to no file.
    """
    files: list[Path] = []
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if is_folder(path):
            listing = Listing(path)
            found = listing.paths()
            listing.say()
            if not found:
                raise InputError(f"there is no video below {path}.")
        elif os.path.lexists(path):  # perhaps a link to nothing, or a pipe: whoever opens it says so
            found = [path]
        else:
            matches = (Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207 - patterns with folders of any depth, absolute ones too
            found = sorted(match for match in matches if not match.is_dir())
            if not found:
                raise InputError(f"there is no file {cut(pattern, 300)}.")
        files += found
    once, others = once_each(files)
    if others:
        log.warning("%d of the files are named more than once, and count once: %s", len(others), others[0])
    kept = set(once)
    return [file for file in dict.fromkeys(files) if file in kept]
