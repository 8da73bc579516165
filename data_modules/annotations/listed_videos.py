"""Videos that a list names by their paths from a folder: what a name may be, and which file it means."""

import os
from functools import cached_property
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.file_index import stem_of
from data_modules.files.text_files import composed, cut, excerpt

MOST_BYTES_OF_PATH = 2000  # Linux takes 4096 with the root's
MOST_BYTES_OF_FILE = 255  # of each part of a path
MOST_BYTES_OF_ID = 240  # where a suffix, or the `v_` of some data sets, is still to be added


def check_name(name: str, where: str) -> str:
    """The name as it is, where a file can have it.

    Args:
        name: of a video, with or without folders and suffix.
        where: it stands, for messages.

    Raises:
        InputError: when one of its parts, or all of it, is longer than any file's name.
    """
    if len(name) * 4 <= MOST_BYTES_OF_ID:  # nearly all: no sign has more bytes
        return name
    if len(name.encode()) > MOST_BYTES_OF_PATH:
        raise InputError(
            f"{where}: no file can be called {excerpt(name, 60)}: the path has more than {MOST_BYTES_OF_PATH:,} bytes."
        )
    for part in name.replace("\\", "/").split("/"):
        most = MOST_BYTES_OF_ID if stem_of(part) == part else MOST_BYTES_OF_FILE
        if (size := len(part.encode())) > most:
            raise InputError(
                f"{where}: no file can be called {excerpt(part, 60)}: it has {size:,} bytes, and {most} is the most."
            )
    return name


def path_below(root: Path, name: str, where: str) -> str:
    """A listed name as a path from the root, with ``/`` between its parts and none of them ``..``.

    Links are not followed, so that they may lead out of the root.

    Args:
        root: the folder.
        name: relative to it, or absolute.
        where: it stands, for messages.

    Raises:
        InputError: when it lies outside of the root, or no file can be called so.
    """
    path = Path(os.path.relpath(root / check_name(name, where).replace("\\", "/"), root)).as_posix()
    if path == "." or path.split("/")[0] == "..":
        raise InputError(f"{where}: {cut(name, 120)} lies outside of {root}.")
    return path


def endings(name: str) -> list[str]:
    """A path without suffix: the whole, then without its first folder, and so on."""
    name = composed(name)
    folders = name.replace("\\", "/").split("/")[:-1]
    return ["/".join([*folders[start:], stem_of(name)]) for start in range(len(folders) + 1)]


class VideosBelow:
    """The videos below a folder; every folder in it is listed once, when it is first asked for.

    Args:
        root: the folder; it may be missing, and then has no videos.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, _Folder] = {}

    def find(self, path: str, where: str) -> Path | None:
        """The file of a path from the root, with or without suffix, however its letters are composed.

        Args:
            path: as `path_below` makes it.
            where: it stands, for messages.

        Raises:
            InputError: when it may be several files, or a folder cannot be read.
        """
        folder, _, name = path.rpartition("/")
        paths = self._folder(folder).find(name)
        if len(paths) > 1:
            raise InputError(
                f"{where}: {name} may be {paths[0].name} or {paths[1].name} in {paths[0].parent}; write its suffix."
            )
        return paths[0] if paths else None

    def _folder(self, path: str) -> "_Folder":
        if path not in self._folders:
            parent, _, name = path.rpartition("/")
            place = self.root
            if path:
                above = self._folder(parent)
                place = above.path / above.names.get(composed(name), [name])[0]
            self._folders[path] = _Folder(place)
        return self._folders[path]


class _Folder:
    """One folder.

    Args:
        path: of it; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """What is in it, by name in composed letters: as it is called on disk."""
        try:
            listed = sorted(os.listdir(self.path))  # noqa: PTH208 - a Path for each of 200,000 names takes seconds
        except PermissionError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}.") from error
        except OSError:
            return {}
        by_name: dict[str, list[str]] = {}
        for name in listed:
            by_name.setdefault(composed(name), []).append(name)
        return by_name

    @cached_property
    def stems(self) -> dict[str, list[str]]:
        """Names of the videos by what is before their suffix."""
        by_stem: dict[str, list[str]] = {}
        for name, on_disk in self.names.items():
            if (stem := stem_of(name)) != name:
                by_stem.setdefault(stem, []).extend(on_disk)
        return by_stem

    def find(self, name: str) -> list[Path]:
        """The file of this name; where there is none, those that it may be."""
        key = composed(name)
        names = self.stems.get(key) if stem_of(key) == key else None
        if not names:
            names = [one for one in self.names.get(key, []) if (self.path / one).is_file()]
        return [self.path / one for one in ([name] if name in names else names)]
