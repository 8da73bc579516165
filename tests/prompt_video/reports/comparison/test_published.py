"""The published figures are those of experiments/README.md."""

import re
from collections import defaultdict
from pathlib import Path

from prompt_video.reports.comparison.published import Published, all_published, published

TABLES = Path(__file__).parents[4] / "experiments" / "README.md"


def numbers(row: Published) -> list[float]:
    values = [*row.figures.items(), *row.spread.items()]
    return [round(value if name.endswith("rank") else 100 * value, 6) for name, value in values]


def quoted() -> dict[str, list[tuple[str, str]]]:
    """(number, source) of every published figure, by experiment."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in TABLES.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `") or not re.search(r"\*[MOFTWU]\*", line):
            continue
        names = re.findall(r"`(\w+)`", cells[0])
        prefix = names[0].rpartition("_")[0]
        names = [name if not name.startswith("_") else prefix + name for name in names]
        if names[0].endswith("_2shot"):
            names = [f"{prefix}_{shots}shot" for shots in (2, 4, 8, 16)]
        for cell in cells[2:]:
            for part in re.findall(r"([^*]*)\*([MOFTWU])\*", cell):
                text = re.sub(r"at 0\.3 to 0\.7|at (0\.\d+(, )?)+|top-5|R@\d+", "", part[0])
                figures = re.findall(r"\d+(?:\.\d+)?", text)
                if len(names) == 4:
                    for name, figure in zip(names, figures, strict=True):
                        found[name].append((figure, part[1]))
                else:
                    found[names[0]] += [(figure, part[1]) for figure in figures]
    return found


def test_every_figure_stands_in_the_table_of_experiments_and_the_other_way_round() -> None:
    ours: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for row in all_published():
        ours[row.experiment] += [(number, row.letter) for number in numbers(row)]
    theirs = {name: [(float(figure), letter) for figure, letter in rows] for name, rows in quoted().items()}
    assert {name: sorted(rows) for name, rows in ours.items()} == {name: sorted(rows) for name, rows in theirs.items()}


def test_each_is_of_an_experiment_and_says_how_sure_it_is() -> None:
    experiments = {path.stem for path in TABLES.parent.glob("*.yaml")}
    states = {"W": "conditions uncertain", "U": "unverified"}
    for row in all_published():
        assert row.experiment in experiments
        assert row.state == states.get(row.letter, "found")
        assert row.who in ("this method", "zero-shot")
    assert published("demo_closed") == []
    assert [row.who for row in published("k400_to_hmdb51")] == ["this method", "zero-shot", "zero-shot"]
