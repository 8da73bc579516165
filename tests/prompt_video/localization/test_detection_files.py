"""Tables and subtitles, read back by a reader of their own."""

import csv
import random
import re
from itertools import pairwise
from pathlib import Path

import pytest

from data_modules.annotations.activitynet_format import Detection
from prompt_video.localization.detection_files import MAX_LINES, subtitles, write_csv, write_subtitles

TIME = r"(\d{2,}):([0-5]\d):([0-5]\d),(\d{3})"


def read_srt(text: str) -> list[tuple[int, int, list[str]]]:
    """Start and end in milliseconds, and the lines, as strictly as any player."""
    entries = []
    assert text.endswith("\n\n")
    for number, block in enumerate(text[:-2].split("\n\n"), start=1):
        counter, times, *lines = block.split("\n")
        assert counter == str(number)
        match = re.fullmatch(f"{TIME} --> {TIME}", times)
        assert match is not None
        h, m, s, ms, *rest = map(int, match.groups())
        start = ((h * 60 + m) * 60 + s) * 1000 + ms
        h, m, s, ms = rest
        end = ((h * 60 + m) * 60 + s) * 1000 + ms
        assert start < end
        assert lines
        entries.append((start, end, lines))
    assert all(one[1] <= other[0] for one, other in pairwise(entries))
    return entries


def test_a_table_holds_every_detection_best_first(tmp_path: Path) -> None:
    detections = {
        "a, b/ü.mp4": [Detection('say "x", y', 1.0, 2.5, 0.25), Detection("é\n体操", 3661.0005, 3700.0, 1e-9)],
        "none": [],
        "c": [Detection("", 0.0, 1.0, 0.5), Detection("z", 0.0, 1.0, 0.75)],
    }
    path = tmp_path / "new" / "detections.csv"
    write_csv(path, detections)
    assert path.read_text(encoding="utf-8").splitlines()[0] == "video_id,label,start_sec,end_sec,score"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    assert rows == [
        ["a, b/ü.mp4", 'say "x", y', "1.000", "2.500", "0.25"],
        ["a, b/ü.mp4", "é\n体操", "3661.001", "3700.000", "1e-09"],
        ["c", "z", "0.000", "1.000", "0.75"],
        ["c", "", "0.000", "1.000", "0.5"],
    ]


def test_subtitles_say_what_goes_on_best_first() -> None:
    text = subtitles([Detection("run", 1.0, 4.0, 0.5), Detection("jump", 3.0, 3725.25, 0.834)])
    assert text == (
        "1\n00:00:01,000 --> 00:00:03,000\nrun (0.50)\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\njump (0.83)\nrun (0.50)\n\n"
        "3\n00:00:04,000 --> 01:02:05,250\njump (0.83)\n\n"
    )


def test_overlapping_detections_of_a_label_are_one() -> None:
    detections = [Detection("run", 1.0, 3.0, 0.5), Detection("run", 2.0, 5.0, 0.9), Detection("run", 5.0, 6.0, 0.1)]
    assert read_srt(subtitles(detections)) == [(1000, 6000, ["run (0.90)"])]


def test_what_is_shorter_than_asked_is_left_out_after_merging() -> None:
    detections = [Detection("a", 0.0, 0.6, 0.5), Detection("a", 0.6, 1.2, 0.5), Detection("b", 3.0, 3.9, 0.9)]
    assert read_srt(subtitles(detections, 1.0)) == [(0, 1200, ["a (0.50)"])]


def test_what_rounds_to_no_time_at_all_is_left_out() -> None:
    assert subtitles([Detection("a", 1.0, 1.0, 0.5), Detection("b", 2.0001, 2.0003, 0.5)]) == ""


def test_a_stretch_has_few_lines_and_is_not_cut_where_they_stay_the_same() -> None:
    many = [Detection(label, 0.0, 9.0, 0.9 - place / 10) for place, label in enumerate("abc")]
    entries = read_srt(subtitles([*many, Detection("d", 2.0, 4.0, 0.1)]))
    assert entries == [(0, 9000, ["a (0.90)", "b (0.80)", "c (0.70)"])]


def test_labels_cannot_break_an_entry() -> None:
    entries = read_srt(subtitles([Detection("a\n\n2\n00:00:01,000 --> 00:00:02,000\r\nb", 0.0, 1.0, 0.5)]))
    assert entries == [(0, 1000, ["a 2 00:00:01,000 → 00:00:02,000 b (0.50)"])]
    assert read_srt(subtitles([Detection("", 0.0, 1.0, 0.5)]))[0][2] == ["action (0.50)"]


