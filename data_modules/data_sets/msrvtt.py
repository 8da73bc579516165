"""MSR-VTT."""

import csv
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from data_modules.annotations.captions import captioned_records
from data_modules.annotations.official_captions import read_msrvtt, read_names
from data_modules.annotations.official_files import find_file
from data_modules.annotations.published_lists import LISTS
from data_modules.annotations.untrimmed_lists import VideoFiles
from data_modules.batch import CaptionedRecord
from data_modules.errors import InputError
from data_modules.files.regular_files import is_file, is_folder
from data_modules.files.text_files import read_text
from data_modules.modules.captioned import CaptionedDataModule, CaptionedOptions
from data_modules.protocols.trial import DatasetIndex, Split
from data_modules.typed_options import Unpack

log = logging.getLogger(__name__)

_FOLDER = LISTS / "msrvtt"
_ALL = "MSRVTT_data.json"
_PAIR = ("train_val_videodatainfo.json", "test_videodatainfo.json")
_TEST_1KA = "1k-a_test.csv.gz"  # with captions of its own
_LISTS: Mapping[str, Mapping[Split, str]] = {
    "1k-a-9k": {"train": "1k-a_train_9k.csv.gz", "test": _TEST_1KA},
    "1k-a-7k": {"train": "1k-a_train_7k.csv.gz", "test": _TEST_1KA},
    "full": {"train": "full_train.csv.gz", "val": "full_val.csv.gz", "test": "full_test.csv.gz"},
    "1k-b": {"train": "1k-b_train.txt.gz", "test": "1k-b_test.txt.gz"},
}
_SIZES: Mapping[str, Mapping[Split, int]] = {
    "1k-a-9k": {"train": 9000, "test": 1000},
    "1k-a-7k": {"train": 7010, "test": 1000},
    "full": {"train": 6513, "val": 497, "test": 2990},
    "1k-b": {"train": 6656, "test": 1000},
}


