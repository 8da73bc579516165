"""Every verb with every wrong kind of argument: one sentence, no traceback, nothing that a terminal would obey."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from prompt_video.cli import main
from prompt_video.commands.verbs import VERBS

DEMO = str(Path(__file__).parents[3] / "experiments" / "demo_closed.yaml")
PATHS = {
    "missing": "nope/x.y",
    "folder": "empty",
    "empty": "empty.txt",
    "bytes": "bytes.bin",
    "text": "text.txt",
    "deep": "deep.json",
    "long": "x" * 300,
    "surrogate": "a\udcffb",
    "no unicode": "a\ud800b",
    "zero": "a\0b",
    "control": "a\x1b[31mb\nc",
    "dangling": "dangling.mp4",
    "loop": "loop",
    "below a file": "text.txt/x",
    "nothing": "",
    "address": "http://127.0.0.1:9/x.mp4",
}
COMMANDS = {
    "label": "label {} --classes a",
    "segment": "segment {} --classes a",
    "index": f"index {{}} --config {DEMO} --out ix --quiet --frozen --num_workers 0",
    "index --ckpt": "index empty --ckpt {}",
    "label --classes_file": "label video.mp4 --classes_file {}",
    "label --ckpt": "label video.mp4 --classes a --ckpt {}",
    "search": "search {} query",
    "serve --index": "serve --index {}",
    "fit --config": "fit --config {}",
    "doctor --config": "doctor --config {}",
    "fit --data": f"fit --config {DEMO} --data {{}}",
    "sweep": "sweep {}",
    "export": "export --ckpt {} --hub h",
    "import-official": "import-official {} --out o.ckpt",
    "import-features": "import-features {} --out store --frame_rate 1 --backbone tiny",
    "score-detections": "score-detections {} pred.json",
    "score-detections pred": "score-detections gt.json {}",
    "score-retrieval": "score-retrieval {}",
    "score-retrieval owner": "score-retrieval ok.npy --video_of_caption {}",
    "report": "report {}",
}
OPTIONS = [
    f"fit --config {DEMO} --trainer.accelerator nope",
    f"fit --config {DEMO} --trainer.devices x",
    f"fit --config {DEMO} --trainer.precision bf16-true",
    f"fit --config {DEMO} --trainer.max_epochs -2",
    f"fit --config {DEMO} --trainer.strategy nope",
    f"fit --config {DEMO} --trainer.profiler nope",
    f"fit --config {DEMO} --save_every_n_steps -1",
    f"fit --config {DEMO} --trainer.accumulate_grad_batches 0",
    f"fit --config {DEMO} --trainer.check_val_every_n_epoch 0",
    f"fit --config {DEMO} --trainer.gradient_clip_val -1",
    f"fit --config {DEMO} --data.frame_rate 0",
    f"fit --config {DEMO} --model.backbone ",
    "label video.mp4 --classes a --device nonsense",
    "label video.mp4 --classes a --device meta",
    "label video.mp4 --classes a\udcffb",
    "label video.mp4 --classes a --json text.txt/x",
    "label video.mp4 --classes a --csv empty",
    "segment video.mp4 --classes a --srt text.txt",
    "segment video.mp4 --classes a --min_score nan",
    "score-detections gt.json pred.json --tiou nan",
    "score-detections gt.json pred.json --json empty",
    "score-retrieval ok.npy --json empty",
    "serve --max_duration nan",
    "export --ckpt x --onnx text.txt/x",
    f"index empty --config {DEMO} --out text.txt",
]


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("place")
    (folder / "empty").mkdir()
    (folder / "empty.txt").touch()
    (folder / "bytes.bin").write_bytes(bytes(range(256)) * 9)
    (folder / "text.txt").write_text("a\nb\n")
    (folder / "deep.json").write_text("[" * 50_000)
    (folder / "dangling.mp4").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    (folder / "video.mp4").touch()
    truth = {"v": {"subset": "validation", "duration": 10, "annotations": [{"label": "a", "segment": [0, 2]}]}}
    (folder / "gt.json").write_text(json.dumps({"version": "1.3", "database": truth}))
    (folder / "pred.json").write_text('{"results": {"v": [{"label": "a", "segment": [0, 2], "score": 0.5}]}}')
    np.save(folder / "ok.npy", np.eye(3))
    before = Path.cwd()
    os.chdir(folder)
    yield
    os.chdir(before)


def check(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as left:  # argparse's way
        code = int(str(left.code))
    said = capsys.readouterr()
    assert code in (1, 2)
    assert "\x1b" not in said.out + said.err
    assert "Traceback" not in said.err
    assert said.err.strip() or "cannot be used" in said.out
    if code == 1:
        told = [line for line in said.err.splitlines() if not re.search(r"\d of \d+ videos", line)]
        assert len(told) <= 1


# No name at all is this folder, which can be indexed.
@pytest.mark.parametrize(
    ("command", "kind"),
    [(command, kind) for command in COMMANDS for kind in PATHS if (command, kind) != ("index", "nothing")],
)
def test_a_wrong_path_is_one_sentence(command: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    check([PATHS[kind] if word == "{}" else word for word in COMMANDS[command].split(" ")], capsys)


@pytest.mark.parametrize("command", OPTIONS)
def test_a_wrong_option_is_one_sentence(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    check(command.split(" "), capsys)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("demo", "bench")])
def test_an_unknown_option_is_one_sentence(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    check([verb, "--n\x1b[31mope", "x"], capsys)


def test_a_verb_that_has_another_name_now_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearse", "--config", DEMO]) == 1
    assert "'rehearse' is called 'dry-run': prompt-video dry-run" in capsys.readouterr().err
