"""A run folder that one process alone writes to: chosen by making it, locked until that process ends."""

import logging
import os
import shutil
import socket
import traceback
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

from data_modules.errors import InputError
from data_modules.files.atomic import remove_leftovers
from prompt_video.io.run_files import CHECKPOINTS, CONFIG, FAILED, TRAINED

try:
    import fcntl
except ImportError:  # where there are no such locks, names still are chosen by making them
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

LOCK = ".lock"
# What a run leaves before it has computed anything.
_START = {LOCK, CONFIG, "environment.json", "wandb", "broken.jsonl"}


class Claim:
    """A run folder, and the right to write to it.

    Args:
        folder: that is there.
        made: the folders that were made for it, the outermost first.
        is_dated: its name was chosen here, and is nobody else's.

    Raises:
        InputError: when another process writes to it, or nothing can be written there.
    """

    def __init__(self, folder: Path, made: list[Path], *, is_dated: bool = False) -> None:
        self.folder, self.made, self._is_dated = folder, made, is_dated
        self._lock: TextIO | None = None
        try:
            self._lock = _locked(folder)
            (folder / LOCK).write_text(f"{os.getpid()}@{socket.gethostname()}", encoding="utf-8")
        except OSError as error:
            self.leave()
            raise _unwritable(folder, error) from error
        remove_leftovers(folder)
        remove_leftovers(folder / CHECKPOINTS)

    def fail(self, error: BaseException) -> None:
        """Say in the folder why its run has failed; one that was named by its date, and cannot go on, is named so too.

        Args:
            error: that ended the run.
        """
        if self._leaves_nothing():
            return
        with suppress(OSError):  # as on a full disk, which may be why it has failed
            if self._is_dated and not any((self.folder / mark).exists() for mark in TRAINED):
                before = self.folder
                self.folder = before.rename(before.with_name(f"failed_{before.name}"))
                _say_instead(error, str(before), str(self.folder))
            said = str(error).strip() or type(error).__name__
            text = "\n\n".join([said, "".join(traceback.format_exception(error))])
            (self.folder / FAILED).write_text(text, encoding="utf-8", errors="backslashreplace")
        log.info("the run has failed; what it left is in %s", self.folder)

    def leave(self) -> None:
        """Give the folder up; what was made for it goes again if nothing came of it."""
        if self._leaves_nothing():
            shutil.rmtree(self.folder, ignore_errors=True)
            for parent in reversed(self.made[:-1]):
                if not any(parent.iterdir()):
                    parent.rmdir()
        if self._lock is not None:
            self._lock.close()

    def _leaves_nothing(self) -> bool:
        return bool(self.made) and self.made[-1] == self.folder and _is_unused(self.folder)


def _say_instead(error: BaseException | None, before: str, now: str) -> None:
    """Let an error, and those that it came of, name a file where it lies now."""
    while error is not None:
        error.args = tuple(arg.replace(before, now) if isinstance(arg, str) else arg for arg in error.args)
        error = error.__cause__ or error.__context__


def is_claimed(folder: Path) -> bool:
    """Whether a process writes to a run folder."""
    if fcntl is None or not (folder / LOCK).is_file():
        return False
    with suppress(OSError), (folder / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def claim_new(root: Path, name: str, kind: str = "") -> Claim:
    """A folder that no other run has: ``root/name/<kind><date>_<time>``.

    Args:
        root: folder for run folders.
        name: of the experiment.
        kind: what the name begins with, for runs that train nothing.

    Raises:
        InputError: when nothing can be written there.
    """
    stamp = datetime.now().strftime(f"{kind}%Y-%m-%d_%H%M%S")
    parent = root / name
    made = _make(parent)
    for number in range(1000):
        folder = parent / (stamp if number == 0 else f"{stamp}_{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise _unwritable(folder, error) from error
        return Claim(folder, [*made, folder], is_dated=True)
    raise InputError(f"{parent} holds a thousand runs of this second; try again.")


def claim_named(folder: Path) -> Claim:
    """A folder of a given name, be it there or not.

    Raises:
        InputError: when another process writes to it, or nothing can be written there.
    """
    return Claim(folder, _make(folder))


def _locked(folder: Path) -> TextIO:
    """The lock file, held until it is closed or this process ends.

    Raises:
        InputError: when another process holds it.
    """
    lock = (folder / LOCK).open("a+", encoding="utf-8")
    try:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        writer = (folder / LOCK).read_text(encoding="utf-8")
        raise InputError(
            f"{folder} is being written by another process ({writer}): wait for it or end it, or name another run with "
            "--run_folder and --ckpt."
        ) from None
    except OSError as error:  # the file system has no locks
        log.info("%s is not locked against other processes: %s", folder, error.strerror)
    # A fork has the lock too, and may outlive this process for a while.
    os.register_at_fork(after_in_child=lock.close)
    return lock


def _make(folder: Path) -> list[Path]:
    """Make a folder; gives what had to be made, the outermost first."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return missing[::-1]


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(f"the run cannot be written to {folder}: {error.strerror}. Name another place with --runs.")


def _is_unused(folder: Path) -> bool:
    """Nothing was computed, logged or found broken."""
    for path in folder.rglob("*"):
        says_nothing = path.relative_to(folder).parts[0] in _START or path.name == "hparams.yaml"
        names_lost_videos = path.name == "broken.jsonl" and path.stat().st_size
        if path.is_file() and (names_lost_videos or not says_nothing):
            return False
    return True
