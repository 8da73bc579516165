"""Where the figures of runs come from: data set, protocol, seeds, dates, commands, versions, folders."""

import shlex
from collections.abc import Mapping, Sequence

from prompt_video.reports.comparison.runs import Run
from prompt_video.reports.document import Facts
from prompt_video.reports.tables import Link

NUM_DIGITS = 12  # of a commit


def facts_of(runs: Sequence[Run]) -> Facts:
    """Data set, protocol, seeds, dates and folders of some runs; each once where they share them."""
    seeds, dates = sorted({str(run.seed) for run in runs}), sorted({run.started[:16] or "not recorded" for run in runs})
    rows: list[tuple[str, str | Sequence[Link]]] = [
        ("data set", "; ".join(dict.fromkeys(_data(run) for run in runs))),
        ("protocol", " / ".join(dict.fromkeys(str(run.results["protocol"]) for run in runs))),
        ("seeds" if len(seeds) > 1 else "seed", ", ".join(seeds)),
        ("date", " to ".join(dict.fromkeys((dates[0], dates[-1])))),
        ("run folders" if len(runs) > 1 else "run folder", [Link(_short(run), run.folder) for run in runs]),
    ]
    return Facts(rows)


def origin(run: Run) -> Facts:
    """Versions and machine of one run."""
    git = run.environment.get("git") or {}
    commit = str(git.get("commit", "not recorded"))[:NUM_DIGITS] + (", changed since" if git.get("changed") else "")
    packages: Mapping[str, str | None] = run.environment.get("packages", {})
    versions = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    gpus = ", ".join(run.environment.get("gpus", [])) or run.environment.get("processor", "not recorded")
    return Facts(
        [
            ("folder", [Link(str(run.folder), run.folder)]),
            ("seed", str(run.seed)),
            ("commit", commit),
            ("python", str(run.environment.get("python", "not recorded"))),
            ("packages", versions or "not recorded"),
            ("machine", str(gpus)),
            ("model", str(run.results.get("model", "not recorded"))),
        ]
    )


def _data(run: Run) -> str:
    data = run.config.get("data")
    if not isinstance(data, dict):
        return str(data or "not recorded").rpartition(".")[2]
    root = (data.get("init_args") or {}).get("root")
    return str(data.get("class_path", "not recorded")).rpartition(".")[2] + (f" in {root}" if root else "")


def _short(run: Run) -> str:
    return f"{run.folder.absolute().parent.name}/{run.folder.name}"


def command_of(run: Run) -> str:
    """As it can be typed again."""
    words = [str(word) for word in run.command]
    if words[:1] == ["__main__.py"]:  # of python -m prompt_video
        words[0] = "prompt-video"
    return shlex.join(words) or "not recorded"
