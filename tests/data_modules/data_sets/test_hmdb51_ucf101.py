import gzip
from pathlib import Path

import pytest

from data_modules.annotations.official_files import read_packed_hmdb
from data_modules.annotations.official_names import words_of_capitals
from data_modules.annotations.published_lists import LISTS
from data_modules.data_sets.class_lists import class_list
from data_modules.data_sets.hmdb51 import HMDB51
from data_modules.data_sets.ucf101 import UCF101
from data_modules.errors import InputError

BRUSH = "April_09_brush_hair_u_nm_np1_ba_goo_0"
MAKEUP = "v_ApplyEyeMakeup_g08_c01"


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def hmdb_files(folder: Path) -> Path:
    """The 153 official files, rebuilt from the packed table."""
    texts: dict[str, str] = {}
    for number, flag, (_, label, stem) in read_packed_hmdb(LISTS / "hmdb51" / "official_splits.csv.gz"):
        name = f"{label}_test_split{number}.txt"
        texts[name] = texts.get(name, "") + f"{stem}.avi {flag} \n"
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


def test_class_names_in_both_spellings(tmp_path: Path) -> None:
    official, english = HMDB51(tmp_path, spelling="official").dataset_index, HMDB51(tmp_path).dataset_index
    assert official.labels == english.labels
    pairs = {
        label: names for label, *names in zip(official.labels, official.class_names, english.class_names, strict=True)
    }
    assert pairs["brush_hair"] == ["brush hairs", "brush hair"]
    assert pairs["pullup"] == ["pullup", "pull up"]
    assert pairs["ride_bike"] == ["ride bike", "ride bike"]
    differ = {label for label, names in pairs.items() if len(set(names)) > 1}
    assert differ == {"brush_hair", "pullup", "pushup", "situp"}
    assert official.labels.index("kick") + 1 == official.labels.index("kick_ball")
    assert UCF101(tmp_path, spelling="official").dataset_index.class_names[0] == "ApplyEyeMakeup"
    of_clip = UCF101(tmp_path, spelling="clip").dataset_index
    assert [of_clip.class_names[place] for place in (0, -1)] == ["Apply Eye Makeup", "Yo Yo"]
    assert class_list("clip-ucf101") == tuple(of_clip.class_names)
    letters = [name.replace(" ", "").lower() for name in of_clip.class_names]
    assert letters == [label.lower() for label in of_clip.labels], "in label order"
    ucf101 = UCF101(tmp_path).dataset_index
    assert len(set(ucf101.class_names)) == 101
    assert all(name == name.lower() for name in ucf101.class_names)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ApplyEyeMakeup", "apply eye makeup"),
        ("TaiChi", "tai chi"),
        ("YoYo", "yo-yo"),
        ("HandstandPushups", "handstand push ups"),
        ("Haircut", "haircut"),
        ("RockClimbingIndoor", "rock climbing indoor"),
    ],
)
def test_words_of_ucf101_class_names(label: str, name: str) -> None:
    assert words_of_capitals(label) == name


@pytest.mark.parametrize(
    "place", ["brush_hair/{}.avi", "{}.avi", "brush hair/{}.mp4", "videos/hmdb/brush_hair/{}.webm"]
)
def test_hmdb51_in_any_layout(tmp_path: Path, place: str) -> None:
    touch(tmp_path / place.format(BRUSH))
    first, second = HMDB51(tmp_path).dataset_index.records["train"][:2]
    assert first.video_id == f"brush_hair/{BRUSH}"
    assert first.path == tmp_path / place.format(BRUSH)
    assert second.path == tmp_path / "brush_hair" / "April_09_brush_hair_u_nm_np1_ba_goo_1.avi"
    assert not second.path.exists()


