"""What the files about the project say is true of it."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import prompt_video
from prompt_video.cli import main

REPOSITORY = Path(__file__).parents[1]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yaml"))


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_has_one_source(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([option]) == 0
    assert capsys.readouterr().out == f"prompt-video {prompt_video.__version__}\n"
    assert yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["version"] == prompt_video.__version__
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["dynamic"] == ["version"]


def test_workflows_run_what_there_is() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    texts = "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    assert all(yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"] for path in WORKFLOWS)
    for target in re.findall(r"run: make (\w+)", texts):
        assert f"\n{target}: " in makefile
    interpreters = set(re.findall(r'"(3\.\d+)"', texts))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = {c.rpartition(" ")[2] for c in project["classifiers"] if "Python :: 3." in c}
    assert interpreters == named
