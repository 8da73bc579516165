"""Synthetic lists in the official formats, for dry runs of experiments whose real lists are not packaged."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

from data_modules.annotations.kinetics_lists import KineticsSplit
from data_modules.annotations.official_names import ssv2
from data_modules.data_sets.kinetics import Kinetics
from data_modules.data_sets.something_something import SomethingSomethingV2
from data_modules.data_sets.untrimmed_folder import UntrimmedFolder
from data_modules.files.atomic import write_whole
from data_modules.modules.base import VideoDataModule
from data_modules.modules.captioned import CaptionedDataModule
from data_modules.protocols import OpenSet
from data_modules.synthetic.caption_fixtures import caption_files, encoded

_SUBSETS = ("training", "validation")  # of a synthetic annotation, where no option names others
UNTRIMMED_SEC = 24.0  # length of a synthetic untrimmed video
UNTRIMMED_SEGMENTS = ((2.0, 7.5), (10.0, 14.0), (16.5, 23.0))  # the first and last are of one class


def write_annotations(data: VideoDataModule, videos_per_class: int = 4) -> None:
    """Write what a data module needs beyond the packaged lists into its root, with synthetic videos of all classes.

    What is there already stays; data sets whose lists are complete are left as they are.

    Args:
        data: the data module.
        videos_per_class: synthetic videos of each class and split; four times as many where there are no classes.
    """
    if isinstance(data, Kinetics):
        splits: tuple[KineticsSplit, ...] = ("train", "val")
        for split in splits:
            if not data.official.has(split):
                text = _kinetics_csv(data.official.labels, split, videos_per_class)
                _write(data.root / "annotations" / f"{split}.csv", text)
    elif isinstance(data, SomethingSomethingV2) and data.find_list("train") is None:
        text = _ssv2_json(ssv2(), videos_per_class)
        _write(data.root / "labels" / "train.json", text)
    elif isinstance(data, UntrimmedFolder):
        _write(data.ground_truth, _activitynet_json(_labels_of(data), data.subsets or _SUBSETS, videos_per_class))
    elif isinstance(data, CaptionedDataModule):
        for path, text in caption_files(data, 4 * videos_per_class):
            _write(path, text)


def _kinetics_csv(labels: tuple[str, ...], split: str, count: int) -> str:
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["label", "youtube_id", "time_start", "time_end", "split"])
    for number, label in enumerate(label for label in labels for _ in range(count)):
        rows.writerow([label, f"{split:_<5}{number:06d}", 10, 20, split])  # ids have 11 characters
    return stream.getvalue()


def _ssv2_json(labels: tuple[str, ...], count: int) -> str:
    entries = [
        {"id": str(1_000_000 + number), "label": label.lower(), "template": label.replace("something", "[something]")}
        for number, label in enumerate(label for label in labels for _ in range(count))
    ]  # real ids end below 221,000
    return json.dumps(entries, indent=0)


def _labels_of(data: UntrimmedFolder) -> list[str]:
    """Three labels, and those that options of the data set name."""
    named = list(data.renamed)
    if isinstance(data.protocol, OpenSet):
        names = [*(data.protocol.train_classes or ()), *(data.protocol.test_classes or ())]
        named += [name for name in names if name not in data.renamed.values()]
    return list(dict.fromkeys([*named, "class_a", "class_b", "class_c"]))


def _activitynet_json(labels: list[str], subsets: Iterable[str], count: int) -> str:
    database = {}
    for subset in subsets:
        for number in range(len(labels) * count):
            actions = [labels[(number + step) % len(labels)] for step in (0, 1, 0)]
            database[f"{subset.lower()}_{number:04d}"] = {
                "subset": subset,
                "duration": UNTRIMMED_SEC,
                "annotations": [
                    {"label": label, "segment": segment}
                    for label, segment in zip(actions, UNTRIMMED_SEGMENTS, strict=True)
                ],
            }
    return json.dumps({"version": "made up", "database": database}, indent=0)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda temporary: temporary.write_bytes(encoded(path, text)), replace=False)
