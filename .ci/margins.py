"""Whether the demo still shows what it is there to show, for every seed: the margins between its methods.

Usage: python .ci/margins.py runs/demo/results.json
"""

import json
import sys
from pathlib import Path


def main(path: Path) -> None:
    """Print every figure beside the least that it must be; exit with 1 where one is less."""
    rows = json.loads(path.read_text())["rows"]
    failed = False
    for seed in sorted({row["seed"] for row in rows}):
        figures = {(row["protocol"], row["method"]): row for row in rows if row["seed"] == seed}
        closed = {method: row["top1"] for (protocol, method), row in figures.items() if protocol == "closed_set"}
        map50 = {method: row["map@0.5"] for (protocol, method), row in figures.items() if protocol == "localization"}
        recall = {method: row["t2v/r@1"] for (protocol, method), row in figures.items() if protocol == "retrieval"}
        checks = {
            "prompts + temporal, top-1": (closed["prompts_temporal"], 0.90),
            "prompts + temporal over prompts": (closed["prompts_temporal"] - closed["prompts"], 0.10),
            "prompts over zero-shot": (closed["prompts"] - closed["frozen_clip"], 0.03),
            "localization, mAP at 0.5": (map50["prompts_temporal"], 0.80),
            "localization over zero-shot": (map50["prompts_temporal"] - map50["frozen"], 0.30),
            "retrieval, R@1": (recall["prompts_temporal"], 0.60),
            "retrieval over zero-shot": (recall["prompts_temporal"] - recall["frozen_clip"], 0.25),
        }
        for name, (figure, least) in checks.items():
            failed |= figure < least
            print(f"seed {seed}  {name:<32} {figure:6.1%}, at least {least:.0%}{'  FAILED' if figure < least else ''}")
    sys.exit(failed)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
