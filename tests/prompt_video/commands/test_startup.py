"""What a command loads before it does anything: seconds for nothing are easily added, and seen by nobody."""

import json
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import pytest

from prompt_video.cli import main
from prompt_video.commands import run
from prompt_video.commands.verbs import VERBS
from prompt_video.experiment.settings import read_settings
from prompt_video.experiment.words import check_words

RUNS = ("fit", "validate", "test")
LOADED = """
import json
import sys
from prompt_video.cli import main

HEAVY = set(sys.argv[2:])
HEAVY |= {"torch", "lightning", "torchmetrics", "transformers", "wandb", "starlette", "uvicorn", "matplotlib", "av"}
loaded = {}
for words in json.loads(sys.argv[1]):
    try:
        code = main(words)
    except SystemExit as left:
        code = left.code
    loaded[" ".join(words)] = [code, sorted(HEAVY & set(sys.modules))]
print(json.dumps(loaded), file=sys.stderr)
"""
# A wrong name of each kind, of verbs that load what learns once all is well; and the end of what is said.
MISTAKES = [
    ("fitt", "did you mean 'fit'"),
    ("train --config demo_closed", "'train' is called 'fit': prompt-video fit"),
    ("fit demo_closed", "did you mean --config demo_closed?"),
    ("fit", "name an experiment, as in `prompt-video fit --config demo_closed`;"),
    ("test", "or a checkpoint of a run with --ckpt; `prompt-video list experiments` shows all."),
    ("fit --config demo_closed --method", "method: a value is missing."),
    ("fit --config demo_closed --backbone vitb16", "did you mean 'vit_b16'"),
    ("label video.mp4 --classes a --backbone tinny", "did you mean 'tiny'"),
    ("fit --config hmdb51_close", "did you mean 'hmdb51_closed'"),
    ("fit --config demo_closed --method linear_prob", "did you mean 'linear_probe'"),
    ("fit --config demo_closed --data MovingShape", "did you mean 'MovingShapes'"),
    ("fit --config demo_closed --data.class_path HMDB52", "did you mean 'HMDB51'"),
    ("fit --config demo_closed --data.rott x", "did you mean 'root'"),
    ("fit --config demo_closed --model.promt.num_prefix 3", "did you mean 'prompt'"),
    ("fit --config demo_closed --model.prompt.num_prefx 3", "did you mean 'num_prefix'"),
    ("fit --config demo_closed --trainer.max_epoch 3", "did you mean 'max_epochs'"),
    ("fit --config typo.yaml", "there is no option 'rott'; did you mean 'root'"),
    ("test --ckpt nowhere.ckpt", "there is no checkpoint nowhere.ckpt."),
    ("doctor --config ucf101_5way5sho", "did you mean 'ucf101_5way5shot'"),
    ("features --config demo_closed --method promts", "did you mean 'prompts'"),
    ("dry-run --config demo_closed --data.batchsize 4", "did you mean 'batch_size'"),
    ("index . --config demo_close", "did you mean 'demo_closed'"),
    ("sweep prompt_lenth --config demo_closed", "did you mean 'prompt_length'"),
    ("dashboard --config demo_closd", "did you mean 'demo_closed'"),
    ("copy demo_closd", "did you mean 'demo_closed'"),
    ("label video.mp4 --classes_of hmdb52", "there are: hmdb51, ucf101"),
    ("label video.mp4 --classes a --templates vidio", "a set of templates (names, video,"),
    ("label video.mp4 --classes a --ckpt nowhere.ckpt", "there is no checkpoint nowhere.ckpt."),
    ("segment video.mp4 --classes a --ckpt nowhere.ckpt", "there is no checkpoint nowhere.ckpt."),
]


class Run(Protocol):
    """What the fixtures of tasks train."""

    @property
    def checkpoint(self) -> Path: ...


def loaded_by(words: list[list[str]], folder: Path, *more: str) -> tuple[dict[str, Any], str, list[str]]:
    """What is loaded after each command, one after the other, and what they print; ``more`` to be looked for."""
    command = [sys.executable, "-c", LOADED, json.dumps(words), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    *said, last = done.stderr.splitlines()
    return json.loads(last), done.stdout, said


def test_help_and_a_wrong_option_need_no_library_that_learns_or_draws(tmp_path: Path) -> None:
    words = [[verb, option] for verb in VERBS for option in ("--help", "--claxes=x")]
    loaded, shown, said = loaded_by([*words, ["completion", "bash"]], tmp_path)
    assert {what: heavy for what, (_, heavy) in loaded.items() if heavy} == {}
    assert all(code == 0 for what, (code, _) in loaded.items() if what.endswith(("--help", "bash")))
    assert all(code in (1, 2) for what, (code, _) in loaded.items() if what.endswith("x"))
    assert [verb for verb in VERBS if f"usage: prompt-video {verb}" not in shown] == []
    assert len(said) == len(VERBS)
    assert [line for line in said if "there is no option 'claxes'" not in line] == []
    assert sum("did you mean 'classes'?" in line for line in said) == 5


def test_a_wrong_name_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "typo.yaml").write_text("data: {class_path: HMDB51, init_args: {rott: x}}\nmodel: RecognitionTask\n")
    (tmp_path / "video.mp4").touch()
    loaded, _, said = loaded_by([mistake.split() for mistake, _ in MISTAKES], tmp_path)
    assert {what: code_heavy for what, code_heavy in loaded.items() if code_heavy != [1, []]} == {}
    assert [(line, end) for line, (_, end) in zip(said, MISTAKES, strict=True) if end not in line] == []


