"""``prompt-video report``: the same numbers as HTML and as Markdown, and nothing of a run that could break a page."""

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from prompt_video.cli import main
from prompt_video.reports.comparison.curves import smoothed
from prompt_video.reports.exports import markdown_text
from prompt_video.reports.tables import NONE


def report(folder: Path, *options: str) -> str:
    out = folder / "out" / ("r.md" if "--markdown" in options else "r.html")
    assert main(["report", str(folder / "runs"), "--out", str(out), *options]) == 0
    return out.read_text()


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def tables(page: str) -> set[tuple[str, ...]]:
    """The cells of each row."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL)
    cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows)
    return {tuple(re.sub(r"<[^>]*>", "", cell).strip() for cell in row) for row in cells}


def test_all_forms_hold_the_same_tables(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    for seed in range(2):
        folder = write_run({"test/top1": 0.5 + seed / 10, "test/frozen_top1": 0.35}, "hmdb51_closed", seed=seed)
        rows = [("a", 1.0, 0.0), ("b", 1.0, 1.0)]
        names = ("class", "accuracy", "frozen_accuracy")
        write_rows(folder / "by_class.csv", [dict(zip(names, row, strict=True)) for row in rows])
    page, text = report(tmp_path), report(tmp_path, "--markdown")
    assert ("zero-shot", "35.0 ± 0.0", NONE, "2 seeds") in tables(page)
    assert ("prompts + temporal", "55.0 ± 7.1", "+20.0 ± 7.1", "2 seeds") in tables(page)
    assert ("published: this method", "66.4", NONE, "source W, conditions uncertain") in tables(page)
    assert ("a", "100.0", "0.0", "+100.0") in tables(page)
    plain = text.replace("\\", "").replace("**", "")
    for row in tables(page):
        if "method" not in row and "class" not in row:
            assert f"| {' | '.join(row)} |" in plain, row
    for words in ("wizwand", "not measured here", "0123456789ab, changed since", "torch 2.14.1", "closed set", "0, 1"):
        assert words in page
        assert words in plain
    for words in (
        "prompt-video fit --config experiments/hmdb51_closed.yaml",
        "../runs/hmdb51_closed/2026-01-01_000000/",
        "2026-01-01 00:00",
    ):
        assert words in page
    assert "2 classes: 1 above zero-shot, 0 below, 1 equal." in page
    assert "sample standard deviation" in page
    for end, words in (
        (".tex", r"55.0 $\pm$ 7.1"),
        (".csv", "hmdb51_closed,Results of the test,prompts + temporal,top-1,%,55.0,7.0711"),
    ):
        assert main(["report", str(tmp_path), "--out", str(tmp_path / f"r{end}")]) == 0
        assert words in (tmp_path / f"r{end}").read_text()


def test_rows_stand_from_the_frozen_to_the_learned(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    for method in ("regularized", "linear_probe", "prompts_temporal", "frozen_templates", "my_own"):
        write_run({"test/top1": 0.5, "test/frozen_top1": 0.35}, method=method)
    page = report(tmp_path)
    table = page[page.index("Results of the test") : page.index("</tbody>")]
    names = re.findall(r'<th scope="row"[^>]*>(.*?)</th>', table, re.DOTALL)
    assert [name.strip() for name in names] == [
        *("zero-shot", "zero-shot, templates", "linear probe", "prompts + temporal"),
        *("prompts + temporal, regularized", "my own"),
    ]
    assert page.count("1 seed: no spread") >= 6


def test_training_losses_are_smoothed_over_batches_of_other_sizes() -> None:
    sawtooth = [(step, 1.0 if step % 5 else 0.2) for step in range(60)]
    found = [value for _, value in smoothed(sawtooth)]
    assert max(found[5:-5]) - min(found[5:-5]) < 0.35
    assert [step for step, _ in smoothed(sawtooth)] == list(range(60))
    assert smoothed([(0, 1.0)]) == [(0, 1.0)]
    assert smoothed([]) == []


def test_frozen_accuracy_of_classes_is_averaged_over_seeds_and_trials(
    tmp_path: Path, write_run: Callable[..., Path]
) -> None:
    folder = write_run({"test/clip_only/map_avg": 0.5, "test/clip_only/frozen_map_avg": 0.1})
    for trial, learned in enumerate((0.2, 0.6)):
        write_rows(
            folder / "trials" / f"00{trial}" / "by_class.csv", [{"class": "a", "clip_only": learned, "frozen": 0.1}]
        )
    assert ("a", "40.0", "10.0", "+30.0") in tables(report(tmp_path))


def test_a_page_needs_nothing_from_outside_and_runs_nothing(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    evil = "<script>alert(1)</script>"
    folder = write_run({"test/top1": 0.5, "test/frozen_top1": 0.4}, protocol=evil, model=evil)
    environment = json.loads((folder / "environment.json").read_text())
    environment["command"] += [evil, "```"]
    (folder / "environment.json").write_text(json.dumps(environment))
    rows = [{"class": f"{evil} $x_1$ | {'long ' * 60}", "accuracy": 0.0, "frozen_accuracy": 0.0}]
    write_rows(folder / "by_class.csv", [*rows, {"class": "b", "accuracy": 1.0, "frozen_accuracy": 0.0}])
    write_rows(
        folder / "logs" / "metrics.csv", [{"step": step, "epoch": 0, "train/loss": 1 / (1 + step)} for step in range(3)]
    )
    page = report(tmp_path)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r"""(src|href)=["']https?:""", page)
    assert "url(http" not in page
    text = report(tmp_path, "--markdown")
    assert "\n````\nprompt-video fit" in text
    assert "\\<script\\>" in text


