"""Tables: files that describe them, runs that are done once, and what is written."""

import csv
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from data_modules.errors import InputError
from prompt_video.cli import main
from prompt_video.experiment.claim import claim_named, is_claimed
from prompt_video.experiment.packaged import packaged
from prompt_video.experiment.tables import results, running
from prompt_video.experiment.tables.plan import Plan, PlannedRow, read_seeds
from prompt_video.experiment.tables.running import place, run_all
from prompt_video.experiment.tables.table_file import read_table
from prompt_video.reports.comparison.published import published
from prompt_video.reports.comparison.rows import Row
from prompt_video.reports.comparison.runs import read_run
from tests.small_runs import results_of

TABLE = """# Two rows of a small world.
experiment: demo_closed
seeds: [0, 1]
columns: [test/top1]
rows:
  - {method: [frozen_clip, prompts_temporal]}
"""


def table_file(folder: Path, text: str = TABLE) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_groups_stand_for_a_row_of_each_experiment_and_method(tmp_path: Path) -> None:
    text = """# First sentence. Second.
method: prompts
rows:
  - {experiment: [demo_closed, demo_openset], settings: {model.temporal.init_args.num_layers: 1, a.init_args: {b: 2}}}
  - {experiment: demo_closed, method: [frozen_clip, linear_probe]}
  - {experiment: demo_closed, name: mine}
"""
    plan = read_table(table_file(tmp_path, text))
    assert (plan.name, plan.title, plan.seeds, plan.figures) == ("mine", "First sentence", (0,), [])
    settings = "prompts, temporal layers 1, b 2"
    assert [row.name for row in plan.rows] == [settings, settings, "zero-shot, bare names", "linear probe", "mine"]
    config = f"--config={packaged('experiment')['demo_openset']}"
    expected = [config, "--method=prompts", "--model.temporal.init_args.num_layers=1", '--a.init_args={"b": 2}']
    assert plan.rows[1].options == expected
    assert plan.rows[1].words == "num_layers_1_b_2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is no YAML"),
        ("rows: []", "is no table: it has no `rows`"),
        ("[1]", "is no table"),
        ("rows: [{method: prompts}]", "names no experiment"),
        ("rows: [demo_closed]", "a row needs an experiment"),
        ("rows: [{experiment: demo_closd}]", "demo_closed"),
        ("rows: [{experiment: demo_closed, methd: prompts}]", "there is no 'methd' in a table; did you mean 'method'"),
        ("colums: []\nrows: [{experiment: demo_closed}]", "did you mean 'columns'"),
        ("seeds: [0, 0]\nrows: [{experiment: demo_closed}]", "different ones"),
        ("seeds: [-1]\nrows: [{experiment: demo_closed}]", "a seed is a whole number"),
        ("columns: [1]\nrows: [{experiment: demo_closed}]", "`columns` must be"),
        ("rows: [{experiment: demo_closed, settings: [1]}]", "settings are options by name"),
        ("rows: [{experiment: demo_closed}, {experiment: demo_closed}]", "two rows are called 'its own method'"),
    ],
)
def test_what_is_no_table_gets_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read_table(table_file(tmp_path, text))


def test_wrong_words_are_told_before_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = {
        ("hmdb51_closed_ablatin",): "did you mean 'hmdb51_closed_ablation'",
        (): "name a table first, one of closed_set, ",
        ("closed_set", "--config", "demo_closed"): "a table names its experiments and seeds itself",
        ("closed_set", "--seeds", "x"): "--seeds x: name how many seeds",
        (str(table_file(tmp_path)), "--model.prompt.num_prefx", "1"): "num_prefx",
        (str(table_file(tmp_path)), f"--run_folder={tmp_path}"): "take --runs in the place of --run_folder",
    }
    for words, message in said.items():
        assert main(["table", *words, f"--runs={tmp_path / 'runs'}"]) == 1
        assert message in capsys.readouterr().err, words
    assert not (tmp_path / "runs").exists()


def test_seeds_as_they_are_typed() -> None:
    assert read_seeds("3") == (0, 1, 2)
    assert read_seeds("4,2") == (4, 2)
    for wrong in ("", "0", "-1", "1,", "1,1", "1.5", "99999999999,1"):
        with pytest.raises(InputError, match="--seeds"):
            read_seeds(wrong)


@pytest.mark.parametrize("name", list(packaged("table")))
def test_tables_of_the_paper_name_what_is_there(name: str) -> None:
    plan = read_table(Path(name))
    assert plan.title != name, "it says what it shows"
    experiments = {Path(row.options[0].partition("=")[2]).stem for row in plan.rows}
    assert experiments <= set(packaged("experiment"))
    quoted = {figure for experiment in experiments for row in published(experiment) for figure in row.figures}
    if plan.figures and quoted:
        assert quoted & set(plan.figures), "what was published stands beside"


@pytest.mark.slow
@pytest.mark.parametrize("name", list(packaged("table")))
def test_every_row_of_the_paper_can_be_run(name: str, tmp_path: Path) -> None:
    plan = read_table(Path(name))
    planned = place(plan, tmp_path)
    assert len({run.folder for run in planned}) == len(plan.rows) * len(plan.seeds)