def test_help_of_every_verb_fits_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for verb in VERBS:
        with suppress(SystemExit):  # argparse's end of a help
            main([verb, "--help"])
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


@pytest.mark.slow
def test_help_is_there_in_half_the_time_that_torch_takes(tmp_path: Path) -> None:
    def seconds(*words: str) -> float:
        started = time.monotonic()
        subprocess.run([sys.executable, *words], capture_output=True, check=True, cwd=tmp_path)
        return time.monotonic() - started

    # The faster of two: whatever else the machine does comes on top of either.
    help_sec, torch_sec = (
        min(seconds(*words) for _ in range(2))
        for words in (("-m", "prompt_video", "fit", "--help"), ("-c", "import torch"))
    )
    assert help_sec < torch_sec / 2


def test_scoring_ones_own_videos_loads_nothing_that_trains_and_no_compiler(
    videos: Path, recognition: Run, clip_folder: Path, tmp_path: Path
) -> None:
    shutil.copy(videos / "flv_h264.flv", tmp_path)
    index = ["index", str(tmp_path), "--out", str(tmp_path / "ix"), "--config=demo_closed", "--frozen", "--quiet"]
    assert main([*index, "--num_workers=0", "--trainer.accelerator=cpu"]) == 0
    video = str(tmp_path / "flv_h264.flv")
    words = [
        ["label", video, "--classes_of", "hmdb51"],
        ["label", video, "--ckpt", str(recognition.checkpoint)],
        ["label", video, "--classes", "a dog,a cat", "--backbone", str(clip_folder)],  # written by transformers
        ["segment", video, "--classes", "a dog,a cat"],
        ["search", str(tmp_path / "ix"), "a dog"],
    ]
    loaded, _, _ = loaded_by(words, tmp_path, "torch._dynamo")
    assert [[0, ["av", "torch"]]] * len(words) == list(loaded.values())


@pytest.mark.parametrize("verb", RUNS)
def test_help_of_a_run_fits_a_terminal_and_names_real_options(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) < 80
    assert all(f"--{name}" in shown for name in ("config", "ckpt", "method", "backbone", "name"))
    check_words([f"--{name}=1" for name in run.SETTINGS])
    defaults = read_settings(["--config=demo_closed"]).verb_parser
    known = {action.dest for action in defaults._actions}
    own = {name for name in re.findall(r"^  --(\w+)", shown, re.M) if name not in ("data", "model", "trainer")}
    assert own - {"ckpt", "help"} <= known


def test_all_of_lightnings_help_is_there_still(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["fit", "--help", "all"])
    shown = capsys.readouterr().out
    assert "--trainer.gradient_clip_val" in shown
    assert "--model.help" in shown


def test_classes_of_ones_own_are_left_to_the_parser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.yaml").write_text(
        "data: {class_path: mine.MyShapes, init_args: {my_own: 2}}\n"
        "model: {class_path: RecognitionTask, init_args: {prompt: {class_path: mine.Prompt, init_args: {a: 3}}}}\n"
        "trainer: {callbacks: [{class_path: mine.Callback, init_args: {patience_of_mine: 3}}]}\n"
    )
    monkeypatch.chdir(tmp_path)
    check_words(["--config", "own.yaml", "--data.my_own", "3", "--model.prompt.width_of=4", "--model.optimizer.lrr=1"])
    check_words(["--config=demo_closed", "--model", "mine.MyTask", "--model.another=2", "--data.class_names.a", "b"])
    check_words(["--config=demo_closed", "--print_config", "--trainer.callbacks+=mine.Callback"])


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in RUNS])
def test_options_have_one_spelling(verb: str) -> None:
    """Underscores in all names; what means the same has the same name in all verbs."""
    import importlib

    parser = importlib.import_module(VERBS[verb][0]).parser()
    names = {name for action in parser._actions for name in action.option_strings if name.startswith("--")}
    assert not {name for name in names if "-" in name.removeprefix("--")}
    assert not names & {"--ckpt_path", "--checkpoint", "--workers", "--output", "--folder"}
