import math
from pathlib import Path

import torch

from prompt_video.bench.memory import free_memory

CPU = torch.device("cpu")
MIB = 2**20


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_what_the_system_has_available(tmp_path: Path) -> None:
    _write(tmp_path, {"proc/meminfo": "MemTotal: 9999999 kB\nMemFree: 1 kB\nMemAvailable: 3145728 kB\n"})
    assert free_memory(CPU, tmp_path) == 3072


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert free_memory(CPU, tmp_path) == math.inf


def test_a_limit_of_a_group_above_counts(tmp_path: Path) -> None:
    """What only caches files can be taken."""
    groups = "sys/fs/cgroup"
    _write(
        tmp_path,
        {
            "proc/meminfo": "MemAvailable: 10485760 kB\n",
            "proc/self/cgroup": "0::/outer/inner\n",
            f"{groups}/outer/inner/memory.max": "max\n",
            f"{groups}/outer/memory.max": f"{1000 * MIB}\n",
            f"{groups}/outer/memory.current": f"{700 * MIB}\n",
            f"{groups}/outer/memory.stat": f"anon 5\ninactive_file {200 * MIB}\n",
        },
    )
    assert free_memory(CPU, tmp_path) == 500


def test_a_limit_of_the_older_kind(tmp_path: Path) -> None:
    """In a container the path in `/proc` may be one that is seen from outside only: the group is at the top then."""
    groups = "sys/fs/cgroup/memory"
    _write(
        tmp_path,
        {
            "proc/self/cgroup": "9:cpuset:/\n4:memory:/docker/0123\n",
            f"{groups}/memory.limit_in_bytes": f"{1000 * MIB}\n",
            f"{groups}/memory.usage_in_bytes": f"{1100 * MIB}\n",
            f"{groups}/memory.stat": f"inactive_file 1\ntotal_inactive_file {50 * MIB}\n",
        },
    )
    assert free_memory(CPU, tmp_path) == 0


def test_this_machine() -> None:
    assert free_memory(CPU) > 0