def test_curves_of_a_resumed_run_go_on(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    from prompt_video.reports.comparison.curves import curves
    from prompt_video.reports.comparison.runs import collect

    folder = write_run({"test/top1": 0.5})
    write_rows(folder / "logs" / "metrics.csv", [{"step": 0, "train/loss": 3}, {"step": 5, "train/loss": 2}])
    write_rows(folder / "logs_2" / "metrics.csv", [{"step": 5, "train/loss": 2.5}, {"step": 9, "train/loss": ""}])
    write_rows(folder / "logs_10" / "metrics.csv", [{"step": 9, "train/loss": 1}])
    (run,), _ = collect([tmp_path])
    assert curves(run) == {"train/loss": [(0, 3.0), (5, 2.5), (9, 1.0)]}
    page = report(tmp_path)
    assert "training loss" in page
    assert "train/loss" not in page


def test_damaged_tables_are_named_and_the_rest_is_told(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    folder = write_run({"test/top1": 0.5})
    (folder / "by_class.csv").write_text("x\n1\n")
    (folder / "logs").mkdir()
    (folder / "logs" / "metrics.csv").write_text("step,a\nzero,1\n")
    page = report(tmp_path)
    assert f"{folder / 'by_class.csv'} is damaged: no figures of classes are shown" in page
    assert f"{folder / 'logs' / 'metrics.csv'} is damaged: its curves are not shown" in page
    assert ">50.0<" in page
    assert "2 of the folders and files" in page


def test_mistakes_get_one_message(
    tmp_path: Path, write_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "none")]) == 1
    assert "none is no folder" in capsys.readouterr().err
    write_run({"test/top1": 0.5})
    assert main(["report", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "is a folder: name a file in it" in capsys.readouterr().err


def test_names_mean_nothing_to_markdown() -> None:
    evil = "- a|b<script>`x`~~y~~&lt;$z$\x1b[31m\u202e"
    assert markdown_text(evil) == r"\- a\|b\<script\>\`x\`\~\~y\~\~\&lt;\$z\$\\x1b\[31m\\u202e"
    assert [markdown_text(text) for text in ("1. a", "50.1", "+3.2", "---")] == [r"1\. a", "50.1", "+3.2", r"\---"]
