"""LSMDC, the Large Scale Movie Description Challenge."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from data_modules.annotations.captions import captioned_records
from data_modules.annotations.official_captions import read_lsmdc
from data_modules.annotations.untrimmed_lists import VideoFiles
from data_modules.errors import InputError
from data_modules.modules.official_captions import OfficialCaptions
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split

FILES: Mapping[Split, str] = {
    "train": "LSMDC16_annos_training.csv",
    "val": "LSMDC16_annos_val.csv",
    "test": "LSMDC16_challenge_1000_publictect.csv",
}


class LSMDC(OfficialCaptions):
    """Clips of 202 movies with a sentence each, of audio descriptions; a sample is an avi file of a few seconds.

    118,081 clips in all. 1,000 clips are tested, as the retrieval challenge of 2016 chose them, and 7,408 are for
    validation. Of those to train on, sources count differently: albanie/collaborative-experts 101,079 in the file,
    CLIP4Clip 109,673, which is what is left of 118,081. A clip of the training file may have several sentences; of the
    test file none has (dataloader_lsmdc_retrieval.py of ArrowLuo/CLIP4Clip). The code of X-Pool leaves out the clip
    ``1012_Unbreakable_00.05.16.065-00.05.21.941``; here it stays, and counts as broken where its file cannot be read.

    Nothing is packaged: captions and videos are under the owner's agreement, for research, and come from
    https://sites.google.com/site/describingmovies/download. The files ``LSMDC16_annos_training.csv``,
    ``LSMDC16_annos_val.csv`` and ``LSMDC16_challenge_1000_publictect.csv`` belong into ``root`` or
    ``root/annotations``. The videos are called ``<movie>/<clip id>.avi``. Cite: Rohrbach et al.: Movie description,
    IJCV 2017.

    Args:
        root: folder of the videos, in any layout; it may be missing where ``features`` names a feature store.
        annotations: another folder of the three files.
        options: those that all data sets of captioned videos share, see `CaptionedDataModule`.
    """

    official_names: ClassVar[Mapping[Split, tuple[str, ...]]] = {
        split: (name, f"{name}.gz") for split, name in FILES.items()
    }

    def published_sizes(self) -> Mapping[str, int]:
        """As far as sources agree."""
        return {"val": 7408, "test": 1000}

    def scan(self) -> DatasetIndex:
        """Read the sentences, in the order of the files, and find the clips."""
        files = {split: self.find_official(split) for split in SPLITS}
        if missing := [FILES[split] for split, file in files.items() if file is None]:
            raise InputError(
                f"LSMDC: {', '.join(missing)} not found; put what https://sites.google.com/site/describingmovies/"
                f"download gives those who signed its agreement into {self.official_place}, or name the folder in "
                "data.annotations."
            )
        videos = VideoFiles(self.root, needed=self.features == "auto")

        def place_of(clip_id: str) -> Path:
            # The name of a movie, which is its folder, ends where the times begin.
            return videos.find(clip_id) or self.root / clip_id.partition(".")[0][:-3] / f"{clip_id}.avi"

        return DatasetIndex(
            (),
            {
                split: captioned_records(read_lsmdc(file), place_of, self.tally)
                for split, file in files.items()
                if file is not None
            },
        )
