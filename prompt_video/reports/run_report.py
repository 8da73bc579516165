"""The page of one run: its figures with published ones beside them, curves, classes, and what its test shows."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from prompt_video.io.run_files import REPORT
from prompt_video.reports.comparison.class_tables import class_parts
from prompt_video.reports.comparison.facts import command_of, facts_of, origin
from prompt_video.reports.comparison.report_model import curve_parts, results_table, trial_parts
from prompt_video.reports.comparison.rows import Row
from prompt_video.reports.comparison.runs import LeftOutError, Run, read_run
from prompt_video.reports.controls import control_parts
from prompt_video.reports.document import Document, Facts, Section
from prompt_video.reports.html import write_page
from prompt_video.reports.localization import localization_sections
from prompt_video.reports.multi_label import multi_label_sections
from prompt_video.reports.recognition import recognition_sections
from prompt_video.reports.retrieval import retrieval_sections
from prompt_video.reports.titles import method_title
from prompt_video.tasks.classification_results import ClassificationResults
from prompt_video.tasks.detection_results import DetectionResults
from prompt_video.tasks.multi_label_results import MultiLabelResults
from prompt_video.tasks.results import Results
from prompt_video.tasks.retrieval_results import RetrievalResults

log = logging.getLogger(__name__)


def write_run_report(folder: Path, shown: Sequence[Section] = ()) -> None:
    """Write ``report.html`` of a run whose results are written.

    Args:
        folder: of the run.
        shown: `test_sections` of its tests; none of a run of many trials.
    """
    try:
        run = read_run(folder, dry_runs=True)
    except LeftOutError as reason:
        log.warning("%s gets no report.html: %s", folder, reason)
        return
    write_page(folder / REPORT, run_document(run, shown))


def write_trial_report(folder: Path, run_folder: Path, name: str, protocol: str, tests: Mapping[str, Results]) -> None:
    """Write ``report.html`` of one trial among many, where its test has more to show than the tables of the run.

    Args:
        folder: of the trial.
        run_folder: of the run, whose results are not written yet.
        name: of the trial.
        protocol: of the run, in words.
        tests: the results of each test.
    """
    if not any(isinstance(results, DetectionResults) for results in tests.values()):
        return
    run = read_run(run_folder, dry_runs=True, untested=True, results={"metrics": {}, "protocol": protocol})
    facts = [row for row in facts_of([run]).rows if row[0] != "seed"]
    title = f"{run.experiment}, {name}: {method_title(run.method)}"
    write_page(folder / REPORT, Document(title, Facts([*facts, _command(run)]), test_sections(tests)))


def run_document(run: Run, shown: Sequence[Section] = ()) -> Document:
    """All that is told of a run.

    Args:
        run: with its results.
        shown: `test_sections` of its tests.
    """
    row = Row(run.experiment, method_title(run.method), [run])
    notes: list[str] = []
    parts = {
        "Results": [results_table(run.experiment, [row]), *trial_parts(run)],
        "Controls": control_parts(run.results),
        "Learning": curve_parts([row], notes),
        "Classes against zero-shot": class_parts([row], notes),
    }
    sections = [Section(title, own) for title, own in parts.items() if own]
    sections += [*shown, Section("How it was made", [origin(run), *notes])]
    facts = Facts([*facts_of([run]).rows, _command(run)])
    return Document(f"{run.experiment}: {row.name}", facts, sections)


def test_sections(tests: Mapping[str, Results]) -> list[Section]:
    """What tests show beyond their figures, each named where there are several."""
    sections = []
    for name, results in tests.items():
        own: Sequence[Section] = ()
        if isinstance(results, ClassificationResults) and results.videos:
            own = recognition_sections(results)
        elif isinstance(results, MultiLabelResults) and results.videos:
            own = multi_label_sections(results)
        elif isinstance(results, DetectionResults):
            own = localization_sections(results)
        elif isinstance(results, RetrievalResults) and results.answers is not None:
            own = retrieval_sections(results)
        which = f"{name.replace('_', ' ')}: " if len(tests) > 1 else ""
        sections += [Section(f"{which}{section.title}", section.parts) for section in own]
    return sections


def _command(run: Run) -> tuple[str, str]:
    return "command", command_of(run)
