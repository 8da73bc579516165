from pathlib import Path

import pytest

from data_modules.errors import InputError
from data_modules.files.file_index import FileIndex, parse_clip, stem_of


def make(root: Path, *names: str) -> FileIndex:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return FileIndex(root)


@pytest.mark.parametrize("name", ["v.avi", "wave/v.mp4", "train/wave/v.WEBM", "a/b/c/d/v.mkv", "v.mov"])
def test_a_video_is_found_in_any_layout_with_any_suffix(tmp_path: Path, name: str) -> None:
    assert make(tmp_path, name, "wave/other.avi").find("v") == tmp_path / name


def test_hidden_files_and_other_files_are_left_out(tmp_path: Path) -> None:
    index = make(tmp_path, ".v.avi", ".cache/v.avi", "v.txt", "v.jpg", "w.avi")
    assert len(index) == 1
    assert index.find("v") is None


def test_of_two_files_the_one_in_its_class_folder_is_taken(tmp_path: Path) -> None:
    index = make(tmp_path, "brush hair/v.avi", "wave/v.avi", "wave/w.avi", "resized/wave/w.avi", "x.avi", "x.mp4")
    assert index.find("v", "brush_hair") == tmp_path / "brush hair/v.avi"
    assert index.find("v", "wave") == tmp_path / "wave/v.avi"
    with pytest.raises(InputError, match=r"'v' is there twice: .*brush hair/v.avi and .*wave/v.avi"):
        index.find("v", "run")
    with pytest.raises(InputError, match=r"twice: .*resized/wave/w.avi and .*wave/w.avi; .*set data.root"):
        index.find("w", "wave")
    with pytest.raises(InputError, match=r"with two suffixes: .*x.avi and .*x.mp4"):
        index.find("x")


def test_links_are_followed_and_a_loop_ends(tmp_path: Path) -> None:
    make(tmp_path / "disk", "wave/v.avi", "run/w.avi")
    root = tmp_path / "root"
    root.mkdir()
    (root / "wave").symlink_to(tmp_path / "disk" / "wave")
    (root / "again").symlink_to(root / "wave")
    (root / "loop").symlink_to(root)
    (root / "w.avi").symlink_to(tmp_path / "disk" / "run" / "w.avi")
    (tmp_path / "link").symlink_to(root)
    index = FileIndex(tmp_path / "link")
    assert len(index) == 2
    assert index.find("w") == tmp_path / "link" / "w.avi"
    assert index.find("v") is not None


def test_a_real_folder_goes_before_a_link_to_it(tmp_path: Path) -> None:
    make(tmp_path, "videos/wave/v.avi")
    (tmp_path / "a_link").symlink_to(tmp_path / "videos")
    assert FileIndex(tmp_path).find("v") == tmp_path / "videos/wave/v.avi"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no folder .*nowhere; set data.root"):
        FileIndex(tmp_path / "nowhere")


def test_clips_are_found_however_their_times_are_written(tmp_path: Path) -> None:
    names = ["-0a_bcdefgh_000010_000020", "abcdefghijk_10_20", "bcdefghijkl", "cdefghijklm_10.0_20.0"]
    index = make(tmp_path, *(f"val/wave/{name}.mp4" for name in names))
    for name in names:
        assert index.find_clip(f"{name[:11]}_000010_000020") == tmp_path / f"val/wave/{name}.mp4"
    assert index.find_clip("abcdefghijk_000030_000040") is None
    assert index.find_clip("ABCDEFGHIJK_000010_000020") is None
    assert index.find_clip("abc") is None
    assert parse_clip("abc_000010_000020") is None


def test_files_below_a_folder_come_in_order_with_their_class_folders(tmp_path: Path) -> None:
    index = make(
        tmp_path, "train/wave/b.mp4", "train/run/deep/c.mp4", "train/wave/a.mp4", "train/d.mp4", "val/run/e.mp4"
    )
    place = [(label, path.name) for label, path in index.below("train")]
    assert place == [("run", "c.mp4"), ("wave", "a.mp4"), ("wave", "b.mp4")]


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a/b/v.avi", "v"), (r"a\v.AVI", "v"), ("v_w._Eng_sub", "v_w._Eng_sub"), ("v.1.mp4", "v.1"), ("../..", "..")],
)
def test_a_stem_loses_only_a_videos_suffix(name: str, stem: str) -> None:
    assert stem_of(name) == stem
