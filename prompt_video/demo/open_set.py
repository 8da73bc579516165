"""The demo's open set: what becomes of combinations of shape and motion that training does not show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from rich.table import Table

from prompt_video.demo.running import Run
from prompt_video.io.tables import new_table
from prompt_video.reports import page

KEYS = ("test/base/top1", "test/novel/top1", "test/hm", "test/novel_all/top1", "test/hm_all")
TITLES = ("top-1, %", "base", "novel", "mean", "novel/all", "mean/all")


@dataclass(frozen=True)
class Method:
    """One row of the table."""

    key: str
    title: str
    file: str  # in experiments/parts/methods


METHODS = (
    Method("paper", "paper's recipe", "prompts_temporal"),
    Method("regularized", "regularized", "regularized"),
)
FROZEN = Method("frozen_clip", "frozen CLIP", "")


@dataclass(frozen=True)
class Outcome:
    """One fold of one method."""

    method: Method
    seed: int
    fold: int
    metrics: Mapping[str, float]


def run_method(run: Run) -> list[Outcome]:
    """Train and test one method on all folds; the frozen CLIP's figures come with it."""
    method = next(method for method in METHODS if method.key == run.method)
    results = run.train_and_test(f"--method={method.file}").record.results
    outcomes = []
    for fold, trial in enumerate(results["trials"]):
        metrics = trial["metrics"]
        outcomes.append(Outcome(method, run.seed, fold, metrics))
        frozen = {key: metrics[frozen_key(key)] for key in KEYS}
        outcomes.append(Outcome(FROZEN, run.seed, fold, frozen))
    return outcomes


def frozen_key(key: str) -> str:
    """The frozen CLIP's figure beside one of `KEYS`."""
    folder, _, name = key.rpartition("/")
    return f"{folder}/frozen_{name}"


def results(outcomes: Sequence[Outcome]) -> list[dict[str, str | int | float]]:
    """One row a fold, ready for JSON; the frozen CLIP once."""
    rows: dict[tuple[str, int, int], dict[str, str | int | float]] = {}
    for outcome in outcomes:
        rows[outcome.method.key, outcome.seed, outcome.fold] = {
            "method": outcome.method.key,
            "protocol": "base_to_novel",
            "seed": outcome.seed,
            "fold": outcome.fold,
            **{key.removeprefix("test/"): outcome.metrics[key] for key in KEYS},
        }
    return list(rows.values())


def _rows(outcomes: Sequence[Outcome]) -> list[list[str]]:
    rows = []
    for method in (FROZEN, *METHODS):
        mine = [outcome.metrics for outcome in outcomes if outcome.method == method]
        values = [[metrics[key] for metrics in mine] for key in KEYS]
        rows.append([method.title, *(f"{100 * mean(of_key):.1f} ± {100 * stdev(of_key):.1f}" for of_key in values)])
    return rows


def table(outcomes: Sequence[Outcome]) -> Table:
    """Figures of every method as a table for the terminal; with several seeds mean and spread."""
    title = "moving shapes, open set, 32 classes seen and 16 unseen, 3 folds"
    rich_table = new_table(title)
    for column in TITLES:
        rich_table.add_column(column, justify="left" if column == TITLES[0] else "right", no_wrap=True)
    for method, row in zip((FROZEN, *METHODS), _rows(outcomes), strict=True):
        rich_table.add_row(*(cell.replace(" ± ", "±") for cell in row), style="bold" if method is METHODS[-1] else "")
    return rich_table


def page_table(outcomes: Sequence[Outcome]) -> page.Table:
    """The same figures as a table for the report."""
    return page.Table(TITLES, _rows(outcomes), best=len(METHODS))
