"""Any folder of untrimmed videos with an annotation in ActivityNet's format: a user's own data without a new class."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_modules.annotations.activitynet_format import AnnotatedVideo, read_ground_truth
from data_modules.annotations.class_names import names_of
from data_modules.annotations.times import misfits
from data_modules.annotations.untrimmed_lists import AMBIGUOUS, VideoFiles, oddities, to_record
from data_modules.errors import InputError
from data_modules.modules.untrimmed import UntrimmedDataModule, UntrimmedOptions
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split
from data_modules.typed_options import Unpack

log = logging.getLogger(__name__)

_SUBSETS: Mapping[str, Split] = {
    "training": "train",
    "train": "train",
    "validation": "val",
    "val": "val",
    "testing": "test",
    "test": "test",
}


class UntrimmedFolder(UntrimmedDataModule):
    """Untrimmed videos below a folder, in any layout, and one JSON file that says what happens in them and when.

    The file is as ActivityNet's: ``{"database": {"<id>": {"subset": "training", "duration": 62.5, "annotations":
    [{"label": "long jump", "segment": [3.2, 7.9]}]}}}``, with times in seconds; the duration may be left out. The video
    of an id is called ``<id>`` or ``v_<id>``, with any video's suffix. Segments may overlap, also with those of other
    classes; stretches labelled ``Ambiguous`` are neither action nor background in training.

    Args:
        root: folder of the videos; it may be missing where ``features`` names a feature store.
        annotations: the JSON file, gzip or not, relative to ``root`` or absolute; null for ``annotations.json``.
        subsets: what the file's subsets are, such as ``{Validation: train, Test: test}``; subsets that are not named
            are left out. Null for ``training`` or ``train``, ``validation`` or ``val``, and ``testing`` or ``test``:
            then validation chooses the best checkpoint; where no test video is annotated, as in ActivityNet, it is
            what is tested instead.
        class_names: names to show to CLIP for labels that are not natural language, such as ``{LongJump: long jump}``;
            underscores become blanks by themselves.
        options: those that all data sets of untrimmed videos share, see `UntrimmedDataModule`.
    """

    def __init__(
        self,
        root: Path,
        annotations: Path | None = None,
        subsets: dict[str, Split] | None = None,
        class_names: dict[str, str] | None = None,
        **options: Unpack[UntrimmedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.ground_truth = self.root / (annotations or "annotations.json")
        self.subsets = subsets
        self.renamed = class_names or {}

    @property
    def annotated_in(self) -> str:
        """The annotation file."""
        return str(self.ground_truth)

    def prepare_data(self) -> None:
        """Look whether there are videos at all.

        Raises:
            InputError: when there are none, and no feature store is named.
        """
        paths = [record.path for records in self.dataset_index.records.values() for record in records]
        if self.features == "auto" and not any(path.exists() for path in paths):
            raise InputError(
                f"none of the {len(paths)} videos of {self.ground_truth} is below {self.root}; the first would be "
                f"called {paths[0].name}, or with another video's suffix. Set data.root, or data.features to the store "
                "of their features."
            )

    def scan(self) -> DatasetIndex:
        """Read the annotations, in the order of the file, and find the videos."""
        splits = self._split(list(read_ground_truth(self.ground_truth).values()))
        videos = [video for split in SPLITS for video in splits[split]]
        labels = sorted({a.label for video in videos for a in video.annotations} - {AMBIGUOUS})
        if unknown := set(self.renamed) - set(labels):
            raise InputError(f"data.class_names renames '{min(unknown)}', but {self.ground_truth} has no such label.")
        names = names_of(labels, self.renamed, str(self.ground_truth))
        targets = {label: target for target, label in enumerate(labels)}
        files = VideoFiles(self.root, needed=self.features == "auto")
        records = {
            split: [
                to_record(video, files.place(video.video_id, f"v_{video.video_id}"), targets, str(self.ground_truth))
                for video in splits[split]
            ]
            for split in SPLITS
        }
        misfits((record for split in SPLITS for record in records[split]), {}).check_units(self.annotated_in)
        log.info("%s: %s", self.ground_truth, oddities(record for split in SPLITS for record in records[split]))
        return DatasetIndex(names, records, labels)

    def _split(self, videos: Sequence[AnnotatedVideo]) -> dict[Split, list[AnnotatedVideo]]:
        """The videos of each split."""
        file, names = self.ground_truth, sorted({video.subset for video in videos})
        if not videos:
            raise InputError(f"{file} names no video.")
        if self.subsets is not None and (missing := sorted(set(self.subsets).difference(names))):
            raise InputError(f"data.subsets: {file} has no subset '{missing[0]}'; it has {', '.join(names)}.")
        split_of = self.subsets or {name: _SUBSETS[name.lower()] for name in names if name.lower() in _SUBSETS}
        if unknown := sorted(set(names).difference(split_of)):
            if self.subsets is None:
                raise InputError(
                    f"{file}: what is the subset '{unknown[0]}' for? Say it in data.subsets, such as "
                    f"{{{unknown[0]}: test}}; there are {', '.join(names)}."
                )
            log.info("%s: left out are the subsets %s", file, ", ".join(unknown))
        splits: dict[Split, list[AnnotatedVideo]] = {split: [] for split in SPLITS}
        for video in videos:
            if video.subset in split_of:
                splits[split_of[video.subset]].append(video)
        if self.subsets is None and not any(video.annotations for video in splits["test"]):
            splits["test"], splits["val"] = splits["val"], []
        for split in ("train", "test"):
            if not any(video.annotations for video in splits[split]):
                raise InputError(f"{file}: no video to {split} on is annotated; the subsets are {', '.join(names)}.")
        return splits
