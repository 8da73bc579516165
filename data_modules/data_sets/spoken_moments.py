"""Spoken Moments in Time."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from data_modules.annotations.captions import captioned_records
from data_modules.annotations.official_captions import read_names
from data_modules.annotations.untrimmed_lists import VideoFiles
from data_modules.batch import CaptionedRecord
from data_modules.errors import InputError
from data_modules.files.text_files import read_text
from data_modules.modules.official_captions import OfficialCaptions
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split

log = logging.getLogger(__name__)

_TRANSCRIPTIONS = "transcriptions"


class SpokenMoments(OfficialCaptions):
    """Videos of 3 seconds that people described aloud (S-MiT); captions are the transcriptions of a speech recogniser.

    About 500,000 training videos of Multi-Moments in Time and 10,000 of its validation videos, 515,912 captions in all,
    of 18 words on average. As they are transcriptions, they have mistakes. How many videos each split has is in no
    source that could be read.

    Nothing is packaged: lists, transcriptions and videos come on request from http://moments.csail.mit.edu/spoken.html.
    The layout that is read is the one that ``projects/densevoc/tools/build_smit_tfrecord.py`` of google-research/scenic
    reads: ``train_set.txt``, which names a video a line, without suffix, ``transcriptions/<video>.txt``, whose first
    line is the caption, and ``<video>.mp4`` anywhere. That script names the training list alone; what the others are
    called in the download was not found. Here they must be called ``val_set.txt``, which may be missing, and
    ``test_set.txt``: rename them. Captions in one table instead are for `CaptionedFolder`.

    Licence: that of its makers, for research. Cite: Monfort et al.: Spoken Moments: Learning joint audio-visual
    representations from video descriptions, CVPR 2021.

    Args:
        root: folder of the videos; it may be missing where ``features`` names a feature store.
        annotations: folder of the lists and of ``transcriptions``; null for ``root`` or ``root/annotations``.
        options: those that all data sets of captioned videos share, see `CaptionedDataModule`.
    """

    official_names: ClassVar[Mapping[Split, tuple[str, ...]]] = {
        "train": ("train_set.txt",),
        "val": ("val_set.txt", "validation_set.txt"),
        "test": ("test_set.txt",),
    }

    def scan(self) -> DatasetIndex:
        """Read the lists and transcriptions, in the order of the lists, and find the videos."""
        lists = {split: self.find_official(split) for split in SPLITS}
        required: tuple[Split, ...] = ("train", "test")
        if missing := [self.official_names[split][0] for split in required if lists[split] is None]:
            raise InputError(
                f"Spoken Moments in Time: {' and '.join(missing)} not found; put the lists and the folder "
                f"'{_TRANSCRIPTIONS}' that http://moments.csail.mit.edu/spoken.html sends you into "
                f"{self.official_place}, or name their folder in data.annotations. The lists may need other names: "
                "train_set.txt, val_set.txt, test_set.txt."
            )
        files = VideoFiles(self.root, needed=self.features == "auto")

        def place_of(video_id: str) -> Path:
            exact = self.root / f"{video_id}.mp4"
            if exact.is_file():
                return exact
            return files.find(video_id.rsplit("/", 1)[-1]) or exact

        records: dict[Split, list[CaptionedRecord]] = {}
        for split, file in lists.items():
            if file is not None:
                records[split] = captioned_records(self._rows(file), place_of, self.tally)
        return DatasetIndex((), records)

    def _rows(self, file: Path) -> Iterator[tuple[str, str]]:
        """Videos of a list, each with its transcription."""
        folder = file.parent / _TRANSCRIPTIONS
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}, where the captions of {file} should be.")
        names = read_names(file)
        log.info("%s: reading the transcriptions of %d videos", file, len(names))
        missing = []
        for name in names:
            path = folder / f"{name}.txt"
            if path.is_file():
                yield name.removesuffix(".mp4"), read_text(path).partition("\n")[0]
            else:
                missing.append(name)
        if len(missing) == len(names):
            raise InputError(f"{folder} has no transcription of {file}; the first would be {folder / names[0]}.txt.")
        self.tally.bare += missing
