"""An examination as a table for a person, and as JSON for a program."""

from pathlib import Path
from typing import Any

from rich.text import Text

from prompt_video.io.console import Terminal
from prompt_video.io.outputs import write_json
from prompt_video.io.readable import readable, readable_lines
from prompt_video.io.tables import GrowingTable
from prompt_video.preflight.check_results import Verdict, worst
from prompt_video.preflight.examination import Examination

STYLES: dict[Verdict, str] = {"ok": "green", "note": "dim", "warning": "dark_orange3", "error": "bold red"}
BULLET = "  · "
NAMED = 3  # examples that are printed; the JSON file has all


def verdict_of(examination: Examination) -> Verdict:
    """The worst of all verdicts."""
    return worst([result.verdict for result in examination.results])


def print_report(examination: Examination) -> None:
    """Print a row for each check, its verdict, and below it the first examples, whole: file names are to be copied."""
    console = Terminal(soft_wrap=False)
    console.print(f"{examination.name}, before training", style="bold")
    width = max(len(result.check) for result in examination.results)
    table = GrowingTable([("check", width, "left"), ("verdict", len("verdict"), "left"), ("what was found", 0, "left")])
    for result in examination.results:
        verdict = Text(result.verdict, STYLES[result.verdict])
        console.print(table.row(result.check, verdict, Text(readable_lines(result.summary))))
        more = len(result.examples) - NAMED
        for example in [*result.examples[:NAMED], *([f"and {more:,} more"] if more > 0 else [])]:
            console.print(f"{BULLET}{readable(example)}", style="dim", soft_wrap=True)


def outcome_of(examination: Examination) -> str:
    """How much is in the way of the run."""
    verdicts = [result.verdict for result in examination.results]
    counted = [
        f"{verdicts.count(verdict)} {verdict}{'s' if verdicts.count(verdict) > 1 else ''}"
        for verdict in ("error", "warning")
        if verdict in verdicts
    ]
    return ", ".join(counted) or "nothing is in the way"


def write_report(examination: Examination, decode: str, path: Path) -> None:
    """Write everything, the full lists of missing and broken videos too."""
    write_json(path, _as_json(examination, decode))


def _as_json(examination: Examination, decode: str) -> dict[str, Any]:
    lost: dict[str, dict[str, Any]] = {"missing": {}, "broken": {}}
    for subset, records in examination.parts.items():
        for record in records:
            probe = examination.probes[record.path]
            if probe.problem is not None:
                reason = {"reason": probe.reason} if probe.reason else {}
                entry = {"video_id": record.video_id, "path": str(record.path), "parts": [], **reason}
                lost[probe.problem].setdefault(str(record.path), entry)["parts"].append(subset)
    return {
        "experiment": examination.name,
        "verdict": verdict_of(examination),
        "checks": [
            {"check": f.check, "verdict": f.verdict, "summary": f.summary, "examples": list(f.examples)}
            for f in examination.results
        ],
        "videos": {
            "files": len(examination.probes),
            "decode": decode,
            "decoded": examination.decoded,
            "parts": {subset: len(records) for subset, records in examination.parts.items()},
            **{problem: list(entries.values()) for problem, entries in lost.items()},
        },
    }
