"""Detections as files for people: a table for a spreadsheet, and subtitles that any player shows over its video."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from data_modules.annotations.activitynet_format import Detection
from data_modules.files.atomic import write_whole
from data_modules.files.file_index import stem_of
from prompt_video.io.readable import readable
from prompt_video.io.spreadsheet import write_table
from prompt_video.localization.selection import AT_MOST, Selection, best_first, merged

MAX_LINES = 3  # of one subtitle; more would hide the picture
NO_LABEL = "action"  # shown for detections that name no class

# What Windows does not take in a file's name, or no encoding can hold, and a percent sign that would read as the number
# of such a sign. Other percent signs stay: a player looks for the subtitles of "100% fun.mp4" under that very name.
_RESERVED = re.compile(r'[<>:"|?*\\\x00-\x1f\ud800-\udfff]|%(?=[01][0-9A-F]|2[25AE]|3[ACEF]|5C|7C|D[89A-F][0-9A-F]{2})')
_LONGEST = 255  # bytes of a name


def write_csv(path: Path, detections: Mapping[str, Sequence[Detection]]) -> None:
    """Write all detections as a table: ``video_id,label,start_sec,end_sec,score``, best first within a video.

    Times have milliseconds and scores six digits; the exact figures are in the result file, see
    `data_modules.annotations.activitynet_format.write_detections`.

    Args:
        path: the file, UTF-8; written whole or not at all.
        detections: of each video.
    """
    rows = (
        (video_id, d.label, f"{d.start_sec:.3f}", f"{d.end_sec:.3f}", f"{d.score:.6g}")
        for video_id, own in detections.items()
        for d in best_first(own)
    )
    write_table(path, ("video_id", "label", "start_sec", "end_sec", "score"), rows)


def write_subtitles(
    folder: Path,
    detections: Mapping[str, Sequence[Detection]],
    min_score: float,
    min_seconds: float = 0.0,
    at_most: int = AT_MOST,
    *,
    ids_are_files: bool = False,
) -> list[Path]:
    """Write a SubRip file for every video in which something is shown.

    The video ``train/a.mp4`` gets ``train/a.srt``: beside the video a player finds it by itself. An id can name no
    file outside the folder; signs that a file's name cannot hold are written as ``%`` and their number, and a name that
    is too long is cut.

    Args:
        folder: for the files, UTF-8, each written whole or not at all.
        detections: of each video.
        min_score: scores from here on are shown.
        min_seconds: what is shorter, after detections of one label that overlap became one, is not shown.
        at_most: detections of one video that are shown, the best.
        ids_are_files: ids are paths of files that are here, below one folder: no sign of them need be another one.

    Returns:
        The files that were written; a video in which nothing is shown has none, also where an earlier one was.
    """
    selection = Selection(min_score, at_most)
    stems = {video_id: _stem(video_id) for video_id in detections}
    times_used = Counter(stems.values())
    written = []
    for video_id, own in detections.items():
        stem = stems[video_id] if times_used[stems[video_id]] == 1 else video_id
        parts = f"{stem}.srt".split("/")
        path = folder.joinpath(*(parts if ids_are_files else map(_safe, parts)))
        text = subtitles(selection.of(own), min_seconds)
        if not text:
            path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, partial(_write_text, text))
        written.append(path)
    return written


@dataclass(frozen=True)
class _Cue:
    start_ms: int
    end_ms: int
    text: str


def subtitles(detections: Iterable[Detection], min_seconds: float = 0.0) -> str:
    """The text of a SubRip file; empty without detections.

    Entries never overlap, which players show badly: time is cut where a detection starts or ends, and each stretch
    names what goes on in it, the best first.

    Args:
        detections: of one video; all are shown, but at most three at a time.
        min_seconds: see `write_subtitles`.
    """
    shown = [d for d in merged(detections) if d.end_sec - d.start_sec >= min_seconds]
    entries = (
        f"{number}\n{_clock(cue.start_ms)} --> {_clock(cue.end_ms)}\n{cue.text}\n\n"
        for number, cue in enumerate(_cues(shown), start=1)
    )
    return "".join(entries)


def _cues(detections: Sequence[Detection]) -> list[_Cue]:
    # In whole milliseconds from here on: what rounds to nothing is gone, what touches still touches.
    spans = [(round(1000 * d.start_sec), round(1000 * d.end_sec), d) for d in detections]
    cuts = sorted({moment for start, end, _ in spans for moment in (start, end)})
    cues: list[_Cue] = []
    for start, end in pairwise(cuts):
        on = best_first(d for first, last, d in spans if first <= start and end <= last)
        if not on:
            continue
        text = "\n".join(_line(d) for d in on[:MAX_LINES])
        if cues and (cues[-1].end_ms, cues[-1].text) == (start, text):
            start = cues.pop().start_ms
        cues.append(_Cue(start, end, text))
    return cues


def _line(detection: Detection) -> str:
    # A line break or an arrow would end the entry.
    label = readable(" ".join(detection.label.replace("-->", "→").split())) or NO_LABEL
    return f"{label} ({detection.score:.2f})"


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d},{rest:03d}"


def _stem(video_id: str) -> str:
    """The id without a video's suffix."""
    folder, slash, name = video_id.rpartition("/")
    return f"{folder}{slash}{stem_of(name)}" if name else video_id


def _safe(part: str) -> str:
    """A part of a path that stays one part, and is never the folder above; different ones stay different."""
    if set(part) <= {"."}:
        return part.replace(".", "%2E") or "%"
    if part == "%":
        return "%25"
    safe = _RESERVED.sub(lambda sign: f"%{ord(sign[0]):02X}", part)
    if len(os.fsencode(safe)) <= _LONGEST:
        return safe
    mark = f"~{sha256(part.encode(errors='surrogatepass')).hexdigest()[:12]}{os.path.splitext(safe)[1]}"  # noqa: PTH122 - no path
    return os.fsencode(safe)[: _LONGEST - len(os.fsencode(mark))].decode(errors="ignore") + mark


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
