"""THUMOS14."""

import csv
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from data_modules.annotations.activitynet_format import AnnotatedVideo, Annotation
from data_modules.annotations.official_names import thumos14_labels, words_of_capitals
from data_modules.annotations.published_lists import LISTS
from data_modules.annotations.untrimmed_lists import VideoFiles, oddities, published_open_sets, to_record
from data_modules.batch import UntrimmedRecord
from data_modules.files.text_files import read_text
from data_modules.modules.untrimmed import UntrimmedDataModule, UntrimmedOptions
from data_modules.protocols.trial import DatasetIndex, Split
from data_modules.typed_options import Unpack

log = logging.getLogger(__name__)

_FOLDER = LISTS / "thumos14"
_SUBSETS: Mapping[Split, str] = {"train": "validation", "test": "test"}


class Thumos14(UntrimmedDataModule):
    """412 sports videos from YouTube with 6,365 segments of 20 actions; a sample is a file of about 3.5 minutes.

    As everywhere, the 200 annotated validation videos (3,007 segments) are trained on, as the official training videos
    are trimmed, and 212 of the 213 annotated test videos (3,358 segments) are tested: ``video_test_0001292`` has
    nothing but ambiguous stretches. The annotations and the published open-set splits are packaged; only the videos
    must be downloaded, from https://www.crcv.ucf.edu/THUMOS14/download.html, and unpacked in any layout.

    188 stretches are marked as ambiguous: neither action nor background in training. What shows cliff diving is
    annotated as diving too; both are kept, so that one moment may show two classes. 30 segments end after their video,
    22 of them in ``video_test_0000270``, whose file is shorter than what was annotated. The paper samples 10 frames a
    second: set ``data.frame_rate`` to 10. Papers test on 213 to 210 videos: ``data.exclude known`` leaves out
    ``video_test_0000270`` and ``video_test_0001496`` too, so that 210 are left.

    Licence: none stated; for research. Cite: Jiang et al.: THUMOS challenge: Action recognition with a large number of
    classes, 2014; Idrees et al.: The THUMOS challenge on action recognition for videos "in the wild", CVIU 2017.

    Args:
        root: folder of the videos; it may be missing where ``features`` names a feature store.
        spelling: class names as shown to CLIP: ``natural`` English, or the ``official`` ones, such as
            ``BaseballPitch``.
        options: those that all data sets of untrimmed videos share, see `UntrimmedDataModule`.
    """

    def __init__(
        self, root: Path, spelling: Literal["natural", "official"] = "natural", **options: Unpack[UntrimmedOptions]
    ) -> None:
        super().__init__(root, **options)
        self.spelling = spelling

    @property
    def tious(self) -> tuple[float, ...]:
        """As everybody reports THUMOS14: 0.3 to 0.7."""
        return (0.3, 0.4, 0.5, 0.6, 0.7)

    @property
    def known_oddities(self) -> tuple[str, ...]:
        """Papers test on 213, 212, 211 or 210 videos, with or without these; the second is never tested here."""
        return ("video_test_0000270", "video_test_0001292", "video_test_0001496")

    def published_sizes(self) -> Mapping[str, int]:
        """Counted in the annotation tables of AFSD."""
        return {"train": 200, "test": 212}

    def scan(self) -> DatasetIndex:
        """Find the videos, and read what is in them."""
        labels = thumos14_labels()
        names = labels if self.spelling == "official" else tuple(map(words_of_capitals, labels))
        targets = {label: target for target, label in enumerate(labels)}
        files = VideoFiles(self.root, needed=self.features == "auto")
        records: dict[Split, list[UntrimmedRecord]] = {}
        for split, subset in _SUBSETS.items():
            annotated = [to_record(v, files.place(v.video_id), targets, "THUMOS14") for v in read_annotations(subset)]
            records[split] = [record for record in annotated if record.segments]
            if left_out := [record.video_id for record in annotated if not record.segments]:
                log.info("THUMOS14: left out, as all of it is ambiguous: %s", ", ".join(left_out))
        log.info("THUMOS14: %s", oddities(record for split in records.values() for record in split))
        index = DatasetIndex(names, records, labels)
        return replace(index, published=published_open_sets("thumos14", index))


def read_annotations(subset: str) -> list[AnnotatedVideo]:
    """The packaged annotations of ``validation`` or ``test``, ambiguous stretches included, in the order of the ids."""
    lengths = {row["video"]: float(row["count"]) / float(row["fps"]) for row in _table(f"{subset}_videos.csv.gz")}
    by_video: dict[str, list[Annotation]] = {}
    for row in _table(f"{subset}_segments.csv.gz"):
        annotation = Annotation(row["type"], float(row["start"]), float(row["end"]))
        by_video.setdefault(row["video"], []).append(annotation)
    return [
        AnnotatedVideo(video_id, subset, lengths.get(video_id), tuple(annotations))
        for video_id, annotations in by_video.items()
    ]


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(read_text(_FOLDER / name).splitlines()))
