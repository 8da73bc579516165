"""Captions that tell of more videos than their own: what a test of retrieval takes for right, too."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from data_modules.annotations.caption_rows import read_caption_rows
from data_modules.batch import CaptionedRecord, Record
from data_modules.errors import InputError
from data_modules.files.file_index import stem_of
from data_modules.files.text_files import cut
from data_modules.protocols.trial import Subset


def read_also_right(path: Path, records: Iterable[Record]) -> dict[str, tuple[str, ...]]:
    """More captions of videos, by id.

    Args:
        path: a caption file, see `read_caption_rows`, whose captions stand in the data as those of other videos.
        records: all videos of the data.

    Raises:
        InputError: when the file cannot be read, or a video or a caption of it is none of the data.
    """
    captioned = [record for record in records if isinstance(record, CaptionedRecord)]
    ids, captions = {r.video_id for r in captioned}, {caption for r in captioned for caption in r.captions}
    more: dict[str, dict[str, None]] = defaultdict(dict)
    for row in read_caption_rows(path):
        folder, slash, name = row.video.rpartition("/")
        video_id = row.video if row.video in ids else f"{folder}{slash}{stem_of(name)}"
        caption = " ".join(row.caption.split())
        if video_id not in ids:
            raise InputError(f"{path}, {row.entry}: {cut(row.video)} is none of the videos of this data set.")
        if caption not in captions:
            raise InputError(f"{path}, {row.entry}: no video of this data set has the caption '{cut(caption)}'.")
        more[video_id][caption] = None
    return {video_id: tuple(own) for video_id, own in more.items()}


def with_also_right(subset: Subset, more: dict[str, tuple[str, ...]]) -> Subset:
    """The same videos, which know what else tells of them."""
    records = (
        replace(record, also_right=more[record.video_id])
        if isinstance(record, CaptionedRecord) and record.video_id in more
        else record
        for record in subset.records
    )
    return Subset(subset.class_names, tuple(records))
