"""The videos below a folder: one walk for all who list them, and what they do not take is counted and named."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.regular_files import is_folder
from data_modules.files.suffixes import OTHER_SUFFIXES, is_video

log = logging.getLogger(__name__)


class Listing:
    """The video files below a folder in any layout: flat, in class folders, in split folders, or nested otherwise.

    Links to files and folders are followed; a folder that is reached twice is read once, so a loop of links ends. The
    name decides what is a video, so that no file is looked at: what is no file at all (a link to nothing, a pipe) is
    found to be broken by whoever opens it. Hidden files and folders, and files that are no videos, are left out.

    Args:
        root: the folder.
        is_wanted: whether a name is that of a video, or of what else is looked for.

    Raises:
        InputError: when there is no such folder, or one below it cannot be read.
    """

    def __init__(self, root: Path, is_wanted: Callable[[str], bool] = is_video) -> None:
        if not is_folder(root):
            raise InputError(f"there is no folder {root}; set data.root (data.init_args.root in YAML) to your videos.")
        self.root, self._is_wanted = root, is_wanted
        self.left_out: dict[str, list[str]] = {}  # kind -> paths
        self.files: list[tuple[str, str]] = list(self._walk(str(root)))  # folder and name

    def paths(self) -> list[Path]:
        """All files, each once however many links lead to it, sorted."""
        paths = [Path(folder, name) for folder, name in self.files]
        kept, others = once_each(paths)
        if others:
            self.left_out["links to a file that counts already"] = [str(path) for path in others]
        return kept

    def say(self) -> None:
        """Tell what was left out, if anything."""
        if self.left_out:
            kinds = ", ".join(
                f"{len(paths)} {kind} (the first is {os.path.relpath(min(paths), self.root)})"
                for kind, paths in sorted(self.left_out.items())
            )
            log.warning("left out below %s: %s", self.root, kinds)

    def _walk(self, root: str) -> Iterator[tuple[str, str]]:
        seen: set[tuple[int, int]] = set()
        # Real folders first: what a link shows a second time keeps the path without the link.
        waiting, linked = [root], list[str]()
        while waiting or linked:
            is_linked, folder = not waiting, waiting.pop() if waiting else linked.pop(0)
            is_hidden = "/." in folder[len(root) :]
            try:
                status = os.stat(folder)  # noqa: PTH116 - this and all below: a Path for each of 200,000 takes seconds
                if (status.st_dev, status.st_ino) in seen:
                    if is_linked:
                        self._leave_out("links to a folder that counts already", folder)
                    continue
                seen.add((status.st_dev, status.st_ino))
                with os.scandir(folder) as entries:
                    inside = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                if is_hidden:
                    continue
                raise InputError(f"{folder} cannot be read: {error.strerror}.") from error
            for entry in inside:
                if _is_folder(entry):
                    (linked if entry.is_symlink() else waiting).append(entry.path)
                    if self._is_wanted(entry.name):
                        self._leave_out("folders called as a video is, and looked into", entry.path)
                elif is_hidden or entry.name.startswith("."):
                    if self._is_wanted(entry.name):
                        self._leave_out("hidden videos", entry.path)
                elif self._is_wanted(entry.name):
                    yield folder, entry.name
                else:
                    self._leave_out_other(entry)

    def _leave_out_other(self, entry: os.DirEntry[str]) -> None:
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
        if suffix not in OTHER_SUFFIXES:
            what = f"files with the suffix {suffix}" if suffix else "files without a suffix"
            self._leave_out(what, entry.path)

    def _leave_out(self, kind: str, path: str) -> None:
        self.left_out.setdefault(kind, []).append(path)


def once_each(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Paths of files that are each another one, sorted; and the others, by which some file is reached once more.

    Of several paths of one file the one that is no link is kept.
    """
    by_file: dict[object, Path] = {}
    others: list[Path] = []
    for path in sorted(paths, key=lambda path: (path.is_symlink(), path)):
        try:
            status = path.stat()
            key: object = (status.st_dev, status.st_ino)
        except (OSError, ValueError):
            key = path
        if by_file.setdefault(key, path) is not path:
            others.append(path)
    return sorted(by_file.values()), others


def subfolders(folder: Path) -> Sequence[Path]:
    """The folders in a folder that are not hidden, links to folders too, sorted."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
