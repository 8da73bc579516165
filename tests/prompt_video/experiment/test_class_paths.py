"""An experiment file names classes: nothing is imported that is not of the kind that is asked for."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data_modules.modules.base import VideoDataModule
from prompt_video.cli import main
from prompt_video.experiment.class_paths import ForeignClassError, check_class_path

DEMO = Path(__file__).parents[3] / "experiments" / "demo_closed.yaml"
MODULES = {
    "pv_own/__init__.py": "RUN",
    "pv_own/data.py": "RUN; import data_modules.registry\nfrom data_modules.registry import MovingShapes as Base\n"
    "class Mine(Base): pass\nclass Too(data_modules.registry.MovingShapes): pass\n",
    "pv_own/more/__init__.py": "RUN; from .deep import Deep\n",
    "pv_own/more/deep.py": "RUN; from ..data import Mine\nclass Deep(Mine): pass\ndef made() -> Mine: ...\n",
    "pv_other.py": "RUN; from lightning.pytorch import Callback\nclass Thing: pass\nclass Watcher(Callback): pass\n"
    "def function(): ...\nclass Ring(Ring): pass\nclass One(Two): pass\nclass Two(One): pass\n",
    "pv_wrong.py": "class (",
}


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Modules of one's own, and which of them have been run."""
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("RUN", f"import sys; sys.pv_run.append({name!r})"))
    monkeypatch.syspath_prepend(tmp_path)
    run: list[str] = []
    monkeypatch.setattr(sys, "pv_run", run, raising=False)
    return lambda: run


@pytest.mark.parametrize(
    "path",
    ["pv_own.data.Mine", "pv_own.data.Too", "pv_own.more.Deep", "pv_own.more.deep.made", "data_modules.MovingShapes"],
)
def test_ones_own_subclasses_are_known_by_their_source(path: str, imported: Callable[[], list[str]]) -> None:
    check_class_path(path, (VideoDataModule,))
    assert imported() == []


@pytest.mark.parametrize(
    "path",
    ["pv_other.Thing", "pv_other.Watcher", "pv_other.function", "pv_other.none", "pv_other.Ring", "pv_other.One",
     "pv_own.none.X", "antigravity.fly", "this.s", "pv_wrong.X"],
)  # fmt: skip
def test_all_else_is_refused_unrun(path: str, imported: Callable[[], list[str]]) -> None:
    with pytest.raises(ForeignClassError, match="nothing of it was imported"):
        check_class_path(path, (VideoDataModule,))
    assert imported() == []
    assert not {"antigravity", "this"} & sys.modules.keys()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "pv_other.Thing"], "data: there is no VideoDataModule 'pv_other.Thing'"),
        (["--data", "pv_other.Watcher"], "data: there is no VideoDataModule 'pv_other.Watcher'"),
        (["--model.prompt", "pv_other.Thing"], "model.prompt: there is no class that a setting takes 'pv_other.Thing'"),
        (["--model.optimizer", "pv_other.function"], "model.optimizer: there is no class that a setting takes"),
        (["--trainer.callbacks", "pv_other.function"], "trainer.callbacks: there is no Callback 'pv_other.function'"),
        (["--data", "os.system"], "data: this is no VideoDataModule."),
        (["--model.optimizer", "os.system"], "model.optimizer: this is no Optimizer."),
    ],
)
def test_the_command_line_says_so(
    options: list[str], message: str, imported: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", str(DEMO), *options]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert imported() == []


def test_ones_own_data_module_is_taken(imported: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["fit", "--config", str(DEMO), "--data", "pv_own.data.Mine", "--print_config"])
    assert "class_path: pv_own.data.Mine" in capsys.readouterr().out
    assert imported() == ["pv_own/__init__.py", "pv_own/data.py"]


def test_a_file_of_ones_own_that_python_does_not_find_is_told_as_such() -> None:
    with pytest.raises(ForeignClassError, match=r"Python finds no module 'nowhere_at_all': .* `PYTHONPATH=FOLDER`"):
        check_class_path("nowhere_at_all.Part", (VideoDataModule,))
