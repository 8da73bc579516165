"""What may be uploaded and asked, how long an answer may take, and which files the page may touch at all."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from data_modules.errors import InputError
from data_modules.video.decoding import VideoReader
from prompt_video.reports.text_formatting import clock

MOST_TEXTS = 1000
MOST_LETTERS = 1000  # of one text; CLIP reads some 300 at most
UPLOADS_KEPT = 5  # of the largest size
CLIPS_KEPT = 20


@dataclass(frozen=True)
class Limits:
    """Of one page.

    Args:
        uploads: the folder for uploads; no other file is read.
        max_mb: of an uploaded file, megabytes.
        max_sec: of a video.
        max_work_sec: of the work on one answer.
    """

    uploads: Path
    max_mb: int = 200
    max_sec: float = 600.0
    max_work_sec: float = 300.0

    @property
    def max_bytes(self) -> int:
        """Room for all uploads together; one that would exceed it is refused."""
        return UPLOADS_KEPT * self.max_mb * 1_000_000

    def deadline(self) -> Callable[[float, float], None]:
        """To be called with every step of the work on one answer, see `Progress`; raises once that takes too long."""
        end = time.monotonic() + self.max_work_sec

        def check(done_sec: float, total_sec: float) -> None:
            if time.monotonic() > end and done_sec < total_sec:
                raise InputError(
                    f"this takes longer than {clock(self.max_work_sec)} (--max_work): try a shorter video, or one with "
                    "smaller pictures."
                )

        return check

    def new_clip(self) -> Path:
        """A place for a clip to play; the oldest ones go."""
        clips = sorted(self.uploads.glob("clip-*"), key=lambda clip: clip.name)
        for old in clips[: len(clips) + 1 - CLIPS_KEPT if len(clips) >= CLIPS_KEPT else 0]:
            shutil.rmtree(old, ignore_errors=True)
        folder = self.uploads / f"clip-{time.time_ns()}"
        folder.mkdir()
        return folder / "hit.mp4"

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
            raise InputError(f"the video has {size:.0f} MB; up to {self.max_mb} MB are taken (--max_size).")
        with VideoReader(path) as reader:
            duration_sec = reader.timeline.duration_sec
        if duration_sec > self.max_sec:
            raise InputError(
                f"the video is {clock(duration_sec)} long; up to {clock(self.max_sec)} are taken (--max_duration). "
                "`prompt-video segment` takes videos of any length."
            )
        return path


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
