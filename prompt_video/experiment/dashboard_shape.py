"""How an experiment's tests are made up: told by its settings, and by what its newest run has logged."""

import json
import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from prompt_video.experiment.settings import SettingsCLI
from prompt_video.model.prompt import PromptLearner
from prompt_video.reports.dashboard.layout import Shape
from prompt_video.tasks.base import VideoTextTask


def shape_of(settings: SettingsCLI, task: VideoTextTask) -> Shape:
    """What to expect of an experiment's runs.

    How many tests a protocol has only its data can tell, which need not be here; so a run is asked, and before the
    first one a protocol with one test is taken for granted.

    Args:
        settings: of the experiment.
        task: its model.
    """
    prompt = task.model.prompt
    has_prompts = isinstance(prompt, PromptLearner) and prompt.num_prefix + prompt.num_suffix > 0
    found = newest_results(settings.runs / settings.name)
    if found is None:
        return Shape(has_prompts=has_prompts)
    metrics: dict[str, float] = found["metrics"]
    main = re.escape(task.monitor.removeprefix("val/"))
    names = [match[1] for key in metrics if (match := re.fullmatch(rf"test/(?:([^/]+)/)?{main}", key))]
    tests = tuple(name for name in names if name) or ("test",)
    has_val = any(key.startswith(("val/", "broken/val")) for key in metrics)
    return Shape(tests, _together(metrics) if any(names) else (), has_val, "trials" in found, has_prompts)


def _together(metrics: Mapping[str, float]) -> tuple[str, ...]:
    """Figures of all tests together which have the frozen backbone's beside them, and those."""
    pairs = [(key, f"test/frozen_{key.removeprefix('test/')}") for key in metrics if key.count("/") == 1]
    return tuple(chain.from_iterable(pair for pair in pairs if metrics.keys() >= set(pair)))


def newest_results(folder: Path) -> dict[str, Any] | None:
    """What the newest run that was tested came to; None without one.

    Args:
        folder: of the experiment's runs.
    """
    for path in sorted(folder.glob("*/results.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if any(key.startswith("test/") for key in found["metrics"]):
            return found
    return None
