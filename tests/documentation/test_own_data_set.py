"""The classes of the READMEs are data sets that doctor passes."""

import csv
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from prompt_video.cli import main

REPOSITORY = Path(__file__).parents[2]
VIDEOS = REPOSITORY / "tests" / "data_modules" / "videos"
# What the docstrings of the classes say that their files are like.
TABLES: Mapping[str, Mapping[str, Sequence[Mapping[str, object]]]] = {
    "Jumps": {
        "list.csv": [
            {"file": f"{split}_{number}.mp4", "jump": ("high jump", "long jump")[number], "split": split}
            for split in ("train", "test")
            for number in range(2)
        ]
    },
    "Contests": {
        f"{split}.csv": [
            {"film": f"{split}_{number}", "jump": ("high jump", "long jump")[number], "start": 0.1, "end": 0.8}
            for number in range(2)
        ]
        for split in ("train", "test")
    },
    "Diaries": {
        f"{split}.csv": [{"clip": f"{split}_{number}", "words": f"{split}, {number}"} for number in range(2)]
        for split in ("train", "test")
    },
}


def write_data(root: Path, tables: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
    root.mkdir(parents=True)
    for name, rows in tables.items():
        with (root / name).open("w", newline="", encoding="utf-8") as stream:
            table = csv.DictWriter(stream, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    for split in ("train", "test"):
        for number in range(2):
            shutil.copy(VIDEOS / "cleaning_pool_gap_h264.mp4", root / f"{split}_{number}.mp4")


def parts_of(blocks: Sequence[Any], base: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The README's experiment, changed as its table says for a base class."""
    (written,) = (block for block in blocks if block.language == "yaml")
    experiment: dict[str, Any] = yaml.safe_load(written.text)
    text = (REPOSITORY / "data_modules" / "README.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{base}` \| `(.*)` \| `(.*)` \| `(.*)` \| (.*)\|$", text, re.MULTILINE)
    named = dict(zip(("trainer", "model", "method"), row, strict=False))
    return {**experiment, **named}, yaml.safe_load(row[3].strip(" `") or "{}")


@pytest.mark.parametrize("module", ["jumps", "contests", "diaries"])
def test_a_class_of_the_readme_passes_doctor(
    module: str,
    readme_blocks: Sequence[Any],
    small_options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (code,) = (block.text for block in readme_blocks if block.text.startswith(f"# data_modules/data_sets/{module}.py"))
    match = re.search(r"^class (\w+)\((\w+)\):", code, re.MULTILINE)
    assert match is not None
    name, base = match.groups()
    (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "data"))
    importlib.import_module(module)  # as the package does whose `__init__` hands its name on
    write_data(tmp_path / "data" / module, TABLES[name])
    experiment, more = parts_of(readme_blocks, base)
    experiment["data"] = {
        "class_path": name,
        "init_args": {"root": f"${{oc.env:DATA_ROOT,data}}/{module}", **more},
    }
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "parts").symlink_to(REPOSITORY / "experiments" / "parts")
    config = tmp_path / "experiments" / f"{module}_closed.yaml"
    config.write_text(yaml.safe_dump(experiment))
    options = [f"--out={tmp_path / 'report.json'}", f"--data.features_root={tmp_path / 'features'}", "--num_workers=0"]
    try:
        assert main(["doctor", f"--config={config}", *small_options, *options, "--quiet=true"]) == 0
        assert "all 4 files are there" in capsys.readouterr().out
        if module != "diaries":  # captions have no classes
            table = max((tmp_path / "data" / module).glob("*.csv"))
            table.write_text(table.read_text().replace("long jump", "lnog jump"))
            assert main(["doctor", f"--config={config}", *small_options, *options, "--quiet=true"]) == 1
            found = (tmp_path / "report.json").read_text()
            assert f"{table.name}, line 3: 'lnog jump' is no class of this data set" in found
    finally:
        sys.modules.pop(module, None)


@pytest.mark.slow
def test_the_doctor_finds_it_by_its_name_in_a_checkout(
    readme_blocks: Sequence[Any], small_options: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("data_modules", "prompt_video", "experiments"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    written = [block.text for block in readme_blocks if "jumps" in block.text.partition("\n")[0]]
    assert len(written) == 2, "the class and its experiment"
    for text in written:
        (tmp_path / text.partition("\n")[0].strip("# ").partition(":")[0]).write_text(text)
    with (tmp_path / "data_modules" / "registry.py").open("a") as registry:
        registry.write("from data_modules.data_sets.jumps import Jumps as Jumps\n")
    write_data(tmp_path / "data" / "jumps", TABLES["Jumps"])
    command = [sys.executable, "-m", "prompt_video", "doctor", "--config", "jumps_closed", *small_options]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 4 files are there" in done.stdout


def test_every_class_of_the_readmes_is_tested(python: Any) -> None:  # noqa: ANN401 - a Block of conftest.py
    names = re.findall(r"^class (\w+)\(", python.text, re.MULTILINE)
    assert set(names) <= set(TABLES)
    assert names or re.search(r"prompt_video\.load|data\.extract", python.text)


def test_the_experiment_of_the_readme_names_its_class(written: Any, readme_blocks: Sequence[Any]) -> None:  # noqa: ANN401
    experiment = yaml.safe_load(written.text)
    same, more = parts_of(readme_blocks, "TrimmedDataModule")
    assert (same, more) == (experiment, {})
    assert experiment["data"]["class_path"] in TABLES
