"""Watching: the last seconds are scored as a video of them would be, and each line says when."""

import json
from pathlib import Path

import pytest
import torch

from data_modules.errors import InputError
from data_modules.synthetic.rendering import render, write_mp4
from data_modules.video.live import Back, Event, LivePicture, LiveSource, Lost
from prompt_video.cli import main
from prompt_video.inference.loaded import LoadedModel
from prompt_video.inference.loading import load
from prompt_video.inference.watching import Moment, Watcher

TEXTS = ["a spinning star", "a growing square", "a heart moving to the left"]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A star for a while, then a square."""
    path = tmp_path_factory.mktemp("watched") / "two.mp4"
    write_mp4([render("star", "spinning", 1).frames, render("square", "growing", 1).frames], path)
    return path


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load(device="cpu")


def moments(model: LoadedModel, video: Path, **lengths: float) -> list[Moment]:
    watcher = Watcher(model, TEXTS, **lengths)
    with LiveSource(str(video), watcher.rate) as source:
        return [told for told in watcher.watch(source) if isinstance(told, Moment)]


def test_what_is_shown_now_is_told_each_second(model: LoadedModel, video: Path) -> None:
    told = moments(model, video, window_sec=1.5, every_sec=1.0)
    assert [one.end_sec for one in told[:-1]] == [float(n + 1) for n in range(len(told) - 1)]
    assert all(one.end_sec - one.start_sec <= 1.5 + 1e-6 for one in told)
    labels = [one.scores.label for one in told]
    assert labels[1] == TEXTS[0]
    assert labels[-1] == TEXTS[1]


def test_a_window_over_all_of_a_video_is_scored_as_the_video(model: LoadedModel, video: Path) -> None:
    whole = model.score(video, TEXTS)
    last = moments(model, video, window_sec=whole.duration_sec, every_sec=1.0)[-1]
    assert last.start_sec == pytest.approx(0, abs=0.3)
    assert torch.allclose(last.scores.probability, whole.probability, atol=0.05)
    assert last.scores.label == whole.label


def test_no_window_reaches_over_a_gap(model: LoadedModel) -> None:
    star, square = (render(shape, "growing", 3).frames[8] for shape in ("star", "square"))
    events: list[Event] = [LivePicture(n / 4, star, 1.0) for n in range(6)]
    events += [Lost("cut"), Back(3.0)]
    events += [LivePicture(4.5 + n / 4, square, 1.0) for n in range(6)]
    watcher = Watcher(model, ["a star", "a square"], window_sec=4.0)
    watcher.rate = 4.0
    told = list(watcher.watch(events))
    kinds = [type(one).__name__ for one in told]
    assert kinds == ["Moment", "Moment", "Lost", "Back", "Moment", "Moment"]
    spans = [(one.start_sec, one.end_sec) for one in told if isinstance(one, Moment)]
    assert spans == [(0, 1), (0, 1.5), (4.5, 5.5), (4.5, 6.0)]
    assert [one.scores.label for one in told if isinstance(one, Moment)][1::2] == ["a star", "a square"]


def test_lines_are_json_where_there_is_no_terminal(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--classes", ",".join(TEXTS), "--window", "2", "--none_below", "1", "--top", "2", "--device", "cpu"]
    assert main(["watch", str(video), *options]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) >= 4
    assert "knows simple moving shapes only" in lines[0].pop("notice")
    assert all(line.keys() == {"start_sec", "end_sec", "label", "confidence", "best"} for line in lines)
    assert {line["label"] for line in lines if line["confidence"] < 1} == {None}
    assert all(len(line["best"]) == 2 for line in lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--window", "0"], "--window must be more than 0"),
        (["--every", "5"], "--window must not be shorter than --every"),
        (["--top", "0"], "--top must be 1 or more"),
        ([], "there is no file nowhere.mp4 to watch"),
    ],
)
def test_mistakes(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "nowhere.mp4", "--classes", "a,b", "--device", "cpu", *options]) == 1
    assert message in capsys.readouterr().err


def test_a_window_is_finite(model: LoadedModel) -> None:
    with pytest.raises(InputError, match="at most 60"):
        Watcher(model, TEXTS, window_sec=1e9)
