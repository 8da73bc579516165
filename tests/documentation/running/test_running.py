"""Commands and code of the READMEs, run as they stand there."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prompt_video.cli import main

pytestmark = pytest.mark.slow

AsRun = Callable[[str], tuple[dict[str, str], list[str]]]
LEFT = {
    "fit": "results.json",
    "dry-run": "results.json",
    "dashboard": "demo_closed.json",
}
OUTPUTS = ("--csv", "--json", "--out", "--onnx", "--hub", "--srt")


@pytest.fixture
def run_there(as_run: AsRun, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Sequence[str]], None]:
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    return partial(_run_there, as_run)


def _run_there(as_run: AsRun, text: str, options: Sequence[str]) -> None:
    _, words = as_run(text.partition(" > ")[0])
    assert main([*words, *options]) == 0
    for place, word in enumerate(words):
        if word in OUTPUTS:
            assert Path(words[place + 1]).exists(), f"{text} has not written {words[place + 1]}"


def test_a_command_runs_on_small_videos(
    run_command: Any,  # noqa: ANN401
    all_commands: Sequence[Any],
    in_workspace: Callable[[str], str],
    run_there: Callable[[str, Sequence[str]], None],
    workspace: Path,
) -> None:
    kind = run_command.kind
    if kind.after:
        before = next(c for c in all_commands if c.kind is not None and c.kind.pattern == kind.after)
        if not (workspace / "my_index").exists():
            run_there(in_workspace(before.text), before.kind.options)
    run_there(in_workspace(run_command.text), kind.options)
    if run_command.text.startswith("prompt-video report"):
        assert "folder_retrieval" in (workspace / "runs" / "report.html").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")  # the dashboard's own library
def test_a_command_runs_on_made_up_data(
    settings_command: Any,  # noqa: ANN401
    as_run: AsRun,
    miniature: Callable[[str], Any],
    small_options: tuple[str, ...],
    workspace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, (verb, *arguments) = as_run(settings_command.text)
    options = [f"--runs={tmp_path}"]
    if verb == "fit":
        options += [*small_options, f"--data.features_root={tmp_path / 'features'}"]
        options += ["--trainer.max_epochs=1", "--wandb=disabled", "--quiet=true"]
        if "--data.root" not in arguments:
            folder, made = miniature(Path(arguments[arguments.index("--config") + 1]).stem)
            monkeypatch.setenv("DATA_ROOT", str(folder))
            options += made
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.chdir(workspace)
    assert main([verb, *arguments, *options]) == 0
    assert list(tmp_path.rglob(LEFT[verb]))


def test_the_page_is_served(workspace: Path) -> None:
    program = Path(sys.executable).with_name("prompt-video")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([program, "serve"], cwd=workspace, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
        with urllib.request.urlopen(url, timeout=60) as page:
            assert page.status == 200
            assert b"<html" in page.read()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_a_model_is_loaded_as_the_readme_says(
    readme_blocks: Sequence[Any],
    workspace: Path,
    in_workspace: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (block,) = (b for b in readme_blocks if b.language == "python" and "prompt_video.load" in b.text)
    monkeypatch.chdir(workspace)
    names: dict[str, Any] = {}
    exec(compile(in_workspace(block.text), block.document, "exec"), names)
    best = names["model"].score("holiday.mp4", ["slicing onions", "juggling balls"]).best()
    assert {text for text, *_ in best} == {"slicing onions", "juggling balls"}
    assert sum(one[1] for one in best) == pytest.approx(1, abs=1e-5)
