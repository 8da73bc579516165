"""What comes with the program can be listed, and copied to be edited."""

import subprocess
import sys
from pathlib import Path

import pytest

import data_modules.registry as registry
from data_modules.data_sets.class_lists import class_list
from data_modules.modules.base import VideoDataModule
from prompt_video.cli import main
from prompt_video.commands.copy import whole
from prompt_video.commands.list import KINDS, lines_of
from prompt_video.experiment.packaged import headline, packaged
from prompt_video.experiment.settings import read_settings


def test_a_line_for_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    for kind in KINDS:
        lines = lines_of(kind)
        assert f"{kind}: " in said
        assert all(f"  {name}" in said for name in lines)
        assert all(len(line) >= 5 or kind == "templates" for line in lines.values()), "what it is"


def test_one_kind_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "methods"]) == 0
    said = capsys.readouterr().out
    assert "linear_probe" in said
    assert "hmdb51_closed" not in said


def test_every_data_set_of_the_registry_is_listed() -> None:
    classes = [cls for cls in vars(registry).values() if isinstance(cls, type) and issubclass(cls, VideoDataModule)]
    assert set(lines_of("data_sets")) == {cls.__name__ for cls in classes if not cls.__name__.endswith("DataModule")}


def test_a_class_list_has_as_many_names_as_its_line_says() -> None:
    for name, line in lines_of("class_lists").items():
        assert str(len(class_list(name))) in line or line.startswith("the same")


def test_listing_imports_nothing_heavy() -> None:
    code = "import sys; from prompt_video.cli import main; main(['list']); print(*sys.modules, file=sys.stderr)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "lightning", "numpy", "transformers", "av"} & set(told.stderr.split())


def test_a_headline_is_the_first_sentence(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("# THUMOS14, tIoU 0.5. Expect 66.4,\n# or more.\ntrainer: a\n")
    assert headline(path) == "THUMOS14, tIoU 0.5"
    path.write_text("# Two lines\n# of one sentence.\na: 1\n")
    assert headline(path) == "Two lines of one sentence"
    path.write_text("a: 1\n")
    assert headline(path) == ""


@pytest.mark.parametrize(
    "name",
    [
        "k400_to_hmdb51",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("demo_closed", "hmdb51_closed", "thumos14_closed", "msrvtt_1ka_9k")
        ),
    ],
)
def test_a_copy_is_the_same_experiment_from_anywhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["copy", name, "--out", "mine.yaml"]) == 0
    assert "prompt-video fit --config mine.yaml" in capsys.readouterr().out
    copied, original = (read_settings([f"--config={config}"]).settings for config in ("mine.yaml", name))
    for part in ("model", "data", "trainer"):
        assert _plain(copied[part]) == _plain(original[part])


def _plain(settings: object) -> object:
    """Without the paths of files that parts were read from."""
    if hasattr(settings, "as_dict"):
        settings = settings.as_dict()
    if isinstance(settings, dict):
        return {key: _plain(value) for key, value in settings.items() if key != "__path__"}
    return [_plain(value) for value in settings] if isinstance(settings, list) else settings


def test_no_copy_needs_another_file() -> None:
    for path in packaged("experiment").values():
        assert ".yaml" not in whole(path).replace("experiments/", ""), path


def test_a_file_of_ones_own_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["copy", "demo_closed"]) == 0
    text = Path("demo_closed.yaml").read_text()
    assert text == whole(packaged("experiment")["demo_closed"])
    assert main(["copy", "demo_closed"]) == 1
    assert "is left alone" in capsys.readouterr().err
    assert main(["copy", "demo_clsed"]) == 1
    assert "did you mean 'demo_closed'" in capsys.readouterr().err
