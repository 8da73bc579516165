"""Tables as values: spreads that stay where figures can be, best ones by figure, and their forms for papers."""

import csv
import io

import pytest

from prompt_video.reports.document import Code, Document, Facts, Fold, Note, Part, Section
from prompt_video.reports.exports import CSV_HEADER, csv_table, csv_text, latex, latex_table, markdown, markdown_table
from prompt_video.reports.tables import MINUS, Cell, Column, Figure, Table
from prompt_video.reports.terminal import rich_table

NAME, TOP1 = Column("method", is_text=True), Column("top-1", "%", "higher")
RANK, GAIN = Column("median rank", "", "lower", "text to video"), Column("R@1", "%", "higher", "text to video")


@pytest.fixture
def table() -> Table:
    rows: list[list[Cell]] = [
        ["zero-shot", Figure(16.66), Figure(12.0), Figure(3.0)],
        ["a_b & 50%", Figure(55.04, 7.06), Figure(1.0, 0.25), Figure(31.0)],
        ["own", Figure(54.98), Figure(1.0), None],
        ["published", Figure(99.0), None, Figure(99.0)],
    ]
    return Table("Results", [NAME, TOP1, RANK, GAIN], rows, quoted=[3], notes=["note"])


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure(55.0, 7.07), "55.0 ± 7.1"),
        (Figure(98.3, 2.9), f"98.3 +1.7 {MINUS}2.9"),
        (Figure(1.0, 2.5), f"1.0 +2.5 {MINUS}1.0"),
        (Figure(100.0, 0.0), "100.0 ± 0.0"),
        (Figure(-0.04, is_gain=True), "+0.0"),
        (Figure(-3.2, 4.0, is_gain=True), f"{MINUS}3.2 ± 4.0"),
    ],
)
def test_no_spread_passes_what_a_share_can_be(figure: Figure, text: str) -> None:
    assert figure.text(TOP1) == text


def test_ranks_may_be_any_number() -> None:
    assert Figure(150.0, 200.0).text(RANK) == "150.0 ± 200.0"


def test_the_best_of_a_column_is_told_by_what_is_read(table: Table) -> None:
    assert table.best == {(1, 1), (2, 1), (1, 2), (2, 2), (1, 3)}
    alike = Table("", [NAME, TOP1], [["a", Figure(1.0)], ["b", Figure(1.04)]])
    assert alike.best == set(), "where all are equal none is best"
    assert Table("", [NAME, Column("steps")], [["a", Figure(1.0)], ["b", Figure(2.0)]]).best == set()


def test_latex_is_booktabs(table: Table) -> None:
    text = latex_table(table, "hmdb51_closed")
    lines = text.splitlines()
    assert r"\begin{tabular}{lrrr}" in lines
    assert r" &  & \multicolumn{2}{c}{text to video} \\" in lines
    assert r"\cmidrule(lr){3-4}" in lines
    assert r"a\_b \& 50\% & \textbf{55.0 $\pm$ 7.1} & \textbf{1.0 $\pm$ 0.2} & \textbf{31.0} \\" in lines
    assert lines[-5:-3] == [r"\midrule", r"published & 99.0 & -- & 99.0 \\"]
    assert r"\caption{hmdb51\_closed. Results. note.}" in lines


def test_markdown_marks_the_best(table: Table) -> None:
    lines = markdown_table(table).splitlines()
    assert lines[0].rstrip() == "| method | top-1, % | text to video: median rank | text to video: R@1, % |"
    assert lines[1] == "| :--- | ---: | ---: | ---: |"
    assert lines[3] == r"| a\_b \& 50% | **55.0 ± 7.1** | **1.0 ± 0.2** | **31.0** |"


def test_csv_holds_numbers(table: Table) -> None:
    rows = list(csv.reader(io.StringIO(csv_table(table))))
    assert rows[0][1:4] == ["top-1, %", "standard deviation", "text to video: median rank"]
    assert rows[2] == ["a_b & 50%", "55.04", "7.06", "1.0", "0.25", "31.0"]
    assert rows[3][1:] == ["54.98", "", "1.0", "", ""]


def test_a_report_has_all_forms(table: Table) -> None:
    parts: list[Part] = ["words", Note("soft"), Code("```"), Fold("more", [table]), Section("inner", [table])]
    document = Document("t_1", Facts([("seed", "0, 1")]), [Section("s", parts)])
    text = markdown(document)
    for piece in (r"# t\_1", "- seed: 0, 1", "## s", "### inner", "**more**", "````\n```\n````", "soft"):
        assert piece in text
    assert latex(document).count(r"\begin{table}") == 2
    rows = list(csv.reader(io.StringIO(csv_text(document))))
    assert tuple(rows[0]) == CSV_HEADER
    assert ["s: inner", "Results", "a_b & 50%", "top-1", "%", "55.04", "7.06"] in rows


def test_a_table_fits_a_terminal(table: Table) -> None:
    from rich.console import Console

    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(rich_table(table, "a title " * 9))
    lines = console.export_text().splitlines()
    assert lines[0].rstrip() == ("a title " * 9).rstrip()
    assert next(line for line in lines if "a_b" in line).split()[-3:] == ["55.0±7.1", "1.0±0.2", "31.0"]
    assert not any("…" in line for line in lines)
