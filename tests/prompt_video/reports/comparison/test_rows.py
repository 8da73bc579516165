"""Which runs a report tells of, and which of them are one row."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_modules.errors import InputError
from prompt_video.reports.comparison.aggregates import Aggregate, aggregate, columns, counted, gain, main_figure
from prompt_video.reports.comparison.rows import Row, rows_of
from prompt_video.reports.comparison.runs import collect

EXPERIMENTS = Path(__file__).parents[4] / "experiments"


def config_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "config.yaml").read_text())
    return found


def numbers(found: Aggregate | None) -> tuple[float | None, ...]:
    assert found is not None
    return found.value, found.spread


def only_row(folder: Path) -> Row:
    runs, _ = collect([folder])
    rows, _ = rows_of(runs)
    ((row,),) = rows.values()
    return row


def test_seeds_are_one_row_with_their_mean_and_standard_deviation(
    tmp_path: Path, write_run: Callable[..., Path]
) -> None:
    for seed, value in enumerate((0.5, 0.6, 0.7)):
        write_run({"test/top1": value, "test/frozen_top1": 0.4 - seed / 10}, seed=seed)
    row = only_row(tmp_path)
    assert [run.seed for run in row.runs] == [0, 1, 2]
    assert numbers(aggregate(row, "test/top1")) == pytest.approx((0.6, 0.1))
    assert numbers(gain(row, "test/top1")) == pytest.approx((0.3, 0.2)), "run by run"
    assert counted(row) == "3 seeds"
    assert aggregate(row, "test/top5") is None


def test_of_one_seed_the_spread_is_what_the_run_says(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    confidence = {"test/top1": {"mean": 0.5, "std": 0.1, "ci95": 0.07, "trials": 10}}
    write_run({"test/top1": 0.5}, "trials", confidence=confidence)
    write_run({"test/top1": 0.5, "test/top1_std": 0.02, "test/1/top1": 0.4, "test/2/top1": 0.6}, "tests")
    write_run({"test/top1": 0.5}, "single")
    trials, tests, single = (only_row(tmp_path / "runs" / name) for name in ("trials", "tests", "single"))
    assert aggregate(trials, "test/top1") == Aggregate(0.5, 0.1)
    assert counted(trials) == "10 trials of 1 seed"
    assert aggregate(tests, "test/top1") == Aggregate(0.5, 0.02)
    assert counted(tests) == "2 tests of 1 seed"
    assert aggregate(single, "test/top1") == Aggregate(0.5)
    assert counted(single) == "1 seed: no spread"


def test_other_settings_make_another_row_named_after_them(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    first = write_run({"test/top1": 0.5})
    other = copy.deepcopy(config_of(first))
    other["model"]["init_args"]["prompt"]["init_args"]["num_prefix"] = 4
    write_run({"test/top1": 0.9}, config=other)
    without = copy.deepcopy(config_of(first))
    without["model"]["init_args"]["temporal"] = None
    write_run({"test/top1": 0.7}, config=without)
    rows, left_out = rows_of(collect([tmp_path])[0])
    found = {row.name: row.runs[0].metrics["test/top1"] for row in rows["mine"]}
    assert found == {
        "prompts + temporal (num_prefix=16, temporal=TemporalEncoder)": 0.5,
        "prompts + temporal (num_prefix=4, temporal=TemporalEncoder)": 0.9,
        "prompts + temporal (num_prefix=16, temporal=None)": 0.7,
    }
    assert not left_out


def test_keys_of_a_later_version_and_places_of_files_make_no_other_row(
    tmp_path: Path, write_run: Callable[..., Path]
) -> None:
    first = write_run({"test/top1": 0.5})
    later = {**config_of(first), "new_setting": 1, "runs": "elsewhere"}
    write_run({"test/top1": 0.7}, seed=1, config=later)
    assert numbers(aggregate(only_row(tmp_path), "test/top1")) == pytest.approx((0.6, 0.02**0.5))


def test_of_the_same_run_twice_the_newer_stands(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    old = write_run({"test/top1": 0.5})
    new = write_run({"test/top1": 0.6})
    rows, left_out = rows_of(collect([tmp_path])[0])
    assert [run.folder for run in rows["mine"][0].runs] == [new]
    assert left_out == [f"{old}: {new.name} has the same settings and seed and is newer"]


def test_runs_are_in_the_order_in_which_they_were_begun(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    first, evaluated, table = (write_run({"test/top1": 0.5}) for _ in range(3))
    evaluated = evaluated.rename(evaluated.with_name(f"evaluate_{evaluated.name}"))
    named = table.rename(table.with_name("num_layers_2-0a1b2c3d-seed0"))
    environment = json.loads((named / "environment.json").read_text())
    (named / "environment.json").write_text(json.dumps({**environment, "started": "2025-12-31T23:59:00+01:00"}))
    runs, _ = collect([tmp_path])
    assert [run.folder for run in runs] == [named, first, evaluated]
    assert [run.started for run in runs] == ["2025-12-31 23:59:00", "2026-01-01 00:00:00", "2026-01-01 00:00:01"]


def test_a_folder_named_twice_counts_once(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    folder = write_run({"test/top1": 0.5})
    runs, _ = collect([tmp_path, folder, folder.parent / ".." / folder.parent.name])
    assert len(runs) == 1


def test_what_is_no_finished_run_is_left_out_and_named(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    good = write_run({"test/top1": 0.5})
    reasons = {
        write_run({"test/top1": 0.5}, protocol="DRY RUN with a part of the data"): "a dry run",
        write_run({"test/top1": 0.5}, protocol="REHEARSAL with a part of the data"): "a dry run",
        write_run({"train/loss": 0.5}): "no figures of a test",
        write_run({"test/top1": "high"}): "no numbers",
    }
    for name, text in (("results.json", "{"), ("config.yaml", "a: [")):
        folder = write_run({"test/top1": 0.5})
        (folder / name).write_text(text)
        reasons[folder] = f"its {name} cannot be read (damaged)"
    bench = tmp_path / "bench"
    bench.mkdir()
    (bench / "results.json").write_text('{"rows": []}')
    reasons[bench] = "not of a run"
    for failed in (tmp_path / "mine" / "failed_2026-01-01_000000", write_run({"val/loss": 0.5})):
        failed.mkdir(parents=True, exist_ok=True)
        (failed / "failed.txt").write_text("the disk is full.\n\nTraceback")
        reasons[failed] = "it has failed: the disk is full."
    runs, left_out = collect([tmp_path])
    assert [run.folder for run in runs] == [good]
    assert len(left_out) == len(reasons)
    for folder, reason in reasons.items():
        assert any(line.startswith(f"{folder}: ") and reason in line for line in left_out), reason


def test_nothing_to_report_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        collect([tmp_path / "none"])
    with pytest.raises(InputError, match=r"no run to report in .*there is no results.json"):
        collect([tmp_path])


def test_a_method_is_known_by_its_settings(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    for method in ("prompts", str(tmp_path / "mine.yaml"), None):
        write_run({"test/top1": 0.5}, method=method)
    runs, _ = collect([tmp_path])
    assert [run.method for run in runs] == ["prompts", "mine", "own settings"]


def test_tables_show_the_main_figures_only() -> None:
    recognition = ["test/ece_before", "test/ece", "test/top5", "test/top1", "test/mean_class", "test/frozen_top1"]
    assert columns([*recognition, "test/top1_std", "val/top1"]) == ["test/top1", "test/top5", "test/ece"]
    openset = ["test/novel/top1", "test/novel/top5", "test/novel/ece", "test/base/top1", "test/hm", "test/frozen_hm"]
    assert columns(openset) == ["test/base/top1", "test/novel/top1", "test/hm"]
    overlaps = [f"test/clip_only/map@{overlap}" for overlap in ("0.5", "0.55", "0.6", "0.65", "0.7", "0.75", "0.95")]
    found = columns([*overlaps, "test/clip_only/map_avg", "test/proposals/auc"])
    assert [name.rpartition("/")[2] for name in found] == ["map@0.5", "map@0.75", "map@0.95", "map_avg"]
    retrieval = [
        f"test/{way}/{name}" for way in ("v2t", "t2v") for name in ("median_rank", "r@10", "r@1", "qb_norm_r@1")
    ]
    assert columns(retrieval) == [
        *("test/t2v/r@1", "test/t2v/r@10", "test/t2v/median_rank"),
        *("test/v2t/r@1", "test/v2t/r@10", "test/v2t/median_rank"),
    ]
    assert main_figure(columns(openset)) == "test/hm"


def test_a_test_of_a_checkpoint_is_a_row_of_its_own(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    training = write_run({"test/top1": 0.979}, seed=1)
    write_run({"test/top1": 0.248}, seed=1, tested="runs/mine/2026-01-01_000000/checkpoints/last.ckpt")
    write_run({"test/top1": 0.249}, seed=2, tested="runs/mine/2026-01-01_000000/checkpoints/last.ckpt")
    write_run({"test/top1": 0.5}, seed=1, tested="elsewhere/2026-01-01_000000/last.ckpt")
    old = write_run({"test/top1": 0.3}, seed=1)
    environment = json.loads((old / "environment.json").read_text())
    environment["command"] = ["prompt-video", "test", *environment["command"][2:], "--ckpt_path", "old.ckpt"]
    (old / "environment.json").write_text(json.dumps(environment))
    write_run({"test/top1": 0.1}, seed=1, tested="no checkpoint")
    rows, left_out = rows_of(collect([tmp_path])[0])
    assert {row.name: row.newest.metrics["test/top1"] for row in rows["mine"]} == {
        "prompts + temporal": 0.979,
        "prompts + temporal, test of 2026-01-01_000000/last.ckpt": 0.5,
        "prompts + temporal, test of 2026-01-01_000000/last.ckpt #2": 0.249,
        "prompts + temporal, test of old.ckpt": 0.3,
        "prompts + temporal, test of no checkpoint": 0.1,
    }
    assert next(row for row in rows["mine"] if row.name == "prompts + temporal").newest.folder == training
    assert not left_out


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_figures_that_are_not_finite_are_left_out_and_named(
    tmp_path: Path, write_run: Callable[..., Path], value: float
) -> None:
    write_run({"test/top1": 0.5})
    folder = write_run({"test/top1": value}, seed=1)
    runs, left_out = collect([tmp_path])
    assert len(runs) == 1
    assert left_out == [f"{folder}: its test/top1 is not finite"]


def test_rows_that_a_number_tells_apart_stand_in_its_order(write_run: Callable[..., Path], tmp_path: Path) -> None:
    config = config_of(write_run({"test/top1": 0.5}))
    for epochs in (4, 16):
        write_run({"test/top1": 0.5}, config={**config, "trainer": {"max_epochs": epochs}})
    ((*rows,),) = rows_of(collect([tmp_path])[0])[0].values()
    assert [row.name.partition("max_epochs=")[2] for row in rows] == ["4)", "16)", "20)"]
