"""Commands and code of the READMEs, run as they stand there."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

OUTPUTS = ("--csv", "--json", "--out", "--onnx", "--hub", "--srt")


def run_there(text: str, options: Sequence[str], workspace: Path) -> None:
    words = shlex.split(text)
    program = Path(sys.executable).with_name(words[0])
    environment = {**os.environ, "WANDB_MODE": "disabled", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [program, *words[1:], *options], cwd=workspace, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    for place, word in enumerate(words):
        if word in OUTPUTS:
            assert (workspace / words[place + 1]).exists(), f"{text} has not written {words[place + 1]}"


def test_a_command_runs_on_small_videos(
    run_command: Any,  # noqa: ANN401
    all_commands: Sequence[Any],
    in_workspace: Callable[[str], str],
    workspace: Path,
) -> None:
    kind = run_command.kind
    if kind.after:
        before = next(c for c in all_commands if c.kind is not None and c.kind.pattern == kind.after)
        if not (workspace / "my_index").exists():
            run_there(in_workspace(before.text), before.kind.options, workspace)
    run_there(in_workspace(run_command.text), kind.options, workspace)
    if run_command.text.startswith("prompt-video report"):
        assert "folder_retrieval" in (workspace / "runs" / "report.html").read_text(encoding="utf-8")


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
