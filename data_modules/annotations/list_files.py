"""Lists of videos and labels as the field's repositories write them: what a row says, and rows to records."""

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from data_modules.annotations.listed_videos import check_name, endings
from data_modules.annotations.split_names import split_named
from data_modules.batch import Record, labelled
from data_modules.errors import InputError
from data_modules.files.file_index import VIDEO_SUFFIXES
from data_modules.files.text_files import composed, cut, excerpt, read_lines
from data_modules.protocols.trial import Split, Subset

MakeRecord: TypeAlias = Callable[[str, Sequence[int]], Record]  # name as listed, targets -> a record of its file
_Lines: TypeAlias = dict[int, int]  # the line of each class of a video

_SUFFIXES = "|".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))
# A name that ends in a video's suffix, then blanks: everything after it is the label, blanks and commas included.
_NAME_WITH_SUFFIX = re.compile(rf'([^"].*\.(?:{_SUFFIXES}))(?:\s+(.*))?', re.IGNORECASE)
BETWEEN_LABELS = "|"  # between the labels of one video
_HEADER_WORDS = {"path", "video", "video_id", "video_path", "name", "file", "filename", "id"}
_LABEL_WORDS = {"label", "class", "class_name", "class_id", "category", "target", "action"}


class Row(NamedTuple):
    """One line of a list; the label is empty where the folder of the name has to say it."""

    line: int
    name: str
    label: str
    text: str


class ClassTable:
    """Class names by whatever a list calls them: number, name or official label; blanks and underscores are alike.

    Args:
        class_names: as shown to CLIP; numbers count them from 0.
        labels: their official spelling; empty where it is the same.
    """

    def __init__(self, class_names: Sequence[str], labels: Sequence[str] = ()) -> None:
        self.class_names, self.labels = tuple(class_names), tuple(labels or class_names)
        self._targets: dict[str, int] = {}
        spellings = [[composed(text) for text in spelling] for spelling in (class_names, labels)]
        for spelling in spellings:
            for target, text in enumerate(spelling):
                self._targets.setdefault(text, target)
        for spelling in spellings:
            for target, text in enumerate(spelling):
                self._targets.setdefault(text.replace("_", " "), target)
        self.most_words = max((len(text.split()) for text in self._targets), default=0)
        for target in range(len(class_names)):
            self._targets.setdefault(str(target), target)

    def target(self, text: str) -> int | None:
        """The target that a label means; None when it means none."""
        target = self._targets.get(text)
        return self._targets.get(text.replace("_", " ")) if target is None else target

    def known(self, text: str, where: str) -> int:
        """The target that a label means.

        Args:
            text: the label.
            where: it stands, for messages.

        Raises:
            InputError: when it means none.
        """
        if (target := self.target(text)) is None:
            raise InputError(
                f"{where}: '{cut(text)}' is no class of this data set; is the file of another version of it?"
            )
        return target


def split_of_cell(text: str) -> Split | None:
    """The split that a cell means; None for an empty one.

    Raises:
        InputError: when it means none.
    """
    split = split_named(text)
    if split is None and text.strip():
        raise InputError(f"{excerpt(text.strip().lower())} is not a split; use train, val or test.")
    return split


def labels_of_cell(text: str) -> tuple[str, ...]:
    """The labels that a cell means, one or several with ``|`` between.

    Raises:
        InputError: when one is empty, or stands there twice.
    """
    return check_labels([label.strip() for label in text.split(BETWEEN_LABELS)])


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels of one video as they are.

    Raises:
        InputError: when one is empty, or stands there twice.
    """
    for place, label in enumerate(labels):
        if not label:
            raise InputError(f"one of the labels is empty: {excerpt(list(labels))}.")
        if label in labels[:place]:
            raise InputError(f"the label '{cut(label)}' stands there twice; remove one of the two.")
    return tuple(labels)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a list: ``video label``, ``video,label`` with or without a header, or ``class/video`` alone.

    Raises:
        InputError: when the file cannot be read, or has no row.
    """
    is_empty, is_csv = True, path.name.removesuffix(".gz").endswith(".csv")
    for number, text in read_lines(path):
        if is_csv and not text.strip(", \t"):
            continue
        try:
            name, label = _name_and_label(text, is_csv)
            if is_empty and name.lower() in _HEADER_WORDS and (label.lower() in _LABEL_WORDS or "," in text):
                continue
            if not name:
                raise InputError(f"the row names no video: {cut(text)!r}.")
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
        check_name(name, f"{path}, line {number}")
        is_empty = False
        yield Row(number, name, label, text)
    if is_empty:
        raise InputError(f"{path} names no video.")


