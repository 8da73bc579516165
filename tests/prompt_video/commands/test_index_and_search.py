"""Index and search through the command line, on real files."""

import json
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch

from data_modules.features.store import FeatureStore
from data_modules.loading import frames
from data_modules.synthetic.rendering import render, write_mp4
from data_modules.synthetic.shapes import SHAPES
from prompt_video.cli import main
from prompt_video.commands.index import parser
from prompt_video.reports.text_formatting import span_text
from prompt_video.search.index import VideoIndex

Make = Callable[[Path, int], Path]
CPU = ["--model=RecognitionTask", "--model.temporal.num_heads=4", "--data=VideoFolder", "--data.root=none"]
CPU += ["--trainer.accelerator=cpu"]
FROZEN = ["--trainer.accelerator=cpu", "--frozen", "--quiet", "--num_workers=0"]
EAGER = """
from functools import partial
import data_modules.modules.extraction as extraction
from prompt_video.cli import main
extraction.StoreWriter = partial(extraction.StoreWriter, max_pending_sec=0.0)
sys.exit(main())
"""


class Run(Protocol):
    """What the fixtures of tasks train."""

    @property
    def checkpoint(self) -> Path: ...


def ask(index: Path, query: str, *options: str) -> list[dict[str, Any]]:
    out = index.parent / "found.json"
    assert main(["search", str(index), query, f"--json={out}", *options]) == 0
    hits: list[dict[str, Any]] = json.loads(out.read_text())["queries"][0]["hits"]
    return hits


