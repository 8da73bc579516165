"""ActivityNet 1.3."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

from data_modules.annotations.activitynet_format import AnnotatedVideo, read_ground_truth
from data_modules.annotations.official_files import find_file
from data_modules.annotations.official_names import activitynet_labels, words_of_activity
from data_modules.annotations.published_lists import LISTS
from data_modules.annotations.untrimmed_lists import VideoFiles, oddities, published_open_sets, to_record
from data_modules.batch import UntrimmedRecord
from data_modules.errors import InputError
from data_modules.files.regular_files import is_folder
from data_modules.modules.untrimmed import UntrimmedDataModule, UntrimmedOptions
from data_modules.protocols.trial import DatasetIndex, Split
from data_modules.typed_options import Unpack

log = logging.getLogger(__name__)

_FILE = "activity_net.v1-3.min.json"
_PACKAGED = LISTS / "activitynet" / "ground_truth.json.gz"
_SUBSETS: Mapping[Split, str] = {"train": "training", "test": "validation"}


class ActivityNet13(UntrimmedDataModule):
    """14,950 videos from YouTube with 23,064 segments of 200 activities; a sample is a file of about 2 minutes.

    The 10,024 training videos (15,410 segments) are trained on, and the 4,926 validation videos (7,654 segments) are
    the test split here, as the segments of the 5,044 test videos are not public. The annotations and the published
    open-set splits are packaged; only the videos must be downloaded, as http://activity-net.org/download.html says.
    They lie in any layout and are called ``v_<id>`` or ``<id>``.

    12 segments end where they start and 226 end after their video: the evaluation takes them as they are, as the
    official one does; training cuts them or leaves them out. The paper divides every video into 768 frames: see
    `WholeVideo`.

    Licence: none stated for the annotations; the videos belong to those who uploaded them. Cite:
    Caba Heilbron, Escorcia, Ghanem, Niebles: ActivityNet: A large-scale video benchmark for human activity
    understanding, CVPR 2015.

    Args:
        root: folder of the videos; it may be missing where ``features`` names a feature store.
        spelling: class names as shown to CLIP: ``natural`` English, where five names such as ``Mooping floor`` are
            mended, or the ``official`` ones.
        annotations: the official file ``activity_net.v1-3.min.json``, or the folder that it is in; null to look for it
            in ``root`` and ``root/annotations`` and otherwise take the packaged one.
        options: those that all data sets of untrimmed videos share, see `UntrimmedDataModule`.
    """

    def __init__(
        self,
        root: Path,
        spelling: Literal["natural", "official"] = "natural",
        annotations: Path | None = None,
        **options: Unpack[UntrimmedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.spelling = spelling
        self.annotations = annotations

    def published_sizes(self) -> Mapping[str, int]:
        """Counted in the packaged ground truth."""
        return {"train": 10024, "test": 4926}

    def scan(self) -> DatasetIndex:
        """Find the videos, and read what is in them."""
        labels = activitynet_labels()
        names = labels if self.spelling == "official" else tuple(map(words_of_activity, labels))
        records = self._records({label: target for target, label in enumerate(labels)})
        log.info("ActivityNet 1.3: %s", oddities(record for split in records.values() for record in split))
        index = DatasetIndex(names, records, labels)
        return replace(index, published=published_open_sets("activitynet", index))

    @property
    def ground_truth(self) -> Path:
        """The annotation file in use."""
        if self.annotations is not None:
            return self.annotations / _FILE if is_folder(self.annotations) else self.annotations
        return find_file((self.root, self.root / "annotations"), (_FILE, f"{_FILE}.gz")) or _PACKAGED

    @property
    def annotated_in(self) -> str:
        """The annotation file."""
        return str(self.ground_truth)

    def _records(self, targets: Mapping[str, int]) -> dict[Split, list[UntrimmedRecord]]:
        file = self.ground_truth
        videos = _packaged() if file == _PACKAGED else read_ground_truth(file)
        files = VideoFiles(self.root, needed=self.features == "auto")
        records: dict[Split, list[UntrimmedRecord]] = {}
        for split, subset in _SUBSETS.items():
            records[split] = [
                to_record(video, files.place(f"v_{video_id}", video_id), targets, str(file))
                for video_id, video in videos.items()
                if video.subset == subset
            ]
            if not records[split]:
                raise InputError(f"{file} has no video of subset '{subset}'; take the official {_FILE}.")
        return records


@cache
def _packaged() -> dict[str, AnnotatedVideo]:
    """The packaged annotation, to be read only; read once a process."""
    return read_ground_truth(_PACKAGED)
