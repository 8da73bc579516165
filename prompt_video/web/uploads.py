"""Videos that people hand to the page: each in a folder of its own, known by a word that nobody can guess."""

import asyncio
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from data_modules.errors import InputError
from prompt_video.reports.video_previews import write_preview
from prompt_video.web.limits import Limits
from prompt_video.web.mistakes import telling

SWEEP_SEC, KEEP_SEC = 60, 3600  # how often old uploads are looked for, and how long they stay
CLIP = "clip-"
KEPT = ".lessons"  # folder of what is computed of uploads, gone with the last of them
CLIPS_KEPT = 20
COPY_SEC = 60.0  # a longer video, where a browser cannot play it, gets no copy
COPY_SIDE = 360  # pixels
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


@dataclass(frozen=True)
class Upload:
    """One video.

    Args:
        path: the file.
        name: that it had where it came from, for people; no path is made of it.
        duration_sec: of the video.
    """

    path: Path
    name: str
    duration_sec: float


class Uploads:
    """All videos that are here. No path ever crosses the page: whoever has the word may ask about the video.

    Args:
        folder: for the files, and whatever else is made for the page.
        limits: of a file, and of all of them together.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self.limits = folder, limits
        self._uploads: dict[str, Upload] = {}
        self._arriving = 0

    def get(self, word: str | None) -> Upload:
        """The video that this word stands for.

        Raises:
            InputError: when there is none.
        """
        if not word:
            raise InputError("there is no video yet: choose one, or drop it on the page.")
        if word not in self._uploads:
            raise InputError("this is no video that was uploaded here, or it was removed; drop it on the page again.")
        return self._uploads[word]

    def keep(self, word: str) -> None:
        """Begin its hour anew."""
        os.utime(self._uploads[word].path.parent)

    async def take(self, name: str, num_bytes: int, chunks: AsyncIterator[bytes]) -> str:
        """Keep a video that arrives, and nothing of it if it cannot be used.

        Args:
            name: of the file.
            num_bytes: of the file.
            chunks: of the file.

        Returns:
            The word for it.

        Raises:
            MistakesError: when it is too large or too long, no video, or there is no more room.
        """
        with telling("video"):
            self.limits.check_size(num_bytes)
            files = (path for path in self.folder.rglob("*") if path.is_file() and KEPT not in path.parts)
            there = sum(path.stat().st_size for path in files)
            if there + self._arriving + num_bytes > self.limits.max_bytes:
                raise InputError("all uploads together exceed what this page keeps; try again later.")
            word = secrets.token_urlsafe(16)
            path = self.folder / word / f"video{_suffix(name)}"
            path.parent.mkdir()
            self._arriving += num_bytes
            try:
                await _write(path, chunks, num_bytes)
                duration_sec = await run_in_threadpool(self.limits.check_video, path)
                self._uploads[word] = Upload(path, name, duration_sec)
            except BaseException:
                shutil.rmtree(path.parent, ignore_errors=True)
                raise
            finally:
                self._arriving -= num_bytes
            return word

    def playable(self, word: str) -> Path:
        """A copy that every browser plays.

        Raises:
            InputError: when the video is not here, or too long for that.
            BrokenVideoError: when it cannot be decoded.
        """
        upload = self.get(word)
        if upload.duration_sec > COPY_SEC:
            raise InputError(
                f"your browser cannot play this kind of file, and it is too long for a copy ({COPY_SEC:.0f} s); it is "
                "scored all the same."
            )
        return self.clip(word, lambda path: write_preview(upload.path, path, short_side=COPY_SIDE, max_sec=COPY_SEC))

    def clip(self, name: str, write: Callable[[Path], object]) -> Path:
        """A clip to play, made once; the oldest ones go.

        Args:
            name: that no other clip has.
            write: makes it.
        """
        path = self.folder / f"{CLIP}{name}" / "clip.mp4"
        if not path.exists():
            clips = sorted(self.folder.glob(f"{CLIP}*"), key=lambda clip: clip.stat().st_mtime)
            for old in clips[: len(clips) + 1 - CLIPS_KEPT if len(clips) >= CLIPS_KEPT else 0]:
                shutil.rmtree(old, ignore_errors=True)
            path.parent.mkdir(exist_ok=True)
            part = path.with_name(f"{secrets.token_hex(4)}.mp4")
            write(part)
            part.replace(path)
        return path

    def sweep(self, older_sec: float = KEEP_SEC) -> None:
        """Remove what has been here for so long."""
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name != KEPT and time.time() - folder.stat().st_mtime > older_sec:
                self._uploads.pop(folder.name, None)
                shutil.rmtree(folder, ignore_errors=True)
        if not self._uploads:
            shutil.rmtree(self.folder / KEPT, ignore_errors=True)

    async def keep_sweeping(self) -> None:
        """Again and again."""
        while True:
            await asyncio.sleep(SWEEP_SEC)
            await run_in_threadpool(self.sweep)


async def _write(path: Path, chunks: AsyncIterator[bytes], num_bytes: int) -> None:
    written = 0
    with path.open("wb") as file:
        async for chunk in chunks:
            written += len(chunk)
            if written > num_bytes:
                break
            file.write(chunk)
    if written != num_bytes:
        raise InputError("the video did not arrive whole; drop it on the page again.")


def _suffix(name: str) -> str:
    suffix = Path(name).suffix
    return suffix if _SUFFIX.fullmatch(suffix) else ""
