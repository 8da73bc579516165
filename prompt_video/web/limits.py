"""What may be uploaded and asked, and how long an answer may take."""

import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from data_modules.errors import InputError
from data_modules.video.decoding import VideoReader
from prompt_video.inference.frames import Progress
from prompt_video.reports.text_formatting import clock

MOST_TEXTS = 1000
MOST_LETTERS = 1000  # of one text; CLIP reads some 300 at most
UPLOADS_KEPT = 5  # of the largest size


@dataclass(frozen=True)
class Limits:
    """Of one page.

    Args:
        max_mb: of an uploaded file, megabytes.
        max_sec: of a video.
        max_work_sec: of the work on one answer.
    """

    max_mb: int = 200
    max_sec: float = 600.0
    max_work_sec: float = 300.0

    @property
    def max_bytes(self) -> int:
        """Room for all uploads together; one that would exceed it is refused."""
        return UPLOADS_KEPT * self.max_mb * 1_000_000

    def deadline(self, tell: Progress, stopped: Event | None = None, times: float = 1.0) -> Progress:
        """To be called with every step of the work on one answer; raises once that takes too long.

        Args:
            tell: hears of every step.
            stopped: set when nobody waits for the answer any more; the work then ends, too.
            times: as long as the work on one video it may take.
        """
        max_sec = times * self.max_work_sec
        end = time.monotonic() + max_sec

        def check(done_sec: float, total_sec: float) -> None:
            if stopped is not None and stopped.is_set():
                raise InputError("this was stopped.")
            if time.monotonic() > end and done_sec < total_sec:
                raise InputError(
                    f"this takes longer than {clock(max_sec)} (--max_work): try {'fewer or' if times > 1 else 'a'} "
                    f"shorter video{'s' if times > 1 else ''}, or one with smaller pictures."
                )
            tell(done_sec, total_sec)

        return check

    def check_size(self, num_bytes: int) -> None:
        """Refuse a file that is too large.

        Raises:
            InputError: with its size.
        """
        if num_bytes > self.max_mb * 1_000_000:
            raise InputError(f"the video has {num_bytes / 1e6:.0f} MB; up to {self.max_mb} MB are taken (--max_size).")

    def check_video(self, path: Path) -> float:
        """Refuse a video that is too long, or none.

        Returns:
            Its duration in seconds.

        Raises:
            InputError: when it is too long.
            BrokenVideoError: when it is no video that can be decoded.
        """
        with VideoReader(path) as reader:
            duration_sec = reader.timeline.duration_sec
        if duration_sec > self.max_sec:
            raise InputError(
                f"the video is {clock(duration_sec)} long; up to {clock(self.max_sec)} are taken (--max_duration). "
                "`prompt-video segment` takes videos of any length."
            )
        return duration_sec


def texts_of(typed: str) -> list[str]:
    """The class names or sentences that someone typed: one a line, or in one line with commas between.

    Raises:
        InputError: when there are none.
    """
    if len(typed) > MOST_TEXTS * MOST_LETTERS:
        raise InputError(f"these are {len(typed):,} letters; up to {MOST_TEXTS:,} texts are taken.")
    parts = typed.splitlines() if "\n" in typed.strip() else typed.split(",")
    texts = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not texts:
        raise InputError("there is no text yet: type what may be seen, such as 'slicing onions, juggling balls'.")
    if len(texts) > MOST_TEXTS:
        raise InputError(f"these are {len(texts):,} texts; up to {MOST_TEXTS:,} are taken.")
    for text in texts:
        check_letters(text)
    return texts


def check_letters(text: str) -> None:
    """Refuse a text that is too long.

    Raises:
        InputError: with its beginning.
    """
    if len(text) > MOST_LETTERS:
        raise InputError(f"a text has {len(text):,} letters, up to {MOST_LETTERS:,} are taken: {text[:60]}…")
