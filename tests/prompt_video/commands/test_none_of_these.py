"""`none of these` from the command line: given, beside a bank, and calibrated, in every verb that names classes."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any, Protocol

import pytest

from prompt_video import load
from prompt_video.cli import main


class Run(Protocol):
    """What the fixtures of tasks train."""

    root: Path

    @property
    def checkpoint(self) -> Path: ...


CLASSES = "a red square moving left, a blue circle spinning, a green triangle shrinking"


def verb(name: str, *words: object, code: int = 0) -> None:
    assert main([name, *map(str, words)]) == code


def heard(capsys: pytest.CaptureFixture[str]) -> str:
    """All that a command has said, in one line."""
    return " ".join("".join(capsys.readouterr()).split())


def labelled(out: Path, *words: object) -> dict[str, Any]:
    """What `label` writes as JSON."""
    verb("label", *words, "--json", out)
    content: dict[str, Any] = json.loads(out.read_text())
    return content


def test_below_a_threshold(trimmed_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    videos = sorted(trimmed_videos.rglob("*.mp4"))[:3]
    plain = labelled(tmp_path / "plain.json", *videos, "--classes", CLASSES)
    confidences = [one["confidence"] for one in plain["videos"]]
    assert confidences == [one["best"][0]["probability"] for one in plain["videos"]]
    assert [one["label"] for one in plain["videos"]] == [one["best"][0]["text"] for one in plain["videos"]]
    assert plain["none_of_these"] is None
    capsys.readouterr()

    threshold = sorted(confidences)[1]  # reached by the video that has it
    words = (*videos, "--classes", CLASSES, "--none-below", threshold, "--csv", tmp_path / "out.csv")
    content = labelled(tmp_path / "out.json", *words)
    assert content["none_of_these"]["threshold"] == threshold
    expected = [one["best"][0]["text"] if one["confidence"] >= threshold else None for one in plain["videos"]]
    assert [one["label"] for one in content["videos"]] == expected
    assert [one["best"] for one in content["videos"]] == [one["best"] for one in plain["videos"]]
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        first = [row for row in csv.DictReader(file) if row["rank"] == "1"]
    assert [row["label"] for row in first] == [label or "none of these" for label in expected]
    said = capsys.readouterr().out
    assert f"'none of these' where the best probability is below {threshold:.3g}" in said
    assert ", none of these 1" in said
    assert sum(line.split("  ")[1].strip() == "none of these" for line in said.splitlines() if ".mp4  " in line) == 1


def test_a_single_video_says_it_above_its_table(
    trimmed_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = min(trimmed_videos.rglob("*.mp4"))
    verb("label", video, "--classes", CLASSES, "--none_below", "1")
    assert f"{video}: none of these" in capsys.readouterr().out
    content = labelled(tmp_path / "out.json", video, "--classes", CLASSES, "--none_below", "0")
    assert content["videos"][0]["label"] == content["videos"][0]["best"][0]["text"]


def test_beside_a_bank(trimmed_videos: Path, tmp_path: Path) -> None:
    videos = sorted(trimmed_videos.rglob("*.mp4"))[::6]
    names, bank = [name.strip() for name in CLASSES.split(",")], ["a yellow star growing", "nothing at all"]
    (tmp_path / "bank.txt").write_text("\n".join([*bank, "A red square moving left"]))
    content = labelled(tmp_path / "out.json", *videos, "--classes", CLASSES, "--none_bank", tmp_path / "bank.txt")
    assert content["none_of_these"]["threshold"] == 0.5
    assert content["none_of_these"]["bank"] == bank, "what a class says too is taken out"
    model = load()
    for one in content["videos"]:
        # One window a video: the share of the bank is that of a softmax over all texts.
        both = model.score(one["video"], [*names, *bank])
        share = both.probability[: len(names)].sum().item()
        assert one["confidence"] == pytest.approx(share, abs=1e-5)
        assert (one["label"] is None) == (share < 0.5)


def test_one_class_is_told_from_a_bank_alone(
    trimmed_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = min(trimmed_videos.rglob("*.mp4"))
    content = labelled(tmp_path / "out.json", video, "--classes", "something", "--none_bank", "thumos14")
    assert 0 < content["videos"][0]["confidence"] < 1
    capsys.readouterr()
    verb("label", video, "--classes", "something", "--none_below", "0.5", code=1)
    assert "'something' is the only class" in capsys.readouterr().err


@pytest.fixture
def clips(trimmed_videos: Path, videos: Path, tmp_path: Path) -> Path:
    """Class folders of the two classes that the checkpoint knows, and clips of none."""
    folder = tmp_path / "clips"
    for name in ("moving_left", "spinning"):
        (folder / name).mkdir(parents=True)
        for number in (0, 1):
            shutil.copy(trimmed_videos / name / f"{number}.mp4", folder / name)
    (folder / "none").mkdir()
    for name in ("bear_vp9.webm", "flv_h264.flv", "corrupt_no_moov.mp4"):
        shutil.copy(videos / name, folder / "none" / name)
    return folder


def test_a_calibrated_checkpoint_keeps_it(
    recognition: Run, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.ckpt"
    shutil.copy(recognition.checkpoint, own)
    verb("calibrate", clips, "--ckpt", own)
    said = capsys.readouterr()
    assert "of 4 clips of the classes, and refuses" in said.out
    assert "of 2 others" in said.out
    assert "corrupt_no_moov.mp4" in said.err + said.out
    model, plain = load(own), load(recognition.checkpoint)
    assert model.rejection is not None
    assert plain.rejection is None
    assert model.rejection.class_names == tuple(model.class_names) == ("moving left", "spinning")
    usable = [path for path in clips.rglob("*.*") if "corrupt" not in path.name]
    confidences = {path: plain.score(path, model.class_names).confidence for path in usable}
    known = [value for path, value in confidences.items() if path.parent.name != "none"]
    others = [value for path, value in confidences.items() if path.parent.name == "none"]
    threshold = model.rejection.threshold
    kept, refused = sum(one >= threshold for one in known), sum(one < threshold for one in others)
    assert f"keeps {kept} of 4 clips of the classes, and refuses {refused} of 2 others" in said.out

    video = clips / "none" / "bear_vp9.webm"
    content = labelled(tmp_path / "out.json", video, "--ckpt", own)
    assert content["none_of_these"]["threshold"] == threshold
    assert (content["videos"][0]["label"] is None) == (content["videos"][0]["confidence"] < threshold)
    verb("predict", video, "--ckpt", own, "--out", tmp_path / "predicted")
    (row,) = json.loads((tmp_path / "predicted" / "predictions.json").read_text())["predictions"]
    assert row["label"] == content["videos"][0]["label"]

    # Exported and read again; and for other names nothing is claimed.
    verb("export", "--ckpt", own, "--hub", tmp_path / "hub")
    assert load(tmp_path / "hub").rejection == model.rejection
    capsys.readouterr()
    content = labelled(tmp_path / "out.json", video, "--ckpt", own, "--classes", "moving left, spinning, jumping")
    assert content["none_of_these"] is None
    assert "every video gets one of them" in heard(capsys)
    verb("calibrate", clips, "--ckpt", tmp_path / "hub", "--none_bank", "thumos14")
    again = load(tmp_path / "hub").rejection
    assert again is not None
    assert len(again.bank) == 20


def test_calibrated_for_one_command(
    trimmed_videos: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = trimmed_videos / "spinning" / "3.mp4"
    content = labelled(tmp_path / "out.json", video, "--calibrate", clips)  # the classes are those of the folder
    assert content["none_of_these"]["class_names"] == ["moving left", "spinning"]
    assert "of 4 clips of the classes" in heard(capsys)
    shutil.rmtree(clips / "none")
    labelled(tmp_path / "out.json", video, "--calibrate", clips, "--classes", "Spinning, moving left, jumping")
    assert "there were no others to see what it refuses" in heard(capsys)


def test_segments_that_show_none_are_left_out(
    recognition: Run, localization: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = min(localization.root.rglob("*.mp4"))
    for run, low, high in ((recognition, 0.0, 1.0), (localization, 0.0, 1.0)):
        counts = []
        for threshold in (None, low, high):
            model = load(run.checkpoint, none_below=threshold)
            names = [*model.class_names, "jumping"]
            counts.append(len(model.segments(video, names, min_score=0.0).segments))
        assert counts[0] == counts[1] > counts[2], "a threshold of 0 leaves all"
    words = ("--ckpt", localization.checkpoint, "--none_below", "0.99", "--json", tmp_path / "out.json")
    verb("segment", video, *words)
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["external_data"]["none_of_these"]["threshold"] == 0.99
    assert "Left out: 'none of these' where the best probability is below 0.99" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--none_below", "1.2"], "the threshold of 'none of these' must be from 0 to 1, not 1.2"),
        (["--none_bank", "nowhere.txt"], "there is no bank 'nowhere.txt'"),
        (["--none_bank", "empty.txt"], "empty.txt"),
        (["--none_bank", "same.txt"], "every text of the bank says what a class says"),
        (["--calibrate", "nowhere"], "there is no folder nowhere of clips to calibrate on"),
        (["--calibrate", "other"], "holds clips of 'jumping', which is none of the 2 classes"),
        (["--calibrate", "only"], "there is no clip of the classes to calibrate on"),
        (["--calibrate", "other", "--none_below", "0.5"], "take one of them"),
    ],
)
def test_mistakes_get_one_sentence(
    words: list[str], message: str, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("empty.txt").write_text("\n")
    Path("same.txt").write_text("a cat\n")
    for folder in ("other/jumping", "only/none"):
        Path(folder).mkdir(parents=True)
        shutil.copy(videos / "flv_h264.flv", folder)
    verb("label", videos / "flv_h264.flv", "--classes", "a cat, a dog", *words, code=1)
    said = capsys.readouterr().err
    assert message in said
    assert said.count("prompt-video:") == 1