def test_the_video_names_of_one_ucf101_class_have_two_spellings(tmp_path: Path) -> None:
    touch(tmp_path / "v_HandstandPushups_g08_c01.avi", tmp_path / f"{MAKEUP}.mp4")
    records = {record.video_id: record for record in UCF101(tmp_path).dataset_index.records["train"]}
    assert records[f"ApplyEyeMakeup/{MAKEUP}"].path.exists()
    assert records["HandstandPushups/v_HandStandPushups_g08_c01"].path.exists()
    (tmp_path / "list.txt").write_text("v_HandstandPushups_g08_c01.avi HandstandPushups\n")
    read = UCF101(tmp_path).dataset_index.read_list
    assert read is not None
    assert read("list.txt").records[0] == records["HandstandPushups/v_HandStandPushups_g08_c01"]


def test_splits_that_do_not_exist(tmp_path: Path) -> None:
    for splits in ([], [4], [1, 1]):
        with pytest.raises(InputError, match="splits must name different ones of 1, 2 and 3"):
            HMDB51(tmp_path, splits=splits)
    second = HMDB51(tmp_path, splits=[2]).dataset_index
    assert second.subset("test").records == second.published["zero_shot"]()[0].tests["split2"].records


def test_the_users_official_files_of_hmdb51_go_before_the_packaged_ones(tmp_path: Path) -> None:
    packaged = HMDB51(tmp_path).dataset_index.records["train"]
    folder = hmdb_files(tmp_path / "testTrainMulti_7030_splits")
    assert HMDB51(tmp_path).dataset_index.records["train"] == packaged
    assert HMDB51(tmp_path, annotations=folder).dataset_index.records["train"] == packaged
    (folder / "brush_hair_test_split1.txt").write_text("new_video.avi 1 \r\n")
    assert HMDB51(tmp_path).dataset_index.records["train"][0].video_id == "brush_hair/new_video"
    (folder / "wave_test_split1.txt").unlink()
    with pytest.raises(InputError, match=r"there is no file .*wave_test_split1.txt"):
        HMDB51(tmp_path).dataset_index.records["train"]
    with pytest.raises(InputError, match=r"there is no file .*nowhere.*brush_hair_test_split1.txt"):
        HMDB51(tmp_path, annotations=tmp_path / "nowhere").dataset_index.records["train"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v.avi 3 \n", r"brush_hair_test_split1.txt, line 1: expected '<video> <0, 1 or 2>'"),
        ("v.avi 1 \nv.avi 1\n", r"line 2: v stands already in .*line 1"),
        ("", "names no video"),
    ],
)
def test_bad_official_files_of_hmdb51(tmp_path: Path, text: str, message: str) -> None:
    folder = hmdb_files(tmp_path / "splits")
    (folder / "brush_hair_test_split1.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        HMDB51(tmp_path).dataset_index.records["train"]


def test_the_users_official_files_of_ucf101(tmp_path: Path) -> None:
    folder = tmp_path / "ucfTrainTestlist"
    folder.mkdir()
    packed = gzip.decompress((LISTS / "ucf101" / "trainlist01.txt.gz").read_bytes())
    (folder / "trainlist01.txt").write_bytes(b"\r\n".join(packed.split(b"\r\n")[:3]))
    dataset_index = UCF101(tmp_path).dataset_index
    assert (len(dataset_index.records["train"]), len(dataset_index.records["test"])) == (3, 3783)
    for text, message in (
        ("v_YoYo_g01_c01.avi 101\n", "line 1: expected '<class>/<video>'"),
        ("Flying/v_Flying_g01_c01.avi 1\n", "line 1: 'Flying' is no class"),
        ("YoYo/v.avi\n\nYoYo/v.avi\n", "line 3: v stands already in .*line 1"),
    ):
        (folder / "trainlist01.txt").write_text(text)
        with pytest.raises(InputError, match=message):
            UCF101(tmp_path).dataset_index.records["train"]


def test_published_sizes_are_those_of_the_lists(tmp_path: Path) -> None:
    for splits in ([1], [2], [3]):
        for data in (HMDB51(tmp_path, splits=splits), UCF101(tmp_path, splits=splits)):
            records = data.dataset_index.records
            assert data.published_sizes() == {"train": len(records["train"]), "test": len(records["test"])}
