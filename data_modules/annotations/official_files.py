"""The annotation files of the recognition data sets, as their makers publish them."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from data_modules.annotations.list_files import read_rows
from data_modules.annotations.listed_videos import check_name
from data_modules.errors import InputError
from data_modules.files.file_index import Clip, stem_of
from data_modules.files.regular_files import is_folder
from data_modules.files.text_files import csv_rows, cut, excerpt, read_json, read_text

_KINETICS_SPLITS = {"train": {"", "train", "training"}, "val": {"", "val", "validate", "validation"}}


class Listed(NamedTuple):
    """A video in an official file: where it stands, its official label, its name without folder and suffix."""

    where: str
    label: str
    stem: str


def find_file(folders: Iterable[Path], names: Iterable[str]) -> Path | None:
    """The first of several files that is there, folder by folder."""
    names = list(names)
    places = (folder / name for folder in folders if is_folder(folder) for name in names)
    return next((place for place in places if place.is_file()), None)


def find_kinetics(folders: Iterable[Path], version: int, split: Literal["train", "val"]) -> Path | None:
    """The CSV file of a split, under the names and in the folders that downloads and mirrors have it."""
    editions = [f"{version}", *(["700_2020", "700-2020"] if version == 700 else [])]
    names = [f"{name}{edition}" for edition in editions for name in ("k", "kinetics", "kinetics-", "kinetics_")]
    below = ["", "annotations", *names]
    below += [place for name in names for place in (f"annotations/{name}", f"{name}/annotations")]
    words = ["train"] if split == "train" else ["val", "validate", "validation"]
    files = [f"{prefix}{word}.csv" for word in words for prefix in ("", *(f"{name}_" for name in names))]
    places = (folder / place for folder in folders for place in below)
    return find_file(places, [name for file in files for name in (file, f"{file}.gz")])


def read_hmdb(folder: Path, labels: Sequence[str], number: int) -> Iterator[tuple[str, Listed]]:
    """Flag and video of HMDB-51's files ``<class>_test_split<number>.txt``, rows ``<video> <flag>``.

    Flag 1 is training, 2 test, 0 unused. The files come in the order of their names, as in the packed table.
    """
    for path in sorted(folder / f"{label}_test_split{number}.txt" for label in labels):
        label = path.name.removesuffix(f"_test_split{number}.txt")
        for row in read_rows(path):
            if row.label not in ("0", "1", "2"):
                raise InputError(f"{path}, line {row.line}: expected '<video> <0, 1 or 2>', not {cut(row.text)!r}.")
            yield row.label, Listed(f"{path}, line {row.line}", label, stem_of(row.name))


def read_packed_hmdb(path: Path) -> Iterator[tuple[int, str, Listed]]:
    """Split, flag and video of the same rows, packed into one table ``split,class,video,flag``."""
    rows = csv.reader(read_text(path).splitlines())
    next(rows)
    for number, label, video, flag in rows:
        yield int(number), flag, Listed(f"{path}, line {rows.line_num}", label, stem_of(video))


def read_ucf(path: Path) -> Iterator[Listed]:
    """Rows ``<class>/<video>``, in training lists with a number behind them, that the folder makes redundant."""
    for row in read_rows(path):
        label, slash, name = row.name.replace("\\", "/").rpartition("/")
        if not slash:
            raise InputError(f"{path}, line {row.line}: expected '<class>/<video>', not {cut(row.text)!r}.")
        yield Listed(f"{path}, line {row.line}", label.rpartition("/")[2], stem_of(name))


def read_kinetics(path: Path, split: Literal["train", "val"]) -> Iterator[Listed]:
    """Rows of a Kinetics CSV of any release that belong to a split; columns are found by the names in its header.

    Raises:
        InputError: when a column is missing, or a row is not as it should be.
    """
    rows = csv_rows(path)
    line, cells = next(rows, (1, []))
    header = [column.strip().lower() for column in cells]
    needed = ("label", "youtube_id", "time_start", "time_end")
    if missing := [column for column in needed if column not in header]:
        raise InputError(f"{path}, line {line}: there is no column '{missing[0]}'; needed are {', '.join(needed)}.")
    columns = [header.index(column) for column in needed]
    split_column = header.index("split") if "split" in header else None
    is_empty = True
    for line, row in rows:
        where = f"{path}, line {line}"
        if len(row) != len(header):
            raise InputError(f"{where}: {len(row)} columns where the header has {len(header)}: {excerpt(row)}.")
        if split_column is not None and row[split_column].strip().lower() not in _KINETICS_SPLITS[split]:
            continue
        label, youtube_id, start, end = (row[column].strip() for column in columns)
        if not youtube_id or any("\n" in cell for cell in row):
            raise InputError(f"{where}: the row names no video, or goes on over those below it: {excerpt(row)}.")
        is_empty = False
        try:
            clip = Clip(youtube_id, int(float(start)), int(float(end)))
        except (ValueError, OverflowError):
            raise InputError(f"{where}: the times '{cut(start)}' and '{cut(end)}' are no numbers.") from None
        yield Listed(where, label, check_name(clip.name, where))
    if is_empty:
        raise InputError(f"{path} names no video of split '{split}'.")


def read_ssv2(path: Path) -> Iterator[Listed]:
    """Videos of a Something-Something v2 JSON; the label is the template without its brackets.

    Raises:
        InputError: when this is no such file, or one without labels, as for the test videos.
    """
    entries = read_json(path)
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path} names no video: expected a list of entries with id and template.")
    for number, entry in enumerate(entries, start=1):
        where = f"{path}, entry {number}"
        if not isinstance(entry, dict) or "id" not in entry:
            raise InputError(f"{where}: it has no id; expected entries with id and template.")
        if not isinstance(entry.get("template"), str):
            raise InputError(f"{where}: it has no template; the labels of the test videos are not public.")
        if not isinstance(entry["id"], str | int) or not str(entry["id"]).strip():
            raise InputError(f"{where}: its id must be a number, not {excerpt(entry['id'])}.")
        stem = stem_of(check_name(str(entry["id"]).strip(), where))
        yield Listed(where, entry["template"].replace("[", "").replace("]", ""), stem)