def write_run(folder: Path, value: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps({"protocol": "p", "seed": 0, "metrics": {"test/top1": value}}))
    (folder / "config.yaml").write_text("method: mine\n")


def test_what_is_done_is_not_done_again_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = PlannedRow("a", ["--data=MovingShapes", "--model=RecognitionTask", "--name=mine"])
    first, second, third, fourth = planned = place(Plan("t", "T.", [row], (0, 1, 2, 3)), tmp_path)
    assert first.folder.parent == tmp_path / "tables" / "runs" / "mine"
    write_run(first.folder, 0.5)
    (second.folder / "checkpoints").mkdir(parents=True)
    (second.folder / "checkpoints" / "last.ckpt").touch()
    elsewhere = claim_named(fourth.folder)
    commands: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> None:
        commands.append(command)
        folder = Path(command[-2 if command[-1] == "--ckpt=last" else -1].partition("=")[2])
        if folder == second.folder:
            write_run(folder, 0.75)
        else:  # the third fails, and the other process has finished
            write_run(fourth.folder, 1.0)
            elsewhere.leave()

    monkeypatch.setattr(running, "_run", run)
    assert is_claimed(fourth.folder)
    run_all(planned)
    assert [command[-1] for command in commands] == ["--ckpt=last", f"--run_folder={third.folder}"]
    assert [run.result and run.result.metrics["test/top1"] for run in planned] == [0.5, 0.75, None, 1.0]


def test_other_settings_are_other_runs_and_other_words_are_not(tmp_path: Path) -> None:
    options = ["--data=MovingShapes", "--model=RecognitionTask", "--name=mine"]

    def folder(*more: str, values: dict[str, Any] | None = None) -> Path:
        (run,) = place(Plan("t", "T.", [PlannedRow("a", [*options, *more], values or {})], (0,)), tmp_path)
        return run.folder

    plain = folder()
    assert folder("--quiet=true", f"--data.features_root={tmp_path}", "--wandb=disabled") == plain
    others = {plain, folder("--trainer.max_epochs=3"), folder("--data.root=other"), folder("--model.frozen_share=0.5")}
    assert len(others) == 4
    plain.mkdir(parents=True)
    assert folder("--model.frozen_share=0", values={"model.frozen_share": 0}) == plain, "another table has run it"


def test_columns_that_no_run_has_are_told(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    write_run(tmp_path, 0.5)
    row = Row("mine", "a", [read_run(tmp_path)])
    with caplog.at_level(logging.WARNING, "prompt_video"):
        results._tell_missing(["test/top1", "test/topp1"], {"mine": [row]})
    assert [record.getMessage() for record in caplog.records] == [
        "no run has the figure 'test/topp1' of the columns; did you mean 'test/top1'?"
    ]


def run_table(file: Path, runs: Path, *, until: Callable[[Path], bool] | None = None) -> int:
    """Run a table on miniatures, perhaps until something is there; then it is killed with all that it has started."""
    command = [sys.executable, "-m", "prompt_video", "table", str(file), "--dry-run", "--seeds=2", f"--runs={runs}"]
    process = subprocess.Popen([*command, "--quiet=true"], start_new_session=True)
    while until is not None and process.poll() is None and not until(runs):
        time.sleep(0.02)
    if until is not None:
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def figures(runs: Path) -> list[dict[str, str]]:
    with (runs / "dry-run" / "tables" / "mine" / "runs.csv").open(newline="") as file:
        return [{name: text for name, text in row.items() if name != "folder"} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_a_table_that_was_killed_goes_on_to_the_same_figures(tmp_path: Path) -> None:
    file = table_file(tmp_path, TABLE.replace("frozen_clip, ", ""))

    def second_has_begun(runs: Path) -> bool:
        return len(list(runs.glob("dry-run/tables/runs/*/*/environment.json"))) == 2

    assert run_table(file, tmp_path / "killed", until=second_has_begun) == -signal.SIGKILL
    runs = tmp_path / "killed" / "dry-run" / "tables" / "runs"
    done = {path: path.stat().st_mtime_ns for path in runs.glob("demo_closed_prompts_temporal/*/results.json")}
    assert len(done) == 1
    assert run_table(file, tmp_path / "killed") == 0
    assert {path: path.stat().st_mtime_ns for path in done} == done, "what was done was not done again"
    rows = figures(tmp_path / "killed")
    assert [(row["row"], row["seed"]) for row in rows] == [("prompts + temporal", seed) for seed in "01"]
    (again,) = runs.glob("demo_closed_prompts_temporal/*-seed1")
    options = [f"--config={again / 'config.yaml'}", f"--run_folder={tmp_path / 'whole'}", "--quiet=true"]
    assert main(["fit", *options]) == 0
    whole, broken = ({**results_of(folder)["metrics"], "data_wait": 0} for folder in (tmp_path / "whole", again))
    assert whole == pytest.approx(broken)
    assert float(rows[1]["test/top1"]) == whole["test/top1"]
    assert "DRY RUN" in (tmp_path / "killed" / "dry-run" / "tables" / "mine" / "table.html").read_text()