class MSRVTT(CaptionedDataModule):
    """10,000 videos from YouTube with 20 sentences each; a sample is an mp4 file of 10 to 30 seconds.

    Four divisions are in use. ``1k-a-9k`` and ``1k-a-7k``: 1,000 videos with one sentence each are tested (Yu et al.,
    JSFusion, ECCV 2018), and 9,000 or 7,010 others, with all of their sentences, trained on; there is no validation
    split. ``full``, the official one: 6,513, 497 and 2,990 videos. ``1k-b`` (Miech et al., arXiv 1804.02516): 6,656 and
    1,000 videos, another test: 453 videos of the 1k-A test are trained on there. Outside of 1k-A a tested video has all
    of its sentences.

    The lists, and the sentences of the 1k-A test, are packaged. All other captions come with the videos: the official
    pair ``train_val_videodatainfo.json`` and ``test_videodatainfo.json``, or ``MSRVTT_data.json``, the same in one
    file, from https://github.com/ArrowLuo/CLIP4Clip/releases/download/v0.0/msrvtt_data.zip. They belong into ``root``
    or ``root/annotations``. Without them the 1k-A test still runs, and nothing can be trained.

    Licence: none stated; for research. The videos belong to those who uploaded them. Cite: Xu, Mei, Yao, Rui: MSR-VTT:
    A large video description dataset for bridging video and language, CVPR 2016.

    Args:
        root: folder of the videos ``video<number>``, in any layout; it may be missing where ``features`` names a
            feature store.
        split: which division of the videos.
        captions: another place of the captions: one of the official files, or the folder that they are in.
        options: those that all data sets of captioned videos share, see `CaptionedDataModule`.
    """

    def __init__(
        self,
        root: Path,
        split: Literal["1k-a-9k", "1k-a-7k", "full", "1k-b"] = "1k-a-9k",
        captions: Path | None = None,
        **options: Unpack[CaptionedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.split = split
        self.captions_at = captions

    def published_sizes(self) -> Mapping[str, int]:
        """Counted in the packaged lists."""
        return {str(name): size for name, size in _SIZES[self.split].items()}

    @property
    def caption_files(self) -> tuple[Path, ...]:
        """The official caption files that are there.

        Raises:
            InputError: when `captions` names none, or of the official pair only one is there.
        """
        places: tuple[Path, ...] = (self.root, self.root / "annotations")
        if self.captions_at is not None:
            if is_file(self.captions_at) and self.captions_at.name.removesuffix(".gz") not in _PAIR:
                return (self.captions_at,)
            if not (is_file(self.captions_at) or is_folder(self.captions_at)):
                raise InputError(f"data.captions: there is no {self.captions_at}; {self._wanted()}")
            places = (self.captions_at if self.captions_at.is_dir() else self.captions_at.parent,)
        if whole := find_file(places, (_ALL, f"{_ALL}.gz")):
            return (whole,)
        pair = {name: find_file(places, (name, f"{name}.gz")) for name in _PAIR}
        files = tuple(path for path in pair.values() if path is not None)
        if len(files) == 1:
            lacking = next(name for name, path in pair.items() if path is None)
            raise InputError(f"{files[0]} is there, and {lacking} is not; put both of them there, or {_ALL}.")
        if self.captions_at is not None and not files:
            raise InputError(f"data.captions: {self.captions_at} has no captions; {self._wanted()}")
        return files

    def scan(self) -> DatasetIndex:
        """Read the lists and the captions, and find the videos."""
        files = VideoFiles(self.root, needed=self.features == "auto")
        sentences = self._sentences()
        if not sentences and not self.split.startswith("1k-a"):
            raise InputError(f"MSR-VTT: captions are missing; {self._wanted()}")
        records: dict[Split, list[CaptionedRecord]] = {}
        for subset, name in _LISTS[self.split].items():
            if name == _TEST_1KA:
                rows: Iterable[tuple[str, str]] = ((row["video_id"], row["sentence"]) for row in _table(name))
            elif sentences:
                rows = self._of_list(_video_ids(name), sentences)
            else:
                log.warning("MSR-VTT: no captions to train on, so this can only be tested; %s", self._wanted())
                rows = ()
            records[subset] = captioned_records(rows, files.place, self.tally)
        return DatasetIndex((), records)

    def without_captions(self, name: str) -> str:
        """Which file is missing, and where it belongs."""
        return f"MSR-VTT: the captions of split '{name}' are missing; {self._wanted()}"

    def _sentences(self) -> dict[str, list[str]]:
        """All captions by video, in the order of the files."""
        captions: dict[str, list[str]] = {}
        for path in self.caption_files:
            for video_id, caption in read_msrvtt(path):
                captions.setdefault(video_id, []).append(caption)
        known = {video_id for name in _LISTS["full"].values() for video_id in _video_ids(name)}
        if unknown := [video_id for video_id in captions if video_id not in known]:
            log.warning("MSR-VTT: left out: captions of %d unknown videos, first %s", len(unknown), unknown[0])
        return captions

    def _of_list(self, video_ids: Iterable[str], sentences: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
        for video_id in video_ids:
            if video_id not in sentences:
                self.tally.bare.append(video_id)
            yield from ((video_id, caption) for caption in sentences.get(video_id, ()))

    def _wanted(self) -> str:
        return (
            f"put {_ALL} (from https://github.com/ArrowLuo/CLIP4Clip/releases/download/v0.0/msrvtt_data.zip) or the "
            f"official {' and '.join(_PAIR)} into {self.root} or {self.root / 'annotations'}, or name their folder in "
            "data.captions. Only the captions of the 1k-A test are packaged."
        )


def _video_ids(name: str) -> tuple[str, ...]:
    """The videos of a packaged list."""
    if name.endswith(".txt.gz"):
        return read_names(_FOLDER / name)
    return tuple(row["video_id"] for row in _table(name))


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(read_text(_FOLDER / name).splitlines()))
