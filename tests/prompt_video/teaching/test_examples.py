"""Which clips are learned from, and what is said of the others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data_modules.errors import InputError
from prompt_video.teaching.corrections import take_corrections
from prompt_video.teaching.examples import read_examples


@pytest.fixture
def root(make_videos: Callable[[Path, int], Path], tmp_path: Path) -> Path:
    """Three clips of each of two classes."""
    return make_videos(tmp_path / "examples", 3)


def test_clips_count_and_are_written_with_the_names_that_are_read(root: Path, tmp_path: Path) -> None:
    examples = read_examples(root)
    assert examples.counts == {"moving left": 3, "spinning": 3}
    assert examples.told() == []
    examples.write(tmp_path / "examples.json")
    assert json.loads((tmp_path / "examples.json").read_text())["moving_left/0.mp4"] == "moving left"


def test_clips_of_none_of_the_classes_are_no_class(root: Path) -> None:
    other = root / "None_of_these" / "0.mp4"
    other.parent.mkdir()
    other.write_bytes((root / "spinning" / "0.mp4").read_bytes() + b"other bytes")
    examples = read_examples(root)
    assert examples.others == [other]
    assert examples.counts == {"moving left": 3, "spinning": 3}


def test_what_cannot_be_learned_from_is_told_and_the_others_go_on(root: Path) -> None:
    shutil.copy(root / "spinning" / "0.mp4", root / "moving_left" / "copy.mp4")
    shutil.copy(root / "spinning" / "1.mp4", root / "spinning" / "twice.mp4")
    (root / "moving_left" / "broken.mp4").write_bytes(b"no video")
    examples = read_examples(root)
    left_out = {path.relative_to(root).as_posix(): reason for path, reason in examples.left_out.items()}
    assert set(left_out) == {"spinning/0.mp4", "moving_left/copy.mp4", "spinning/twice.mp4", "moving_left/broken.mp4"}
    assert "spinning/0.mp4 is the same clip in another class" in left_out["moving_left/copy.mp4"]
    assert left_out["moving_left/broken.mp4"].startswith("it cannot be used: ")
    assert examples.counts == {"moving left": 3, "spinning": 2}
    assert sum("is left out" in sentence for sentence in examples.told()) == 4
    assert "'spinning' has two examples" in examples.told()[-1]
    for number in (1, 2):
        (root / "moving_left" / f"{number}.mp4").unlink()
    assert any("'moving left' has one example, so that none" in sentence for sentence in read_examples(root).told())


def test_a_folder_that_nothing_can_be_learned_from_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no folder .*put a few clips of each action into"):
        read_examples(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no class folders"):
        read_examples(tmp_path / "empty")
    (root / "waving").mkdir()
    with pytest.raises(InputError, match=r"waving has no videos; remove it or fill it\."):
        read_examples(root)
    shutil.rmtree(root / "waving")
    for clip in (root / "moving_left").iterdir():
        clip.write_bytes(b"no video")
    with pytest.raises(InputError, match=r"there is one action only, 'spinning', and two are needed.*cannot be used"):
        read_examples(root)


def test_corrections_become_examples_once(root: Path, tmp_path: Path) -> None:
    clip, other = tmp_path / "0.mp4", tmp_path / "other.mp4"
    shutil.copy(root / "spinning" / "2.mp4", clip)
    clip.write_bytes(clip.read_bytes() + b"other bytes, same frames")
    shutil.copy(clip, other)
    table = tmp_path / "corrections.csv"
    table.write_text(f"video,rank,class\n{clip},1,spinning\n{clip},2,moving left\n{other},1,a new one\n")
    assert take_corrections(root, table) == 2
    assert (root / "spinning" / "0_2.mp4").samefile(clip)
    assert (root / "a_new_one" / "other.mp4").is_file()
    assert take_corrections(root, table) == 0
    before = sorted(root.rglob("*"))
    for row, reason in (
        ("nowhere.mp4,spinning", "there is no video nowhere.mp4"),
        (f"{clip},../elsewhere", "no class can be called"),
        (f"{clip},.hidden", "no class can be called"),
        (f"{clip},", "no class can be called"),
        (f"{clip},spinning\n{clip},moving left", "is 'moving left' here and 'spinning' above"),
    ):
        table.write_text(f"video,class\n{other},spinning\n{row}\n" if "hidden" in row else f"video,class\n{row}\n")
        with pytest.raises(InputError, match=reason):
            take_corrections(root, table)
    assert sorted(root.rglob("*")) == before, "nothing is linked where something is wrong"
