"""What may be uploaded, and which files the page may touch at all."""

from dataclasses import dataclass
from pathlib import Path

from data_modules.decoding import VideoReader
from data_modules.errors import InputError
from prompt_video.reporting.lettering import clock


@dataclass(frozen=True)
class Limits:
    """Of one page.

    Args:
        uploads: the folder for uploads; no other file is read.
        max_mb: of an uploaded file, megabytes.
        max_sec: of a video.
    """

    uploads: Path
    max_mb: int = 200
    max_sec: float = 600.0

    def checked(self, upload: str | None) -> Path:
        """The video that was uploaded.

        Args:
            upload: its path, as the page sends it.

        Raises:
            InputError: when there is none, it lies elsewhere, or is too large or too long.
            BrokenVideoError: when it is no video that can be decoded.
        """
        if not upload:
            raise InputError("there is no video yet: drop one on the page first.")
        path = Path(upload).resolve()
        # Symbolic links are followed first, so that none leads out.
        if not path.is_relative_to(self.uploads.resolve()) or not path.is_file():
            raise InputError("this is no video that was uploaded here; drop it on the page again.")
        size = path.stat().st_size / 1e6
        if size > self.max_mb:
            raise InputError(f"the video has {size:.0f} MB; up to {self.max_mb} MB are taken (--max-size).")
        with VideoReader(path) as reader:
            duration_sec = reader.timeline.duration_sec
        if duration_sec > self.max_sec:
            raise InputError(
                f"the video is {clock(duration_sec)} long; up to {clock(self.max_sec)} are taken (--max-duration). "
                "`prompt-video segment` takes videos of any length."
            )
        return path


def texts_of(typed: str) -> list[str]:
    """The class names or sentences that someone typed: one a line, or in one line with commas between.

    Raises:
        InputError: when there are none.
    """
    parts = typed.splitlines() if "\n" in typed.strip() else typed.split(",")
    texts = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not texts:
        raise InputError("there is no text yet: type what may be seen, such as 'slicing onions, juggling balls'.")
    return texts
