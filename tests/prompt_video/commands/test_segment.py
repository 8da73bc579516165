"""``prompt-video segment`` on real files, good and bad."""

import csv
import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from data_modules.annotations.activitynet_format import read_detections
from prompt_video.cli import main
from prompt_video.reports.text_formatting import clock


def segment(*arguments: str | Path) -> int:
    return main(["segment", *map(str, arguments)])


def test_all_files_say_what_the_table_says(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, table, subtitles = tmp_path / "a" / "out.json", tmp_path / "out.csv", tmp_path / "srt"
    video = videos / "cleaning_pool_h264.mp4"
    files = ("--json", out, "--csv", table, "--srt", subtitles)
    assert segment(video, "--classes", "cleaning a pool, juggling balls", "--min_score", "0.05", *files) == 0
    found = read_detections(out)[video.name]
    assert found
    assert all(0 <= one.start_sec < one.end_sec <= 10.1 for one in found)
    assert json.loads(out.read_text())["external_data"]["method"] == "training-free"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    spans = sorted((float(row["start_sec"]), float(row["end_sec"])) for row in rows)
    assert spans
    assert all(end <= start for (_, end), (start, _) in pairwise(spans)), "each moment is that of one segment"
    assert all(float(row["score"]) >= 0.05 for row in rows)
    assert segment(video, "--classes", "cleaning a pool, juggling balls", "--min_score", "0", "--overlapping",
                   "--csv", table) == 0  # fmt: skip
    assert len(list(csv.DictReader(table.read_text().splitlines()))) == len(found)
    assert (subtitles / "cleaning_pool_h264.srt").read_text().startswith("1\n00:00:")
    said = capsys.readouterr().out
    assert "found without a detector" in said
    best = max(found, key=lambda one: one.score)
    assert f"{clock(best.start_sec)}  {clock(best.end_sec)}  {best.label}" in said


def test_a_bad_file_is_named_and_the_others_go_on(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    good, bad, silent = (str(videos / name) for name in ("flv_h264.flv", "corrupt_no_moov.mp4", "audio_only.mp4"))
    assert segment(bad, good, silent, "--classes", "a dog", "--json", out) == 1
    said = capsys.readouterr().out
    assert "corrupt_no_moov.mp4: cannot be opened" in said
    assert "audio_only.mp4: no video stream" in said
    assert list(read_detections(out)) == ["flv_h264.flv"]


def test_no_class_gets_one_message(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segment(videos / "flv_h264.flv", "--classes", ",") == 1
    assert "--classes names no class" in capsys.readouterr().err


@pytest.mark.slow  # the fast lane has the same for `label`
def test_two_thousand_classes_and_one_of_two_hundred_words(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many, long, out = tmp_path / "many.txt", tmp_path / "long.txt", tmp_path / "out.csv"
    many.write_text("".join(f"thing {number}\n" for number in range(2_000)))
    video = videos / "cleaning_pool_h264.mp4"
    assert segment(video, "--classes_file", many, "--min_score", "1") == 0
    assert "nothing reaches 1, the score that is shown (--min_score)" in " ".join(capsys.readouterr().out.split())
    name = " ".join(f"word{number}" for number in range(200))
    long.write_text(name + "\n")
    assert segment(video, "--classes_file", long, "--min_score", "0", "--csv", out) == 0
    said = capsys.readouterr().out
    assert "word0 word1" in said
    assert "word150" not in said, "a table for the terminal"
    assert "too long for the model" in said
    assert name in out.read_text(), "the file has all of it"


def test_subtitles_lie_as_their_videos_do_and_have_their_names(videos: Path, tmp_path: Path) -> None:
    names = ("a/clip.flv", "b/clip.flv", "b/100% fun: what?.flv")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(videos / "flv_h264.flv", tmp_path / name)
    (tmp_path / "b" / "gone.flv").symlink_to("nowhere")
    files = [*(tmp_path / name for name in names), tmp_path / "b" / "gone.flv"]
    options = ("--classes", "a, b", "--srt", tmp_path / "srt", "--min_score", "0")
    assert main(["segment", *map(str, (*files, *options))]) == 1
    written = sorted(path.relative_to(tmp_path / "srt").as_posix() for path in (tmp_path / "srt").rglob("*.srt"))
    assert written == ["a/clip.srt", "b/100% fun: what?.srt", "b/clip.srt"]
