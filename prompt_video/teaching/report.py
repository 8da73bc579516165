"""The page of a lesson: how well each class is known, what was tried, and what is confused."""

from collections.abc import Sequence

from prompt_video.io.run_files import REPORT
from prompt_video.reports.comparison.facts import command_of, facts_of
from prompt_video.reports.comparison.runs import read_run
from prompt_video.reports.document import Document, Facts, Note, Section
from prompt_video.reports.html import write_page
from prompt_video.reports.tables import Cell, Column, Link, Table
from prompt_video.reports.titles import method_title
from prompt_video.teaching.lesson import Lesson

OPTIMISTIC = (
    "The method was chosen by these same examples: the figure of the best of several is a little better than what "
    "other videos will show."
)


def write_lesson_report(lesson: Lesson) -> None:
    """Write ``report.html`` into the folder of a lesson, whose run has left its results there."""
    run = read_run(lesson.folder, dry_runs=True, untested=True)
    content, figures = lesson.content(), lesson.held_out
    classes = [
        [row["class"], str(row["examples"]), f"{row['right']} of {row['held_out']}" if figures else "not held out"]
        for row in content["classes"]
    ]
    tried = [
        [method_title(name), f"{one.right} of {len(one.examples)}", f"{one.sureness:.2f}"]
        for name, one in lesson.tried.items()
    ]
    confused = (
        [[one.truth, one.taken_for, f"{one.times} of {one.of}"] for one in figures.confusions()] if figures else []
    )
    tables = [
        _table("Each class", ("class", "examples", "right when held out"), classes, 1),
        _table("Methods that were tried", ("method", "right when held out", "mean probability of the right"), tried, 1),
        _table("Taken for another one", ("class", "taken for", "times"), confused, 2),
    ]
    links = [Link(method_title(name), lesson.folder / "held_out" / name / REPORT) for name in lesson.tried]
    facts = Facts(
        [
            *facts_of([run]).rows,
            ("command", command_of(run)),
            ("learned with", method_title(lesson.method)),
            ("checkpoint", str(lesson.checkpoint)),
            ("held out", figures.describe() if figures else "nothing: no class has two examples"),
            *([("none of these", lesson.none.describe())] if lesson.none else []),
            *([("reports of the methods", links)] if links else []),
        ]
    )
    title = f"{lesson.folder.parent.name}: {len(lesson.examples.counts)} classes by example"
    notes = [Note(OPTIMISTIC)] if len(lesson.tried) > 1 else []
    sections = [Section("Held out", [*notes, *(table for table in tables if table.rows)])]
    write_page(lesson.folder / REPORT, Document(title, facts, sections, list(lesson.told)))


def _table(title: str, names: Sequence[str], rows: Sequence[Sequence[Cell]], words: int) -> Table:
    """Of which so many columns are words."""
    columns = [Column(name, is_text=place < words) for place, name in enumerate(names)]
    return Table(title, columns, rows)
