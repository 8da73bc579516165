"""Any folder of videos, or any list of them: a user's own data without a new class."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_modules.annotations.class_folders import rows_of_folders
from data_modules.annotations.class_names import names_of
from data_modules.annotations.label_rows import read_label_rows
from data_modules.annotations.list_files import known_records, read_list
from data_modules.annotations.listed_videos import VideosBelow, path_below
from data_modules.batch import Record, labelled
from data_modules.errors import InputError
from data_modules.files.regular_files import is_file, is_folder
from data_modules.files.text_files import cut
from data_modules.modules.trimmed import TrimmedDataModule, TrimmedOptions
from data_modules.protocols.division import Division
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split
from data_modules.typed_options import Unpack


class VideoFolder(TrimmedDataModule):
    """Videos in class folders, or named in a CSV file.

    Folders: ``root/<class>/<video>``, or ``root/<split>/<class>/<video>`` with splits train, val and test, whatever
    their capitals and also by their usual synonyms, such as ``Training`` and ``validation``. CSV: a header
    ``path,label`` or ``path,label,split`` and a row a video, paths relative to ``root``, with or without suffix.
    JSON: a list of objects with these keys, or ``{path: label}``; JSON lines: such an object a line. A video of several
    labels has ``first|second`` or several rows in a CSV, a list in JSON; one that shows none of the classes an empty
    list. Videos without a split are divided by chance: the same way for the same seed, class by class; of several
    classes, each video stands for its rarest.

    Args:
        root: folder of the videos.
        labels: CSV or JSON file with the labels, relative to ``root`` or absolute; null to take them from the folders.
        val_fraction: share of each class for validation where the data names no validation split.
        test_fraction: share of each class for testing where the data names no test split.
        split_seed: of that division; runs with different seeds but the same ``split_seed`` share their splits.
        class_names: names to show to CLIP for folder names or labels that are not natural language, such as
            ``{brush_hair: brushing hair}``; underscores become blanks by themselves.
        options: those that all data sets share, see `TrimmedDataModule`.
    """

    def __init__(
        self,
        root: Path,
        labels: Path | None = None,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        class_names: dict[str, str] | None = None,
        **options: Unpack[TrimmedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.labels = labels
        self.division = Division(val_fraction, test_fraction, split_seed)
        self.renamed = class_names or {}

    def scan(self) -> DatasetIndex:
        """List the videos, in the order of their paths."""
        if not is_folder(self.root):
            raise InputError(
                f"there is no folder {self.root}; set data.root (data.init_args.root in YAML) to your videos."
            )
        rows = self._rows_of_file(self.root / self.labels) if self.labels else _rows_of_folders(self.root)
        labels = sorted({label for row in rows for label in row.labels})
        if unknown := set(self.renamed).difference(labels):
            raise InputError(f"data.class_names renames '{min(unknown)}', but no video of {self.root} has that label.")
        if not labels:
            raise InputError(f"{self.labels} gives no video a label; there is no class to tell videos by.")
        names = names_of(labels, self.renamed, str(self.root))
        splits = self._divide(rows)
        records: dict[Split, list[Record]] = {split: [] for split in SPLITS}
        for row, split in zip(rows, splits, strict=True):
            video_id = row.path.relative_to(self.root).as_posix()
            records[split].append(
                labelled(video_id, row.path, [labels.index(label) for label in row.labels], row.where)
            )
        everything = [record for split in SPLITS for record in records[split]]
        return DatasetIndex(
            names,
            records,
            labels,
            read_list=lambda path: read_list(Path(path), names, labels, known_records(everything)),
        )

    def _rows_of_file(self, file: Path) -> list["_Row"]:
        """A row for each video, in the order in which they are first named."""
        if not is_file(file):
            raise InputError(
                f"there is no label file {file}; set data.labels to a CSV with the header path,label[,split]."
            )
        videos = VideosBelow(self.root)
        rows: dict[Path, _Row] = {}
        for where, name, labels, split in read_label_rows(file):
            listed = path_below(self.root, name, where)
            path = videos.find(listed, where) or self.root / listed
            own = _Row(path, labels, split, where)
            rows[path] = rows[path].joined(own, name, file) if path in rows else own
        return list(rows.values())

    def _divide(self, rows: Sequence["_Row"]) -> list[Split]:
        """Give every row a split: the one it names, or one by chance where the data names none."""
        named = {row.split for row in rows}
        splits: list[Split] = [row.split or "train" for row in rows]
        times = Counter(label for row in rows for label in row.labels)
        free: dict[str, list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            if splits[index] == "train":
                free[min(row.labels, key=lambda label: (times[label], label), default="")].append(index)
        for number, label in enumerate(sorted(free)):
            for split, held_out in self.division.held_out(free[label], named, number).items():
                for index in held_out:
                    splits[index] = split
        if "train" not in splits:
            raise InputError(f"{self.root}: no video is left for training.")
        return splits


@dataclass(frozen=True)
class _Row:
    """One video.

    Args:
        path: of it.
        labels: each once.
        split: None where the data name none.
        where: file and line of the last row that names it; empty where folders do.
    """

    path: Path
    labels: tuple[str, ...]
    split: Split | None
    where: str = ""

    def joined(self, other: "_Row", name: str, file: Path) -> "_Row":
        """This row and a later one of the same video.

        Raises:
            InputError: when they share a label, or one says that it has none, or they are of different splits.
        """
        first = self.where.removeprefix(f"{file}, ")
        if not (self.labels and other.labels) or set(self.labels) & set(other.labels):
            raise InputError(f"{other.where}: {cut(name)} stands already on {first}.")
        if self.split != other.split:
            raise InputError(
                f"{other.where}: {cut(name)} stands in the split '{other.split}' here, and on {first} in "
                f"'{self.split}'; a video has one."
            )
        return replace(other, labels=(*self.labels, *other.labels))


def _rows_of_folders(root: Path) -> list[_Row]:
    return [_Row(path, (label,), split) for path, label, split in rows_of_folders(root)]