def test_a_folder_from_first_to_last(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, index = tmp_path / "videos", tmp_path / "index"
    (folder / "deep").mkdir(parents=True)
    for name in ("cleaning_pool_h264.mp4", "bear_vp9.webm", "audio_only.mp4", "corrupt_stops_midway.mp4"):
        (folder / "deep" / name).write_bytes((videos / name).read_bytes())
    write_mp4([render("star", "spinning", 0).frames], folder / "star.mp4")
    run = ["index", *FROZEN, str(folder), f"--out={index}"]
    assert main(run) == 0
    said = capsys.readouterr().out
    assert "audio_only.mp4: no video stream" in said
    assert "2 files are broken" in said
    assert "3 videos, 4 spans" in said
    hits = ask(index, "a star")
    assert {hit["video_id"] for hit in hits} == {"star.mp4", "deep/cleaning_pool_h264.mp4", "deep/bear_vp9.webm"}
    assert hits[0]["video_id"] == "star.mp4"
    assert Path(hits[0]["path"]) == folder / "star.mp4"
    assert len(ask(index, "a star", "--all_spans")) > len(hits)

    with monkeypatch.context() as patch:
        patch.setattr(frames, "VideoReader", None)  # nothing is opened
        assert main(run) == 0
    assert "0 videos embedded, 5 unchanged" in capsys.readouterr().out

    write_mp4([render(next(shape for shape in SHAPES if shape != "star"), "spinning", 0).frames], folder / "star.mp4")
    before = hits[0]["score"]
    (folder / "deep" / "bear_vp9.webm").unlink()
    assert main(run) == 0
    said = capsys.readouterr().out
    assert "1 videos embedded, 3 unchanged" in said
    assert "1 no longer there" in said
    hits = ask(index, "a star")
    assert {hit["video_id"] for hit in hits} == {"star.mp4", "deep/cleaning_pool_h264.mp4"}
    assert next(hit["score"] for hit in hits if hit["video_id"] == "star.mp4") != before

    assert main([*run, "--span=4"]) == 1
    assert "were not made with what this run asks for" in capsys.readouterr().err
    (tmp_path / "other").mkdir()
    write_mp4([render("star", "spinning", 0).frames], tmp_path / "other" / "x.mp4")
    assert main(["index", *FROZEN, str(tmp_path / "other"), f"--out={index}"]) == 1
    assert "name another place" in capsys.readouterr().err


def test_the_right_shape_comes_first(tmp_path: Path) -> None:
    for shape in SHAPES:
        write_mp4([render(shape, "moving left", 3).frames], tmp_path / "videos" / f"{shape}.mp4")
    assert main(["index", *FROZEN, str(tmp_path / "videos"), f"--out={tmp_path / 'index'}"]) == 0
    index = VideoIndex(tmp_path / "index")
    answers = index.search([f"a {shape}" for shape in SHAPES], top=3)
    first = sum(answer.hits[0].video_id == f"{shape}.mp4" for answer, shape in zip(answers, SHAPES, strict=True))
    assert first > len(SHAPES) / 2
    long = index.search(["a star " * 100, "a star"])
    assert [answer.truncated for answer in long] == [True, False]


@pytest.mark.slow
def test_a_kill_costs_little(tmp_path: Path, make_videos: Make, start_python: Callable[..., ForkServerProcess]) -> None:
    folder = make_videos(tmp_path / "videos", 10)

    def start(out: str) -> ForkServerProcess:
        return start_python(EAGER, "index", *FROZEN, str(folder), f"--out={tmp_path / out}")

    killed = start("killed")
    while not list((tmp_path / "killed").glob("*.safetensors")):
        assert killed.is_alive()
        time.sleep(0.01)
    killed.kill()
    killed.join()
    assert 0 < len(FeatureStore(tmp_path / "killed")) < 20
    for process in (start("whole"), start("killed")):
        process.join()
        assert process.exitcode == 0
    whole, resumed = FeatureStore(tmp_path / "whole"), FeatureStore(tmp_path / "killed")
    assert whole.video_ids == resumed.video_ids
    assert len(whole) == 20
    for video_id in whole.video_ids:
        torch.testing.assert_close(resumed.read(video_id), whole.read(video_id), rtol=2e-3, atol=2e-3)


def test_checkpoints(
    recognition: Run, probe: Run, tmp_path: Path, make_videos: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    root, index = make_videos(tmp_path / "videos", 2), tmp_path / "index"
    run = ["index", str(root), f"--out={index}", "--quiet", "--num_workers=0"]
    assert main([*run, f"--ckpt={recognition.checkpoint}", *CPU]) == 0
    assert len(ask(index, "spinning")) == 4
    assert main([*run, *CPU, "--templates=names"]) == 1
    assert "say --frozen too" in capsys.readouterr().err
    frozen = ["index", str(root), "--out", str(tmp_path / "frozen"), *CPU, *FROZEN, "--templates=clip-kinetics"]
    assert main(frozen) == 0
    model = VideoIndex(tmp_path / "frozen").model
    assert model.frozen_spec()["templates"] == "clip-kinetics"
    assert model.temperature.item() == pytest.approx(model.backbone.temperature)
    assert main([*run, *FROZEN]) == 1
    assert "were not made with what this run asks for" in capsys.readouterr().err
    assert main([*run, *CPU]) == 1
    assert "name its checkpoint with --ckpt, or say --frozen" in capsys.readouterr().err
    assert main(run) == 1
    assert "name the model" in capsys.readouterr().err
    assert main([*run, f"--ckpt={probe.checkpoint}"]) == 1
    assert "linear probe" in capsys.readouterr().err


def test_what_cannot_be_searched(
    tmp_path: Path, make_videos: Make, clip_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(index: Path, *options: str) -> str:
        assert main(["search", str(index), *(options or ("a star",))]) == 1
        return capsys.readouterr().err

    index = tmp_path / "index"
    assert "does not exist. Make one" in fails(index)
    (tmp_path / "empty").mkdir()
    assert "it has no search.pt" in fails(tmp_path / "empty")
    assert main(["index", *FROZEN, str(tmp_path / "empty")]) == 1
    assert "no video below" in capsys.readouterr().err
    assert main(["index", *FROZEN, str(make_videos(tmp_path / "videos", 1)), f"--out={index}"]) == 0
    assert "the query is empty" in fails(index, " ")
    assert "top must be 1" in fails(index, "a", "--top=0")
    assert "say where it is with --backbone" in fails(index, "a star", f"--backbone={tmp_path / 'nothing'}")
    assert "cannot be compared" in fails(index, "a star", f"--backbone={clip_folder}")
    (shard,) = index.glob("shard-*")
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    assert "is damaged" in fails(index)
    shard.unlink()
    assert "holds no videos" in fails(index)
    (index / "search.pt").write_bytes(b"no")
    assert "is damaged" in fails(index)


def test_words() -> None:
    assert span_text(65.0, 73.2) == "1:05-1:14"
    assert span_text(4.0, 12.001) == "0:04-0:12"
    assert span_text(0.0, 0.13) == "0:00-0:01"
    assert span_text(3725.0, 3733.0) == "1:02:05-1:02:13"
    options, others = parser().parse_beside(
        ["--config", "demo_closed", "--data.root", "x", "videos", "--quiet", "--span=3"]
    )
    assert (options.folder, options.quiet, options.span) == (Path("videos"), True, 3.0)
    assert others == ["--config", "demo_closed", "--data.root", "x"]
