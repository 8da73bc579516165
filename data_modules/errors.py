"""The errors that are the user's to mend, and the one that a damaged video makes."""

from pathlib import Path


class InputError(ValueError):
    """A mistake in what was given: a file, a folder, an option. The message names the thing and what to do.

    The command line prints the message alone, without a traceback.
    """


class BrokenVideoError(Exception):
    """A video that cannot be used.

    Args:
        path: the file.
        reason: one line, such as ``no video stream``.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type["BrokenVideoError"], tuple[Path, str]]:
        # Raised in loader workers and carried to the main process.
        return type(self), (self.path, self.reason)
