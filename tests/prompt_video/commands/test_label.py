"""``prompt-video label`` on real files, good and bad."""

import csv
import io
import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.cli import main
from prompt_video.commands.label import parser
from prompt_video.inference.options import model_and_texts, tell_alike
from prompt_video.inference.toy import NOTICE


def label(*arguments: str | Path) -> int:
    return main(["label", *map(str, arguments)])


def test_a_table_a_json_and_a_csv_say_the_same(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, table = tmp_path / "out" / "labels.json", tmp_path / "out" / "labels.csv"
    video = videos / "cleaning_pool_h264.mp4"
    assert label(video, "--classes", "cleaning a pool, juggling balls", "--json", out, "--csv", table) == 0
    content = json.loads(out.read_text())
    (found,) = content["videos"]
    assert content["broken"] == []
    assert sum(one["probability"] for one in found["best"]) == pytest.approx(1, abs=1e-5)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["class"] for row in rows] == [one["text"] for one in found["best"]]
    said = capsys.readouterr().out
    assert "nothing is learned" in said
    assert said.index(rows[0]["class"]) < said.index(rows[1]["class"])
    assert f"{found['best'][0]['probability']:.1%}" in said


def test_the_frozen_clip_is_used_as_its_makers_use_it(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, video, names = tmp_path / "out.json", videos / "cleaning_pool_h264.mp4", ["Apply Lipstick", "Yo Yo"]
    backbone = FrozenBackbone()
    options: list[str | Path] = ["--classes", ",".join(names), "--json", out, "--templates"]
    for templates in ("names", "clip-ucf101", str(tmp_path / "mine.txt")):
        (tmp_path / "mine.txt").write_text("a drawing of {}\n")
        assert label(video, *options, templates) == 0
        best = json.loads(out.read_text())["videos"][0]["best"]
        cosines = torch.tensor([one["similarity"] for one in best])
        probabilities = [one["probability"] for one in best]
        assert probabilities == pytest.approx((cosines / backbone.temperature).softmax(0).tolist(), abs=1e-5)
        said = capsys.readouterr().out
        assert ("'a drawing of {}'" if "mine" in templates else f"'{templates}' (") in said
        assert f"at temperature {backbone.temperature:.4g}" in said
    assert label(video, *options, "clip-ucf") == 1
    assert "neither a set of templates" in capsys.readouterr().err


def test_bad_files_are_named_and_the_others_go_on(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("corrupt_no_moov.mp4", "audio_only.mp4", "flv_h264.flv", "rotated_90.mov"):
        shutil.copy(videos / name, tmp_path / name)
    assert label(tmp_path, "--classes", "a dog,a cat", "--json", tmp_path / "out.json") == 1
    content = json.loads((tmp_path / "out.json").read_text())
    assert [Path(one["video"]).name for one in content["videos"]] == ["flv_h264.flv", "rotated_90.mov"]
    assert [Path(one["video"]).name for one in content["broken"]] == ["audio_only.mp4", "corrupt_no_moov.mp4"]
    said = capsys.readouterr().out
    assert "audio_only.mp4: no video stream" in said
    assert "2 of 4 files cannot be used" in said


def test_videos_of_a_folder_are_a_row_each_and_a_sum(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "deep").mkdir()
    for name in ("bear_vp9.webm", "deep/flv_h264.flv", "deep/corrupt_no_moov.mp4"):
        shutil.copy(videos / Path(name).name, tmp_path / name)
    out = tmp_path / "out.json"
    names = "a bear that walks through a forest,a person who cleans a pool,a dog"
    assert label(tmp_path, "--classes", names, "--json", out) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    (heading,) = (number for number, line in enumerate(lines) if line.startswith("video "))
    best = [one["best"][0]["text"] for one in json.loads(out.read_text())["videos"]]
    rows = [line for line in lines[heading:] if line.startswith(("video ", "bear_vp9.webm ", "deep/flv_h264.flv "))]
    assert [line.split()[0] for line in rows] == ["video", "bear_vp9.webm", "deep/flv_h264.flv"]
    assert all(len(line) <= 80 for line in rows)
    assert any(line.startswith(f"2 videos labelled: {best[0]} ") and "1 of 3 files cannot" in line for line in lines)
    assert [line.partition(";")[0].partition(",")[0] for line in said.err.splitlines()] == [
        f"labelling: {number} of 3 videos" for number in (1, 2, 3)
    ]


def test_the_toy_model_says_what_it_is(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    assert label(videos / "flv_h264.flv", "--classes", "a dog,a cat", "--json", out) == 0
    assert f"note: {NOTICE}" in capsys.readouterr().out
    assert json.loads(out.read_text())["notice"] == NOTICE


def test_patterns_and_files_that_are_named_twice(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert label(videos / "*_vp8.webm", videos / "bbb_vp8.webm", "--classes", "a rabbit", "--json", out) == 0
    assert [Path(one["video"]).name for one in json.loads(out.read_text())["videos"]] == ["bbb_vp8.webm"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["flv_h264.flv"], "say what may be seen"),
        (["flv_h264.flv", "--classes", " , "], "--classes names no class"),
        (["flv_h264.flv", "--classes_file", "empty.txt"], "names no class"),
        (["flv_h264.flv", "--classes_file", "missing.txt"], "there is no file missing.txt"),
        (["flv_h264.flv", "--classes_file", "/dev/zero"], "/dev/zero cannot be read: it is a device"),
        (["x" * 300, "--classes", "a"], "there is no file"),
        (["flv_h264.flv", "--classes_of", "k401"], "there is no class list 'k401'"),
        (["nowhere.mp4", "--classes", "a"], "there is no file"),
        (["none_*.mp4", "--classes", "a"], "there is no file"),
        (["flv_h264.flv", "--classes", "a", "--ckpt", "x.ckpt"], "there is no checkpoint x.ckpt"),
        (["flv_h264.flv", "--classes", "a", "--top", "0"], "--top must be 1 or more"),
    ],
)
def test_mistakes_get_one_message(
    arguments: list[str],
    message: str,
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(videos / "flv_h264.flv", tmp_path)
    (tmp_path / "empty.txt").write_text("\n \n")
    monkeypatch.chdir(tmp_path)
    assert label(*arguments) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("prompt-video:") == 1


@pytest.mark.slow
def test_ten_thousand_classes_and_one_of_two_hundred_words(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = " ".join(f"word{n}" for n in range(200))
    names = tmp_path / "names.txt"
    names.write_text("\n".join([long, *(f"thing number {n}" for n in range(10_000))]), encoding="utf-8")
    assert label(videos / "flv_h264.flv", "--classes_file", names, "--json", tmp_path / "out.json", "--top", "3") == 0
    (found,) = json.loads((tmp_path / "out.json").read_text())["videos"]
    assert len(found["best"]) == 3
    said = capsys.readouterr()
    assert "too long for the model" in said.out + said.err


def test_the_class_list_of_a_data_set(videos: Path, tmp_path: Path) -> None:
    assert label(videos / "flv_h264.flv", "--classes_of", "hmdb51", "--top", "51", "--csv", tmp_path / "o.csv") == 0
    assert "pull up" in [row["class"] for row in csv.DictReader((tmp_path / "o.csv").read_text().splitlines())]


def test_what_is_no_regular_file_is_named_and_never_opened(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(videos / "flv_h264.flv", tmp_path / "fine.flv")
    (tmp_path / "gone.mp4").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.mp4")
    found = [tmp_path / name for name in ("gone.mp4", "pipe.mp4", "fine.flv")]
    assert label(*found, "/dev/zero", "--classes", "a", "--json", tmp_path / "out.json") == 1
    content = json.loads((tmp_path / "out.json").read_text())
    assert [one["video"] for one in content["videos"]] == [str(tmp_path / "fine.flv")]
    reasons = [one["reason"].removeprefix("cannot be opened: ") for one in content["broken"]]
    assert reasons == ["a link to nothing", "a pipe, not a file", "a device, not a file"]
    assert "3 of 4 files cannot be used" in capsys.readouterr().out
    assert label(tmp_path / "fine.flv", "--classes_file", tmp_path / "pipe.mp4") == 1
    assert "a pipe, not a file" in capsys.readouterr().err


def test_names_reach_neither_the_terminal_nor_a_spreadsheet_as_orders(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = tmp_path / "a\x1b]0;b\nc.flv"
    shutil.copy(videos / "flv_h264.flv", video)
    names = "=1+1,\x1b[31mred,[bold]x[/bold],:dog:,\u202eabc"
    assert label(video, "--classes", names, "--csv", tmp_path / "out.csv") == 0
    said = capsys.readouterr().out
    assert not set("\x1b\u202e") & set(said)
    for told in (r"a\x1b]0;b", "=1+1", r"\x1b[31mred", "[bold]x[/bold]", ":dog:", r"\u202eabc"):
        assert told in said
    table = (tmp_path / "out.csv").read_text()
    assert {row["class"] for row in csv.DictReader(table.splitlines())} >= {"'=1+1", r"\x1b[31mred", "[bold]x[/bold]"}
    assert "\x1b" not in table
    with pytest.raises(SystemExit, match="2"):
        label(video, "--\x1b[31m")
    assert "\x1b" not in capsys.readouterr().err


def test_names_that_a_tokenizer_reads_as_one_are_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = parser().parse(["video.mp4", "--classes=Run, jump,run, RUN "])
    model, texts = model_and_texts(options)
    assert texts == ["Run", "jump", "run", "RUN"]
    assert "backbone 'tiny' reads 'Run' and 'run' as one text (2 such pairs)" in caplog.text
    caplog.clear()
    backbone = model.model.backbone
    monkeypatch.setattr(type(backbone), "tokenize", lambda self, texts: [list(map(ord, text)) for text in texts])
    tell_alike(model, texts)  # of a tokenizer that knows capitals
    assert caplog.text == ""


def test_a_terminal_need_not_know_all_signs(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding, told in (("ascii", rb"caf\xe9"), ("cp1252", b"caf\xe9")):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr("sys.stdout", stream)
        assert label(videos / "flv_h264.flv", "--classes", "café,体操") == 0
        stream.flush()
        said = stream.buffer.getvalue()
        assert told in said
        assert rb"\u4f53" in said


def test_who_reads_the_output_may_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        assert main(["--help"]) == 141


def test_a_long_path_does_not_fill_the_screen(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    deep = tmp_path.joinpath(*["y" * 200] * 13)
    deep.mkdir(parents=True)
    (deep / "deep.mp4").symlink_to(videos / "cleaning_pool_h264.mp4")
    for others in ([], [videos / "cleaning_pool_gap_h264.mp4"]):
        out = tmp_path / "out.json"
        assert label(deep / "deep.mp4", *others, "--classes", "cleaning a pool", "--json", out) == 0
        said = capsys.readouterr().out.partition("all figures")[0]
        assert "deep.mp4" in said
        assert said.count("y") < 150
        assert str(deep / "deep.mp4") in [one["video"] for one in json.loads(out.read_text())["videos"]], "whole"
