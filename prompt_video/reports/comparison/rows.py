"""Runs that differ by their seed only are one row of a table."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prompt_video.io.run_files import CHECKPOINTS
from prompt_video.reports.comparison.runs import Run
from prompt_video.reports.titles import method_order, method_title

# Settings that do not change what a run is: where things lie, how fast it goes, whom it tells.
PASSING = {
    "seed_everything", "name", "runs", "run_folder", "wandb", "quiet", "trials_at_a_time", "features_only", "ckpt_path",
    "weights_only", "save_every_n_steps", "root", "features_root", "num_workers", "logger", "callbacks",
    "enable_progress_bar", "enable_model_summary", "enable_checkpointing", "default_root_dir", "profiler",
    "log_every_n_steps", "test_after_fit", "enable_autolog_hparams",
}  # fmt: skip
MANY = 3  # differing settings that are named; of more, how many


@dataclass(frozen=True)
class Row:
    """Runs of one experiment and method with the same settings, one for each seed; or tests of one checkpoint.

    Args:
        experiment: of all of them.
        name: method, and where several rows have the same, the settings that set it apart.
        runs: in the order of their seeds.
    """

    experiment: str
    name: str
    runs: Sequence[Run]

    @property
    def newest(self) -> Run:
        """The run that was begun last."""
        return max(self.runs, key=lambda run: (run.started, run.folder.name))


def rows_of(runs: Sequence[Run]) -> tuple[dict[str, list[Row]], list[str]]:
    """Rows by experiment, and a line for each run that a newer one with the same seed stands for.

    A test of a checkpoint says nothing of the method as it is trained: it is a row of its own.

    Args:
        runs: oldest first.
    """
    groups: dict[tuple[str, str, str], list[list[Run]]] = {}
    for run in reversed(runs):
        clusters = groups.setdefault((run.experiment, run.method, run.tested or ""), [])
        same = next((cluster for cluster in clusters if not _differences(cluster[0], run)), None)
        if same is None:
            clusters.append([run])
        else:
            same.append(run)
    experiments: dict[str, list[Row]] = {}
    left_out = []
    ordered_groups = sorted(groups.items(), key=lambda item: (item[0][0], method_order(item[0][1]), item[0][2]))
    for (experiment, method, tested), clusters in ordered_groups:
        title = method_title(method)
        names = _names(f"{title}, test of {_short_path(tested)}" if tested else title, clusters)
        for name, cluster in sorted(zip(names, clusters, strict=True), key=lambda pair: _by_number(pair[0])):
            by_seed: dict[int | None, Run] = {}
            for run in cluster:  # newest first
                kept = by_seed.setdefault(run.seed, run)
                if kept is not run:
                    left_out.append(f"{run.folder}: {kept.folder.name} has the same settings and seed and is newer")
            ordered = sorted(by_seed.values(), key=lambda run: (run.seed is None, run.seed or 0))
            rows = experiments.setdefault(experiment, [])
            same_name = sum(row.name.partition(" #")[0] == name for row in rows)
            rows.append(Row(experiment, f"{name} #{same_name + 1}" if same_name else name, ordered))
    return experiments, left_out


def _by_number(name: str) -> list[str | float]:
    """A key that sorts 4 before 16."""
    return [float(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+(?:\.\d+)?)", name))]


def _names(method: str, clusters: Sequence[Sequence[Run]]) -> list[str]:
    """Of each cluster, told apart by the settings in which any of them differ."""
    if len(clusters) == 1:
        return [method]
    newest = clusters[0][0]
    keys = list(dict.fromkeys(key for cluster in clusters[1:] for key in _differences(newest, cluster[0])))
    names = []
    for cluster in clusters:
        values = [f"{'.'.join(key[-1:])}={_short(_at(cluster[0].config, key))}" for key in keys[:MANY]]
        more = [f"{len(keys) - MANY} more"] if len(keys) > MANY else []
        names.append(f"{method} ({', '.join(values + more)})")
    return [name if names.count(name) == 1 else f"{name} #{index + 1}" for index, name in enumerate(names)]


def _differences(one: Run, other: Run) -> list[tuple[str, ...]]:
    # Of a method and a scale the model has all.
    one_config, other_config = ({**run.config, "method": None, "scale": None} for run in (one, other))
    return list(_differing(one_config, other_config, ()))


def _differing(one: object, other: object, place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Where two settings differ; keys that only one of them has came with a later version and tell nothing."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in (key for key in one if key in other and key not in PASSING):
            yield from _differing(one[key], other[key], (*place, str(key)))
    elif one != other:
        yield place


def _at(config: Mapping[str, Any], place: Sequence[str]) -> object:
    value: object = config
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _short_path(checkpoint: str) -> str:
    """The run's folder and the file's name."""
    return "/".join([part for part in Path(checkpoint).parts if part != CHECKPOINTS][-2:])


def _short(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("class_path", "own")).rpartition(".")[2]
    text = str(value)
    return text if len(text) <= 24 else f"{text[:23]}…"
