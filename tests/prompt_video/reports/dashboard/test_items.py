"""What a run's wandb files hold of a test."""

import json
from collections.abc import Callable
from typing import Any

import av
import pytest
from PIL import Image

from data_modules.video.decoding import VideoReader
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.io.readable import readable
from tests.small_runs import rows_of

TASKS = ("recognition", *(pytest.param(task, marks=pytest.mark.slow) for task in ("localization", "retrieval")))
Run = Callable[[str], Any]


@pytest.mark.parametrize("task", TASKS)
def test_figures_of_the_run_are_logged_with_lost_videos_and_waiting(offline_run: Run, task: str) -> None:
    run = offline_run(task)
    results = json.loads((run.folder / "results.json").read_text())
    metrics = results["metrics"]
    for name, value in metrics.items():
        if name.startswith(("test/", "broken/", "train/loss")):
            assert run.logged[name] == pytest.approx(value), name
    assert 0 < run.logged["data_wait"] < 1
    dropped = {name.removeprefix("broken/"): value for name, value in metrics.items() if name.startswith("broken/")}
    assert dropped == {split: videos["dropped"] for split, videos in results["samples"].items()}
    assert dropped == {"train": 1 if task == "recognition" else 0, "val": 0, "test": 0}


@pytest.mark.parametrize("task", TASKS)
def test_every_video_of_a_table_plays(offline_run: Run, task: str) -> None:
    run = offline_run(task)
    rows = run.table("tables/videos")
    assert len(rows) == {"recognition": 6, "localization": 3, "retrieval": 7}[task]
    for row in rows:
        assert row["video"].is_relative_to(run.folder)
        assert row["video"].stat().st_size < 200_000
        with av.open(str(row["video"])) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            assert len(list(container.decode(stream))) > 1
    assert len({row["video_id"] for row in rows}) == len(rows)


@pytest.mark.parametrize("task", TASKS)
def test_words_near_the_prompts_are_of_the_vocabulary(offline_run: Run, task: str) -> None:
    run = offline_run(task)
    rows = run.table("tables/prompt_words")
    assert [row["vector"] for row in rows] == ["prefix 1", "prefix 2", "suffix 1"]
    backbone = FrozenBackbone("tiny")
    known = {backbone.towers.tokenizer.token(n) for n in range(backbone.towers.text.token_embedding.num_embeddings)}
    for row, written in zip(rows, rows_of(run.folder / "prompt_words.csv"), strict=True):
        words = [row["word"], *row["next"].split(" ")]
        assert len(words) == 5
        assert set(words) <= known
        assert {name: readable(cell) for name, cell in row.items()} == written


def test_recognition_confusion_and_classes_are_those_of_the_run_folder(offline_run: Run) -> None:
    run = offline_run("recognition")
    counts = {
        (row["truth"], guess): int(row[guess])
        for row in rows_of(run.folder / "confusion.csv")
        for guess in row
        if guess != "truth"
    }
    shown = {(row["Actual"], row["Predicted"]): row["nPredictions"] for row in run.table("confusion/test_table")}
    assert shown == counts
    assert sum(counts.values()) == 6
    assert run.charts["confusion/test"]["panel_config"]["panelDefId"] == "wandb/confusion_matrix/v1"
    classes = rows_of(run.folder / "by_class.csv")
    rows = run.table("tables/classes")
    assert [(row["class"], row["accuracy"], row["frozen_accuracy"]) for row in rows] == [
        (row["class"], float(row["accuracy"]), float(row["frozen_accuracy"])) for row in classes
    ]
    frozen = sum(row["frozen_accuracy"] * row["videos"] for row in rows) / 6
    assert frozen == pytest.approx(run.logged["test/frozen_top1"], abs=1e-3)
    predictions = {row["video_id"]: row for row in rows_of(run.folder / "by_video.csv")}
    for row in run.table("tables/videos"):
        written = predictions[row["video_id"]]
        assert (row["truth"], row["prediction"]) == (written["target"], written["pred"])
        assert row["verdict"] == ("right" if written["target"] == written["pred"] else "wrong")


def test_a_video_of_a_table_is_that_of_its_row(offline_run: Run) -> None:
    run = offline_run("recognition")
    for row in run.table("tables/videos"):
        source = run.config.parent / "data" / "test" / row["video_id"].removeprefix("test/")
        with VideoReader(source) as one, VideoReader(row["video"].resolve()) as other:
            for moment in (0.0, 1.0):
                frames = [reader.decode([moment])[0].float() for reader in (one, other)]
                assert (frames[0] - frames[1]).abs().mean() < 10


@pytest.mark.slow
def test_localization_shows_classes_beside_the_frozen_clip_and_timelines(offline_run: Run) -> None:
    run = offline_run("localization")
    rows = run.table("tables/classes")
    written = rows_of(run.folder / "by_class.csv")
    assert {r["class"]: (r["clip_only"], r["frozen"]) for r in rows} == {
        r["class"]: (pytest.approx(float(r["clip_only"]), abs=1e-4), pytest.approx(float(r["frozen"]), abs=1e-4))
        for r in written
    }
    timelines = run.table("tables/timelines")
    assert {row["video_id"] for row in timelines} == {"test/000.mp4", "test/001.mp4", "test/002.mp4"}
    for row in timelines:
        with Image.open(row["timeline"]) as picture:
            assert picture.width > 100
    for row in run.table("tables/videos"):
        assert row["truth"].count("-") >= 1
        assert row["verdict"].startswith("learned")


@pytest.mark.slow
def test_retrieval_shows_hits_and_misses(offline_run: Run) -> None:
    run = offline_run("retrieval")
    written = {row["caption"]: row for row in rows_of(run.folder / "by_caption.csv")}
    shown = {kind: run.table(f"retrieval/{kind}") for kind in ("hits", "misses")}
    assert len(shown["hits"]) + len(shown["misses"]) == 7
    for kind, rows in shown.items():
        for row in rows:
            assert row["rank"] == float(written[row["caption"]]["rank"])
            is_same = row["video"].read_bytes() == row["found_first"].read_bytes()
            assert is_same == (kind == "hits")
    ranks = {row["video_id"]: row for row in rows_of(run.folder / "by_video.csv")}
    for row in run.table("tables/videos"):
        assert row["prediction"] == ranks[row["video_id"]]["first_caption"]
        assert (row["prediction"] in row["truth"].split(" / ")) or row["verdict"] == "wrong"
