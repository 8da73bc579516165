"""Lists that once ended in a traceback, in the encoding error of another library, or not within minutes."""

import shutil
import time
from pathlib import Path

import pytest

from data_modules.annotations.activitynet_format import read_ground_truth
from data_modules.annotations.class_names import read_class_names
from data_modules.annotations.list_files import known_records, read_list
from data_modules.annotations.official_captions import read_names
from data_modules.annotations.official_files import read_ssv2
from data_modules.batch import Record
from data_modules.data_sets.captioned_folder import CaptionedFolder
from data_modules.data_sets.video_folder import VideoFolder
from data_modules.errors import InputError

CASES = Path(__file__).parent / "cases"
NO_NAME = "no file can be called"


def read(file: Path, root: Path) -> int:
    """How many things a reader makes of a list, chosen by what the list is called."""
    root.mkdir()
    if file.name.startswith("captions"):
        data = CaptionedFolder(root, file).dataset_index
    elif file.name == "labels.csv":
        data = VideoFolder(root, file).dataset_index
    elif file.name == "c.txt":
        return len(read_class_names(file))
    elif file.name == "train_set.txt":
        return len(read_names(file))
    elif file.name == "train.json":
        return len(list(read_ssv2(file)))
    else:
        known = [Record(f"{name}/{name}{n}.mp4", root, -1) for name in ("jump", "run") for n in range(6)]
        return len(read_list(file, ["jump", "run"], [], known_records(known)).records)
    return sum(len(records) for records in data.records.values())


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("captions_csv-OSError-16/captions.csv", f"line 9: {NO_NAME}"),
        ("captions_csv-OSError-19/captions.csv", f"line .*: {NO_NAME}"),
        ("captions_csv-OSError-3/captions.csv", f"line 2: {NO_NAME}"),
        ("captions_json-OSError-11/captions.json", f".*: {NO_NAME}"),
        ("captions_jsonl-OSError-11/captions.jsonl", f"line 5: {NO_NAME}"),
        ("captions_jsonl-OSError-12/captions.jsonl", f"line .*: {NO_NAME}"),
        ("captions_jsonl-OSError-18/captions.jsonl", f"line .*: {NO_NAME}"),
        ("classes_file-Slow-1/c.txt", "line 1: .* has 25,014 letters"),
        ("folder_csv-OSError-14/labels.csv", f"line 10: {NO_NAME}"),
        ("folder_csv-UnicodeDecodeError-0/labels.csv", "line .: this begins as UTF-16 text and is none"),
        ("folder_csv-UnicodeDecodeError-3/labels.csv", "line .: this begins as UTF-16 text and is none"),
        ("folder_csv-ValueError-10/labels.csv", "line 8: this is not a text file"),
        ("list-Error-2/l.csv", r"line 7: jump/jump3\. is none of the videos"),
        ("list-Error-8/l.csv", "line 8: run/ru1e999n4.mp4 is none of the videos"),
        ("list-Error-8/l.txt", "line 2: .*is none of the videos"),
        ("list-Error-9/l.csv", "line 1: .*"),
        ("list-Slow-2/l.csv", "line 5: no file can be called"),
        ("smit-OSError-4/train_set.txt", f"line 2: {NO_NAME}"),
        ("ssv2-ValueError-23/train.json", "line 1: this is not valid JSON: a number has too many digits"),
    ],
)
def test_one_sentence_with_file_and_line(tmp_path: Path, file: str, message: str) -> None:
    start = time.process_time()
    with pytest.raises(InputError, match=rf"{file}, {message}") as caught:
        read(CASES / file, tmp_path / "videos")
    assert time.process_time() - start < 1
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_line_ends_of_old_systems(tmp_path: Path) -> None:
    subset = read_list(CASES / "cr.txt", ["a", "b"], [], lambda name, _: Record(name, Path(name), -1))
    assert [(record.video_id, record.target) for record in subset.records] == [("a/a0.mov", 0), ("b/b0.mov", 1)]
    shutil.copyfile(CASES / "latin1.csv", tmp_path / "labels.csv")
    with pytest.raises(
        InputError, match=r"labels\.csv, line 2: this is not UTF-8 text; save the file as UTF-8, such as"
    ):
        read(tmp_path / "labels.csv", tmp_path / "videos")
    assert len(read_ground_truth(CASES / "late_annotations.json")) == 6
