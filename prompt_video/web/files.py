"""An answer as files to take along, and moments of indexed videos as pictures and clips."""

import io
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from data_modules.errors import InputError
from data_modules.loading.transforms import resize, square_pixels
from data_modules.video.decoding import VideoReader
from prompt_video.io.outputs import write_json
from prompt_video.io.readable import readable
from prompt_video.io.spreadsheet import write_table
from prompt_video.localization.detection_files import subtitles, write_csv
from prompt_video.localization.selection import Selection
from prompt_video.model.none_of_these import NONE_OF_THESE
from prompt_video.reports.video_previews import write_preview
from prompt_video.search.index import Hit
from prompt_video.web.answers import ClipAnswer, Content
from prompt_video.web.uploads import COPY_SIDE

THUMBNAIL = 180  # pixels of the short side
KINDS = {"srt": "application/x-subrip", "csv": "text/csv", "json": "application/json"}


def file_of(answer: ClipAnswer, kind: str, selection: Selection) -> bytes:
    """One of `KINDS`: subtitles and a table of what is shown, or all that is known.

    Args:
        answer: of which.
        kind: of file.
        selection: the segments that are shown.

    Raises:
        InputError: when there is no such file.
    """
    shown = selection.of(answer.segments.segments) if answer.segments else None
    if kind == "json":
        return written(lambda path: write_json(path, _all(answer)))
    if kind == "csv" and shown is None:
        best = answer.scores.best(len(answer.scores.texts))
        label = answer.scores.label or NONE_OF_THESE
        rows = [(answer.name, rank, *one, label) for rank, one in enumerate(best, start=1)]
        header = ("video", "rank", "class", "probability", "similarity", "label")
        return written(lambda path: write_table(path, header, rows))
    if kind == "csv" and shown is not None:
        return written(lambda path: write_csv(path, {answer.name: shown}))
    if kind == "srt" and shown is not None:
        return subtitles(shown).encode()
    raise InputError("there is no such file.")


def _all(answer: ClipAnswer) -> Content:
    segments = answer.segments.segments if answer.segments else ()
    return {
        "video": answer.name,
        "duration_sec": answer.scores.duration_sec,
        "model": answer.model,
        "notice": answer.notice,
        "label": answer.scores.label,
        "confidence": answer.scores.confidence,
        "none_of_these": answer.rule.state() if answer.rule else None,
        "best": [one._asdict() for one in answer.scores.best(len(answer.scores.texts))],
        "method": answer.segments.method if answer.segments else None,
        "segments": [asdict(segment) for segment in segments],
    }


def written(write: Callable[[Path], object]) -> bytes:
    """What is written to a file, in memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()


def thumbnail(hit: Hit) -> bytes:
    """The frame in the middle of a moment, as JPEG.

    Raises:
        InputError: when its video is gone.
        BrokenVideoError: when it cannot be decoded any more.
    """
    _check_there(hit)
    with VideoReader(hit.path) as reader:
        frames, _ = reader.decode([(hit.start_sec + hit.end_sec) / 2])
        height, width = square_pixels(frames.shape[-2], frames.shape[-1], reader.pixel_aspect)
    scale = min(1.0, THUMBNAIL / min(height, width))
    small = resize(frames[0], max(1, round(height * scale)), max(1, round(width * scale)))
    buffer = io.BytesIO()
    Image.fromarray(small.permute(1, 2, 0).contiguous().numpy()).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def write_clip(hit: Hit, path: Path) -> None:
    """Write a copy of a moment that every browser plays.

    Raises:
        InputError: when its video is gone.
        BrokenVideoError: when it cannot be decoded any more.
    """
    _check_there(hit)
    write_preview(hit.path, path, hit.start_sec, short_side=COPY_SIDE)


def _check_there(hit: Hit) -> None:
    if not hit.path.is_file():
        raise InputError(f"{readable(hit.video_id)} is not where it was when the index was made.")
