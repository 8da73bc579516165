"""Rows of videos and captions to records, and what was put right on the way."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from data_modules.batch import CaptionedRecord


@dataclass
class CaptionTally:
    """What is left out of caption files; the first of each kind is named.

    Args:
        empty: captions without a word, by video.
        repeated: captions that their video has already.
        bare: videos that have no caption but empty ones.
    """

    empty: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)

    def describe(self) -> str:
        """One line that counts each kind and names the first; empty where nothing was left out."""
        kinds = (
            ("empty caption{s}, the first of", self.empty),
            ("repeated caption{s}, the first of", self.repeated),
            ("video{s} without a caption, the first is", self.bare),
        )
        sentences = [f"{len(ids):,} {kind.format(s='s' * (len(ids) > 1))} {ids[0]}" for kind, ids in kinds if ids]
        return "left out: " + "; ".join(sentences) if sentences else ""


def captioned_records(
    rows: Iterable[tuple[str, str]], place: Callable[[str], Path], tally: CaptionTally
) -> list[CaptionedRecord]:
    """One record a video, in the order in which they are first named; captions in the order of the rows.

    White space in a caption, line breaks too, becomes one blank. Empty captions, and those that their video has
    already, are left out and counted.

    Args:
        rows: video id and caption.
        place: where a video is.
        tally: of what is left out.
    """
    captions: dict[str, dict[str, None]] = {}
    for video_id, text in rows:
        own = captions.setdefault(video_id, {})
        caption = " ".join(text.split())
        if not caption:
            tally.empty.append(video_id)
        elif caption in own:
            tally.repeated.append(video_id)
        own[caption] = None
    records = []
    for video_id, own in captions.items():
        own.pop("", None)
        if own:
            records.append(CaptionedRecord(video_id, place(video_id), captions=tuple(own)))
        else:
            tally.bare.append(video_id)
    return records
