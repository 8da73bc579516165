"""Memory that is free now: what the system says, and what its control groups still allow to this process."""

import math
from collections.abc import Iterator
from pathlib import Path

import torch

FILES = {"2": ("memory.max", "memory.current"), "1": ("memory.limit_in_bytes", "memory.usage_in_bytes")}


def free_memory(device: torch.device, root: Path = Path("/")) -> float:
    """MiB that can be taken without anything having to give way; infinite where the system does not tell.

    Args:
        device: a GPU's own memory, or of any other device the machine's.
        root: of the file system that is asked.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] / 2**20
    return min([_available(root / "proc/meminfo"), *_allowed(root)])


def _available(meminfo: Path) -> float:
    lines = meminfo.read_text().splitlines() if meminfo.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("MemAvailable")), math.inf)


def _allowed(root: Path) -> Iterator[float]:
    """What is left of the limit of every control group that this process is in, from its own up to the first."""
    groups = root / "proc/self/cgroup"
    for line in groups.read_text().splitlines() if groups.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            base = root / "sys/fs/cgroup" / controllers
            inside = base / path.lstrip("/")
            for folder in (inside, *inside.parents):
                if folder.is_relative_to(base):
                    yield _left(folder, *FILES["1" if controllers else "2"])


def _left(folder: Path, limit_file: str, usage_file: str) -> float:
    """MiB; what only caches files is given back before the limit is reached."""
    if not (folder / limit_file).exists() or (limit := (folder / limit_file).read_text().strip()) == "max":
        return math.inf
    lines = (folder / "memory.stat").read_text().splitlines()
    name = "total_inactive_file" if usage_file == FILES["1"][1] else "inactive_file"
    cached = next(int(line.split()[1]) for line in lines if line.split()[0] == name)
    used = int((folder / usage_file).read_text()) - cached
    return max(0.0, (int(limit) - used) / 2**20)
