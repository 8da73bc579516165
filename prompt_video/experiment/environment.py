"""Where a run took place: versions, machine, git commit."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

_PACKAGES = (
    "prompt-video",
    "torch",
    "torchvision",
    "lightning",
    "transformers",
    "tokenizers",
    "av",
    "torchmetrics",
    "safetensors",
    "jsonargparse",
    "wandb",
    "numpy",
)


def environment(command: Sequence[str] | None = None) -> dict[str, Any]:
    """Everything about the place that can change a number, ready for JSON.

    Args:
        command: the verb and its options; None: as this process was started.
    """
    return {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "git": git_state(Path(__file__).parent),
        "platform": platform.platform(),
        "processor": processor_name(),
        "cpu_threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "command": [Path(sys.argv[0]).name, *(sys.argv[1:] if command is None else command)],
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the code and whether it was changed since; None outside of a repository."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return {
            "commit": git("rev-parse", "HEAD"),
            "changed": bool(git("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return None


def processor_name() -> str:
    """The processor's own name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
