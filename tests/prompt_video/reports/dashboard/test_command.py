"""The layout of a workspace, and the command that makes it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_modules.errors import InputError
from prompt_video.commands import dashboard
from prompt_video.reports.dashboard.layout import Shape, layout
from prompt_video.tasks.recognition import RecognitionTask

# wandb-workspaces 0.4 is written for an older pydantic.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")
TASKS = ("recognition", "localization", "retrieval")


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def keys_of(panel: dict[str, Any]) -> set[str]:
    """What a panel of a specification shows, as logged."""
    config = panel["config"]
    if panel["viewType"] == "Vega2":
        (field,) = [
            field for field in config["userQuery"]["queryFields"][0]["fields"] if field["name"] == "summaryTable"
        ]
        return {field["args"][0]["value"]}
    if panel["viewType"] == "Weave":
        found: set[str] = set()
        text = json.dumps(config)
        for part in text.split('"val": "')[1:]:
            found.add(part.partition('"')[0])
        return {name for name in found if "/" in name}
    return set(config["metrics"])


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_without_an_account_every_panel_of_the_file_shows_what_a_run_has_logged(
    offline_run: Callable[[str], Any], task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = offline_run(task)
    runs = run.folder.parents[1]
    path = tmp_path / "layout.json"
    capsys.readouterr()
    dashboard.main(["dashboard", "--config", str(run.config), "--runs", str(runs), "--out", str(path)])
    assert capsys.readouterr().out == f"wandb: no account; the dashboard's specification is in {path}\n"
    spec = json.loads(path.read_text())["spec"]["section"]["panelBankConfig"]["sections"]
    named = {key for section in spec for panel in section["panels"] for key in keys_of(panel)}
    assert named <= run.logged.keys()
    # And all that is logged besides metrics has its place.
    tables = {
        key for key, value in run.logged.items() if isinstance(value, str) and key.startswith(("tables/", "retr"))
    }
    assert tables <= named
    expected = {"Curves", "Test", "Videos", "Prompts", "Health"}
    expected |= {"recognition": {"Classes"}, "localization": {"Classes", "Timelines"}, "retrieval": {"Retrieval"}}[task]
    assert {section["name"] for section in spec} == expected
    assert {"data_wait", "broken/train", "broken/test"} <= named


def test_the_file_stands_below_the_runs(experiment_of: Callable[[str], Path], tmp_path: Path) -> None:
    dashboard.main(["dashboard", "--config", str(experiment_of("recognition")), "--runs", str(tmp_path)])
    found = json.loads((tmp_path / "dashboards" / "small_recognition.json").read_text())
    assert (found["project"], found["displayName"]) == ("prompt-video", "small_recognition")


def test_with_an_account_the_workspace_is_saved(
    experiment_of: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from wandb_workspaces.workspaces import Workspace

    saved: list[Workspace] = []
    monkeypatch.setattr(Workspace, "save", lambda self: saved.append(self))
    monkeypatch.setattr(Workspace, "url", property(lambda self: f"https://wandb.test/{self.entity}/{self.project}"))
    monkeypatch.setattr("prompt_video.experiment.loggers.offline_reason", lambda mode: None)
    options = ["--config", str(experiment_of("recognition")), "--runs", str(tmp_path), "--entity", "people"]
    dashboard.main(["dashboard", *options, "--project", "videos"])
    assert capsys.readouterr().out == "dashboard: https://wandb.test/people/videos\n"
    assert len(saved) == 1
    assert not (tmp_path / "dashboards").exists()

    def refuse(self: Workspace) -> None:
        raise ValueError("no such project")

    monkeypatch.setattr(Workspace, "save", refuse)
    with pytest.raises(InputError, match="did not save the workspace in people/prompt-video: no such project"):
        dashboard.main(["dashboard", *options])


def test_without_the_library_one_message_says_what_to_install(
    experiment_of: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    with pytest.raises(InputError, match=r"pip install 'prompt-video\[dashboard\]'"):
        dashboard.main(["dashboard", "--config", str(experiment_of("recognition")), "--runs", str(tmp_path)])


def test_several_tests_and_several_trials() -> None:
    several = {s.name: s.panels for s in layout(RecognitionTask, Shape(("base", "novel"), ("test/hm",), has_val=False))}
    assert several["Test"][0].keys == ("test/hm",)
    assert several["Test"][1].keys == (
        "test/base/top1",
        "test/base/frozen_top1",
        "test/novel/top1",
        "test/novel/frozen_top1",
    )
    assert [panel.keys for panel in several["Classes"][:2]] == [("confusion/base_table",), ("confusion/novel_table",)]
    assert not any(key.startswith("val/") for panel in several["Curves"] for key in panel.keys)
    trials = {s.name: s.panels for s in layout(RecognitionTask, Shape(has_trials=True))}
    assert trials.keys() == {"Test", "Trials", "Health"}
