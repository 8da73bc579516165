"""DiDeMo."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from data_modules.annotations.captions import captioned_records
from data_modules.annotations.official_captions import read_didemo, read_names
from data_modules.annotations.published_lists import LISTS
from data_modules.annotations.untrimmed_lists import VideoFiles
from data_modules.batch import CaptionedRecord
from data_modules.modules.official_captions import OfficialCaptions
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split

log = logging.getLogger(__name__)

_FOLDER = LISTS / "didemo"


class DiDeMo(OfficialCaptions):
    """10,461 videos from Flickr whose descriptions are joined to one paragraph; a sample is a file of 25 to 30 seconds.

    The descriptions tell single moments, about four a video. For retrieval, as everywhere since Liu et al. (Use what
    you have, BMVC 2019), all of a video are joined in the order of the file with blanks between them, and a video has
    this one caption. The lists of 8,392, 1,065 and 1,004 videos are those of albanie/collaborative-experts; the data
    set's paper has three more to train on. Descriptions for validation and testing are packaged; only
    ``train_data.json`` must be downloaded, from https://github.com/LisaAnne/LocalizingMoments/tree/master/data, into
    ``root`` or ``root/annotations``; without it the test still runs, and nothing can be trained. Official files that
    are there are read instead of the packaged ones.

    The same page says how to get the videos. A video's id is its name up to the first dot; its file may be called
    ``<id>``, with any suffix, ``<id>.mov.mp4``, as the official script saves it, or ``<id>.``, as some lists have it.

    Licence: annotations BSD-2-Clause; the videos have Creative Commons licences, which the same page lists. Cite: Anne
    Hendricks et al.: Localizing moments in video with natural language, ICCV 2017.

    Args:
        root: folder of the videos, in any layout; it may be missing where ``features`` names a feature store.
        annotations: another folder of the official ``train_data.json``, ``val_data.json`` and ``test_data.json``.
        options: those that all data sets of captioned videos share, see `CaptionedDataModule`.
    """

    official_names: ClassVar[Mapping[Split, tuple[str, ...]]] = {
        split: (f"{split}_data.json", f"{split}_data.json.gz") for split in SPLITS
    }

    def published_sizes(self) -> Mapping[str, int]:
        """Counted in the packaged lists."""
        return {"train": 8392, "val": 1065, "test": 1004}

    def scan(self) -> DatasetIndex:
        """Read the lists and the descriptions, and find the videos."""
        files = VideoFiles(self.root, needed=self.features == "auto")
        records: dict[Split, list[CaptionedRecord]] = {}
        for split in SPLITS:
            file = self.find_official(split, [_FOLDER])
            if file is None:
                log.warning("DiDeMo: no descriptions to train on, so this can only be tested; %s", self._wanted())
                records[split] = []
                continue
            listed = {video_id_of(name): name for name in read_names(_FOLDER / f"{split}_list.txt.gz")}
            names: dict[str, dict[str, None]] = {video_id: {name: None} for video_id, name in listed.items()}
            descriptions: dict[str, list[str]] = {video_id: [] for video_id in listed}
            others: dict[str, None] = {}
            for name, description in read_didemo(file):
                if (video_id := video_id_of(name)) in listed:
                    names[video_id][name] = None
                    descriptions[video_id].append(description)
                else:
                    others[video_id] = None
            if others:
                log.info("%s: %d videos are in no list for retrieval, first %s", file, len(others), next(iter(others)))
            places = {video_id: self._place(files, video_id, names[video_id]) for video_id in listed}
            records[split] = captioned_records(self._paragraphs(descriptions), places.__getitem__, self.tally)
        return DatasetIndex((), records)

    def without_captions(self, name: str) -> str:
        """Which file is missing, and where it belongs."""
        return f"DiDeMo: the descriptions of split '{name}' are missing; {self._wanted()}"

    def _paragraphs(self, descriptions: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
        for video_id, texts in descriptions.items():
            words = [" ".join(description.split()) for description in texts]
            self.tally.empty += [video_id for text in words if not text]
            if any(words):
                yield video_id, " ".join(text for text in words if text)
            else:
                self.tally.bare.append(video_id)

    def _place(self, files: VideoFiles, video_id: str, names: Iterable[str]) -> Path:
        """The file of a video under any of its names."""
        if file := files.find(video_id, *names, f"{video_id}."):
            return file
        # Names without a suffix, or with one that is not known as a video's, such as 3gp.
        exact = (folder / name for folder in (self.root, self.root / "videos") for name in names)
        return next((path for path in exact if path.is_file()), self.root / f"{video_id}.mp4")

    def _wanted(self) -> str:
        return (
            "put train_data.json (from https://github.com/LisaAnne/LocalizingMoments/tree/master/data) into "
            f"{self.official_place}, or name its folder in data.annotations."
        )


def video_id_of(name: str) -> str:
    """A video's name without any of its suffixes: lists and files disagree about them."""
    return name.replace("\\", "/").rsplit("/", 1)[-1].partition(".")[0]
