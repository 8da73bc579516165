"""Run folders as runs write them, by hand where a real run would take too long."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

CONFIG = {
    "seed_everything": 0,
    "trainer": {"max_epochs": 20},
    "model": {
        "class_path": "prompt_video.tasks.RecognitionTask",
        "init_args": {
            "prompt": {"class_path": "prompt_video.model.prompt.PromptLearner", "init_args": {"num_prefix": 16}},
            "temporal": {"class_path": "prompt_video.model.temporal.TemporalEncoder", "init_args": {"num_layers": 1}},
            "text_consistency": 0.0,
        },
    },
}

WriteRun = Callable[..., Path]


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Writes a run of an experiment, each a minute newer than the one before."""
    count = 0

    def write(
        metrics: Mapping[str, Any],
        experiment: str = "mine",
        method: str | None = "prompts_temporal",
        seed: int = 0,
        config: Mapping[str, Any] = CONFIG,
        **results: object,
    ) -> Path:
        nonlocal count
        folder = tmp_path / "runs" / experiment / f"2026-01-01_{count:06d}"
        count += 1
        folder.mkdir(parents=True)
        found = {"metrics": dict(metrics), "protocol": "closed set", "model": "m", "seed": seed, **results}
        (folder / "results.json").write_text(json.dumps(found))
        (folder / "config.yaml").write_text(
            "# lightning.pytorch\n" + yaml.safe_dump({**config, "method": method, "seed_everything": seed})
        )
        environment = {
            "python": "3.11.7",
            "packages": {"torch": "2.14.1", "wandb": None},
            "git": {"commit": "0123456789abcdef", "changed": True},
            "command": [
                "prompt-video",
                "fit",
                "--config",
                f"experiments/{experiment}.yaml",
                f"--seed_everything={seed}",
            ],
        }
        (folder / "environment.json").write_text(json.dumps(environment))
        return folder

    return write