def read_list(path: Path, class_names: Sequence[str], labels: Sequence[str], record: MakeRecord) -> Subset:
    """A list as videos with targets: of a video several, where ``|`` stands between labels or rows repeat it.

    Args:
        path: of the list.
        class_names: as shown to CLIP; targets index them, and so do labels that are numbers.
        labels: their official spelling; empty where it is the same.
        record: makes the record of a listed name and its targets, whose own is not looked at; an `InputError` from it
            gets file and line in front.

    Raises:
        InputError: when the list cannot be read, a class is unknown, or a video has one twice.
    """
    table = ClassTable(class_names, labels)
    listed: dict[str, _Lines] = defaultdict(dict)
    for row in read_rows(path):
        where = f"{path}, line {row.line}"
        name, targets = _resolve(row, table, where)
        _note(listed[check_name(name, where)], dict.fromkeys(targets, row.line), name, path)
    known: dict[str, tuple[Record, _Lines]] = {}  # by id: two names may be of one video
    for name, lines in listed.items():
        try:
            made = record(name, tuple(lines))
        except InputError as error:
            raise InputError(f"{path}, line {min(lines.values())}: {error}") from None
        _note(known.setdefault(made.video_id, (made, {}))[1], lines, name, path)
    records = (
        labelled(made.video_id, made.path, tuple(lines), f"{path}, line {max(lines.values())}")
        for made, lines in known.values()
    )
    return Subset(tuple(class_names), tuple(records))


def _note(known: _Lines, lines: _Lines, name: str, path: Path) -> None:
    """Add the classes of a video to those that are known of it."""
    for target, line in lines.items():
        if (first := known.setdefault(target, line)) != line:
            raise InputError(f"{path}, line {line}: {cut(name)} stands already on line {first}; remove one of the two.")


def known_records(records: Iterable[Record]) -> MakeRecord:
    """For `read_list`: finds what is listed among records that are known, by as much of their paths as it takes."""
    by_name: dict[str, list[Record]] = {}
    for record in records:
        for name in endings(record.video_id):
            by_name.setdefault(name, []).append(record)

    def find(name: str, _: Sequence[int]) -> Record:
        candidates = next((by_name[ending] for ending in endings(name) if ending in by_name), [])
        if not candidates:
            raise InputError(f"{cut(name)} is none of the videos of this data set.")
        if len(candidates) > 1:
            raise InputError(
                f"{cut(name)} may be {candidates[0].path} or {candidates[1].path}; write more of its path."
            )
        return candidates[0]

    return find


def _name_and_label(text: str, is_csv: bool) -> tuple[str, str]:
    """What a row says; the label is empty where it says none. Between them may be more columns."""
    if not is_csv and (match := _NAME_WITH_SUFFIX.fullmatch(text)):
        return match[1], match[2] or ""
    if is_csv or "," in text:
        try:
            cells = [cell.strip() for cell in next(csv.reader([text], strict=True, skipinitialspace=True))]
        except csv.Error as error:
            raise InputError(f"{cut(text)!r} cannot be read ({error}); close every quote.") from None
        return cells[0], cells[-1] if len(cells) > 1 else ""
    name, *label = text.rsplit(None, 1)
    # The folder of `class/video` may hold blanks; a label holds no slash.
    return (text, "") if not label or "/" in label[0] else (name, label[0])


def _resolve(row: Row, table: ClassTable, where: str) -> tuple[str, list[int]]:
    """Name and targets of a row; between several labels stands ``|``.

    Raises:
        InputError: when a label means no class, or the class of another.
    """
    rows = [row]
    if BETWEEN_LABELS in row.label:
        try:
            rows = [row._replace(label=label) for label in labels_of_cell(row.label)]
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        rows[0] = rows[0]._replace(text=row.text.removesuffix(row.label) + rows[0].label)
    name, first = _resolve_first(rows[0], table)
    targets: list[int] = []
    for own, target in zip(rows, [first, *(table.target(other.label) for other in rows[1:])], strict=True):
        if target is None:
            raise InputError(f"{where}: {_unknown_class(own, table)}")
        if target in targets:
            raise InputError(f"{where}: '{cut(row.label)}' names the class '{table.class_names[target]}' twice.")
        targets.append(target)
    return name, targets


def _resolve_first(row: Row, table: ClassTable) -> tuple[str, int | None]:
    """Name and target: by the label, or by the folder."""
    if row.label:
        # A name without suffix and a label of several words: the longest label that is a class.
        for number in range(max(1, len(row.text.split()) - table.most_words), len(row.name.split())):
            label = row.text.split(None, number)[-1]
            if (target := table.target(label)) is not None:
                return row.text.removesuffix(label).strip(), target
        # Some lists have the number of frames in between.
        *between, last = row.label.split()
        label = last if all(word.isdigit() for word in between) else row.label
        if (target := table.target(label)) is not None:
            return row.name, target
    name = row.text if row.label else row.name
    folder = name.replace("\\", "/").rpartition("/")[0].rpartition("/")[2]
    return name, table.target(folder) if folder else None


def _unknown_class(row: Row, table: ClassTable) -> str:
    total = len(table.class_names)
    known = f"known are the {total} classes '{table.class_names[0]}' to '{table.class_names[-1]}' and 0 to {total - 1}"
    if row.label:
        return f"'{cut(row.label)}' is no class of this data set; {known}."
    return f"{cut(row.text)!r} has no label, and its folder is no class of this data set; {known}."
