"""What may be asked and handed over, and how long things are kept."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event

import pytest

from data_modules.errors import InputError
from prompt_video.web.limits import MOST_LETTERS, MOST_TEXTS, Limits, check_letters, texts_of
from prompt_video.web.mistakes import MistakesError
from prompt_video.web.uploads import CLIPS_KEPT, KEEP_SEC, Uploads


async def sent(data: bytes) -> AsyncIterator[bytes]:
    yield data[:100]
    yield data[100:]


def take(uploads: Uploads, data: bytes, name: str = "a.mp4", told: int | None = None) -> str:
    return asyncio.run(uploads.take(name, len(data) if told is None else told, sent(data)))


def test_texts_come_by_line_or_by_comma() -> None:
    assert texts_of("slicing onions, juggling balls,, juggling balls") == ["slicing onions", "juggling balls"]
    assert texts_of("a man runs, then jumps\n a dog \n\n") == ["a man runs, then jumps", "a dog"]
    with pytest.raises(InputError, match="no text yet"):
        texts_of(" , ")


def test_texts_are_bounded() -> None:
    with pytest.raises(InputError, match=r"has 20,000 letters, up to 1,000 are taken: xxx"):
        texts_of("a, " + "x" * 20_000)
    with pytest.raises(InputError, match="these are 1,001 texts"):
        texts_of("\n".join(map(str, range(MOST_TEXTS + 1))))
    with pytest.raises(InputError, match="letters"):
        texts_of("a\n" * MOST_TEXTS * MOST_LETTERS)
    check_letters("x" * MOST_LETTERS)


def test_a_video_is_known_by_a_word_and_by_nothing_else(tmp_path: Path, shapes: Path) -> None:
    uploads = Uploads(tmp_path, Limits())
    words = [take(uploads, (shapes / "square.mp4").read_bytes(), name) for name in ("../../x/ü.MP4", "b.mp4/../..", "")]
    assert len(set(words)) == 3
    for word in words:
        upload = uploads.get(word)
        assert upload.path.parent == tmp_path / word
        assert upload.path.is_file()
        assert upload.duration_sec == pytest.approx(3.0)
    assert [uploads.get(word).path.name for word in words] == ["video.MP4", "video", "video"]
    for other in ("/etc/hostname", "../square.mp4", str(uploads.get(words[0]).path), "x" * 10_000):
        with pytest.raises(InputError, match="no video that was uploaded here"):
            uploads.get(other)
    with pytest.raises(InputError, match="no video yet"):
        uploads.get(None)


def test_what_cannot_be_kept_is_told_and_gone(tmp_path: Path, shapes: Path) -> None:
    video = (shapes / "square.mp4").read_bytes()
    small = Limits(max_mb=1)
    refused = (
        (small, bytes(1_500_000), None, r"has 2 MB; up to 1 MB are taken \(--max_size\)"),
        (Limits(max_sec=2.0), video, None, r"0:03 long; up to 0:02 are taken \(--max_duration\)"),
        (small, b"no video" * 20, None, "The video cannot be used"),
        (small, video, len(video) + 1, "did not arrive whole"),
        (small, video, len(video) - 1, "did not arrive whole"),
    )
    for limits, data, told, message in refused:
        with pytest.raises(MistakesError, match=message) as error:
            take(Uploads(tmp_path, limits), data, told=told)
        assert [mistake.about for mistake in error.value.mistakes] == ["video"]
        assert not list(tmp_path.iterdir())
    (tmp_path / "there").write_bytes(bytes(5_000_000))
    with pytest.raises(MistakesError, match="All uploads together exceed"):
        take(Uploads(tmp_path, small), video)


def test_work_ends_when_it_takes_too_long_or_nobody_waits() -> None:
    told: list[tuple[float, float]] = []
    Limits().deadline(lambda *step: told.append(step))(1.0, 2.0)
    assert told == [(1.0, 2.0)]
    with pytest.raises(InputError, match=r"takes longer than 0:00 \(--max_work\)"):
        Limits(max_work_sec=0.0).deadline(lambda *_: None)(1.0, 2.0)
    stopped = Event()
    stopped.set()
    with pytest.raises(InputError, match="stopped"):
        Limits().deadline(lambda *_: None, stopped)(1.0, 2.0)


def test_old_uploads_and_clips_go(tmp_path: Path, shapes: Path) -> None:
    uploads = Uploads(tmp_path, Limits())
    old, new = (take(uploads, (shapes / "square.mp4").read_bytes()) for _ in range(2))
    long_ago = time.time() - KEEP_SEC - 1
    os.utime(tmp_path / old, (long_ago, long_ago))
    uploads.sweep()
    assert uploads.get(new).path.exists()
    assert not (tmp_path / old).exists()
    with pytest.raises(InputError, match="it was removed"):
        uploads.get(old)
    made = []
    for number in range(CLIPS_KEPT + 3):
        clip = uploads.clip(str(number), lambda path: path.write_bytes(b"x"))
        assert uploads.clip(str(number), lambda _: pytest.fail("made once")) == clip
        os.utime(clip.parent, (number, number))
        made.append(clip)
    assert [clip.exists() for clip in made] == [False] * 3 + [True] * CLIPS_KEPT
