"""Annotated untrimmed videos to records, what is odd about them, and the published open-set splits of their classes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from data_modules.annotations.activitynet_format import AnnotatedVideo
from data_modules.annotations.listed_videos import path_below
from data_modules.annotations.published_lists import LISTS, Published
from data_modules.batch import Segment, UntrimmedRecord
from data_modules.errors import InputError
from data_modules.files.file_index import FileIndex
from data_modules.files.regular_files import is_folder
from data_modules.files.text_files import read_text
from data_modules.protocols.trial import DatasetIndex, LazyTrials, Trial

AMBIGUOUS = "Ambiguous"  # what THUMOS14 calls a stretch of which the annotators could not tell; no class
OPEN_SETS = ("75_25", "50_50")  # seen and unseen classes, in per cent


class VideoFiles:
    """Where the videos of a data set are.

    Args:
        root: folder of the videos.
        needed: whether it must be there; otherwise, where all features are stored, it may be missing.

    Raises:
        InputError: when the folder is needed and missing.
    """

    def __init__(self, root: Path, *, needed: bool) -> None:
        self.root = root
        self._files = FileIndex(root) if needed or is_folder(root) else None

    def find(self, *stems: str) -> Path | None:
        """The first that is there of several names without suffix."""
        if self._files is None:
            return None
        return next((path for stem in stems if (path := self._files.find(stem)) is not None), None)

    def place(self, *stems: str) -> Path:
        """The same; of a missing video the path where the first name would have it.

        Raises:
            InputError: when that would be outside of the folder.
        """
        if "/" in stems[0]:
            path_below(self.root, stems[0], "the name of a video")
        return self.find(*stems) or self.root / f"{stems[0]}.mp4"


def to_record(video: AnnotatedVideo, path: Path, targets: Mapping[str, int], source: str) -> UntrimmedRecord:
    """One video with its segments as annotated; stretches labelled `AMBIGUOUS` are kept apart.

    Args:
        video: as read.
        path: its file.
        targets: index of each official label.
        source: the annotation file, for messages.

    Raises:
        InputError: when a label is no class.
    """
    segments, ambiguous = [], []
    for annotation in video.annotations:
        if annotation.label == AMBIGUOUS:
            ambiguous.append((annotation.start_sec, annotation.end_sec))
        elif (target := targets.get(annotation.label)) is not None:
            segments.append(Segment(annotation.start_sec, annotation.end_sec, target))
        else:
            raise InputError(
                f"{source}, video '{video.video_id}': '{annotation.label}' is no class of this data set; is the file "
                "of another version of it?"
            )
    return UntrimmedRecord(
        video.video_id, path, segments=tuple(segments), ambiguous_sec=tuple(ambiguous), duration_sec=video.duration_sec
    )


@dataclass(frozen=True)
class Oddities:
    """What is not as one would expect in an annotation, each as ``<video>: <start> to <end> s``.

    Testing keeps all of it as it stands, as the official evaluations do; training leaves out or cuts what cannot be.

    Args:
        reversed: segments that end at or before their start.
        before_start: segments that start before their video.
        beyond_end: segments that end after their video.
        ambiguous: stretches of which the annotators could not tell.
    """

    reversed: tuple[str, ...]
    before_start: tuple[str, ...]
    beyond_end: tuple[str, ...]
    ambiguous: tuple[str, ...]

    def __str__(self) -> str:
        before = f"{len(self.before_start)} start before their video; " if self.before_start else ""
        return (
            f"{len(self.reversed)} segments end at or before their start, {len(self.beyond_end)} after their video; "
            f"{before}{len(self.ambiguous)} stretches are ambiguous"
        )


def oddities(records: Iterable[UntrimmedRecord]) -> Oddities:
    """What is odd about some videos; one of unknown length has no segment beyond its end."""
    turned, before, beyond, ambiguous = [], [], [], []
    for record in records:
        for segment in record.segments:
            stretch = f"{record.video_id}: {segment.start_sec:g} to {segment.end_sec:g} s"
            if segment.end_sec <= segment.start_sec:
                turned.append(stretch)
            if segment.start_sec < 0:
                before.append(stretch)
            if record.duration_sec is not None and segment.end_sec > record.duration_sec:
                beyond.append(f"{stretch} of {record.duration_sec:g} s")
        ambiguous += [f"{record.video_id}: {start:g} to {end:g} s" for start, end in record.ambiguous_sec]
    return Oddities(tuple(turned), tuple(before), tuple(beyond), tuple(ambiguous))


def published_open_sets(folder: str, index: DatasetIndex) -> Published:
    """The packaged class splits of a data set, 10 trials each: ``open_set_75_25`` and ``open_set_50_50``.

    Args:
        folder: below ``lists``.
        index: of all classes.
    """
    return {
        f"open_set_{split}": partial(_open_set, LISTS / folder / f"open_set_{split}.json.gz", index)
        for split in OPEN_SETS
    }


def _open_set(file: Path, index: DatasetIndex) -> LazyTrials:
    """Trained on the training videos of the seen classes, tested on the test videos of the unseen ones.

    Source: ``datasplits/Open-set Action Localisation`` of ju-chen/Efficient-Prompt.
    """
    packed = json.loads(read_text(file))
    name_of = dict(zip(index.labels, index.class_names, strict=True))
    names = [name_of[label] for label in packed["classes"]]
    train, test = index.subset("train"), index.subset("test")

    def make(number: int) -> Trial:
        seen, unseen = ([names[place] for place in packed["parts"][part][str(number)]] for part in ("train", "test"))
        return Trial(f"split {number}", train.only(seen), {"test": test.only(unseen)})

    return LazyTrials(make, len(packed["parts"]["train"]))