@pytest.mark.parametrize("seed", range(30))
def test_at_every_moment_the_best_labels_are_shown(seed: int) -> None:
    rng = random.Random(seed)
    detections = [
        Detection(rng.choice("abcdef"), start := rng.randrange(200) / 10, start + rng.randrange(1, 60) / 10, score)
        for score in (place / 50 for place in rng.sample(range(1, 50), 15))
    ]
    entries = read_srt(subtitles(detections))
    for moment in range(50, 28_000, 100):  # never where something begins or ends
        shown = [lines for start, end, lines in entries if start <= moment < end]
        on = {d.label for d in detections if d.start_sec < moment / 1000 < d.end_sec}
        assert len(shown) == bool(on)
        if shown:
            labels = [line.split()[0] for line in shown[0]]
            scores = [float(line.split()[1][1:-1]) for line in shown[0]]
            assert set(labels) <= on
            assert len(labels) == min(len(on), MAX_LINES)
            assert scores == sorted(scores, reverse=True)


def test_files_stand_as_the_videos_do(tmp_path: Path) -> None:
    found = [Detection("a", 0.0, 1.0, 0.5)]
    paths = write_subtitles(tmp_path, {"train/x.mp4": found, "train/y.v2": found, "z": found, "empty": []}, 0.1)
    assert paths == [tmp_path / "train/x.srt", tmp_path / "train/y.v2.srt", tmp_path / "z.srt"]
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)
    assert paths[0].read_bytes() == b"1\n00:00:00,000 --> 00:00:01,000\na (0.50)\n\n"


def test_videos_that_differ_in_their_suffix_get_a_file_each(tmp_path: Path) -> None:
    found = [Detection("a", 0.0, 1.0, 0.5)]
    assert [path.name for path in write_subtitles(tmp_path, {"x.mp4": found, "x.avi": found}, 0.1)] == [
        "x.mp4.srt",
        "x.avi.srt",
    ]


@pytest.mark.parametrize("video_id", ["../x", "a/../../x", "/etc/x", "..", ".", "", "a//x", "..\\x", "C:x", "x\n.mp4"])
def test_no_file_is_written_outside_the_folder(tmp_path: Path, video_id: str) -> None:
    folder = tmp_path / "inside"
    found = [Detection("a", 0.0, 1.0, 0.5)]
    (path,) = write_subtitles(folder, {video_id: found}, 0.1)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files == [path.resolve()]
    assert files[0].is_relative_to(folder)
    assert not re.search(r'[<>:"|?*\\\n]', str(path.relative_to(folder)))


def test_ids_that_are_made_safe_stay_different(tmp_path: Path) -> None:
    ids = ["../x", "%2E%2E/x", "a:b", "a%3Ab", "a//b", "a/%/b"]
    paths = write_subtitles(tmp_path, {video_id: [Detection("a", 0.0, 1.0, 0.5)] for video_id in ids}, 0.1)
    assert len(set(paths)) == len(ids)


def test_low_scores_are_not_shown_and_an_earlier_file_goes(tmp_path: Path) -> None:
    detections = {"v": [Detection("a", 0.0, 1.0, 0.5), Detection("b", 0.0, 1.0, 0.2)]}
    (path,) = write_subtitles(tmp_path, detections, 0.3)
    assert "b (" not in path.read_text()
    assert write_subtitles(tmp_path, detections, 0.6) == []
    assert not path.exists()
    (path,) = write_subtitles(tmp_path, detections, 0.0, at_most=1)
    assert "b (" not in path.read_text()


def test_a_percent_sign_stays_where_it_means_nothing(tmp_path: Path) -> None:
    found = [Detection("\x1b[31ma\u202e", 0.0, 1.0, 0.5)]
    ids = ["100% fun.mp4", "my%20clip.mp4", "a%3Ab.mp4", "體" * 120, "\ud800.mp4"]
    paths = write_subtitles(tmp_path, dict.fromkeys(ids, found), 0.1)
    assert [path.name for path in paths[:3]] == ["100% fun.srt", "my%20clip.srt", "a%253Ab.srt"]
    assert len(set(paths)) == len(ids)
    assert paths[0].read_text().splitlines()[2] == r"\x1b[31ma\u202e (0.50)"
