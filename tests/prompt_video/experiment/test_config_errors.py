from pathlib import Path

import pytest

from prompt_video.cli import main
from prompt_video.commands.verbs import VERBS
from prompt_video.experiment.option_names import EXPERIMENT_OPTIONS
from prompt_video.experiment.settings import read_settings

DEMO = Path(__file__).parents[3] / "experiments" / "demo_closed.yaml"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.promt.num_prefix", "3"], "model: there is no option 'promt'; did you mean 'prompt'?"),
        (["--model.threshold", "0.5"], "model: there is no option 'threshold' here; other classes have it."),
        (["--model.temporal.num_layerz", "3"], "no option 'num_layerz'; did you mean 'num_layers'?"),
        (["--model.temporal.num_layers", "x"], "model.temporal.num_layers: expected a whole number, not x."),
        (["--model.schedule", "cosin"], "model.schedule: expected one of constant, cosine, not cosin."),
        (["--model.prompt", "PromptLerner"], "no class 'PromptLerner'; did you mean 'PromptLearner'"),
        (["--data", "MovingShape"], "data: there is no class 'MovingShape'; did you mean 'MovingShapes'?"),
        (["--data.features_rot", "x"], "no option 'features_rot'; did you mean 'features_root'?"),
        (["--data.sampler.strides", "[x]"], "data.sampler.strides: expected a whole number, not x."),
        (["--trainer.max_epochs", "abc"], "trainer.max_epochs: expected a whole number or null, not abc."),
        (["--model.temporal.num_heads", "7"], "must divide the width 128, and 7 does not."),
        (["--model.optimizer.lr", "nan"], "model.optimizer.lr: expected a number, not nan."),
        (["--model.optimizer.class_path", "torch.optim.Adamx"], "no class 'torch.optim.Adamx'; did you mean 'Adamax'"),
        (
            ["--trainer.accelerator", "gpu"],
            "trainer: there is no GPU here that torch can use; --trainer.accelerator auto",
        ),
        (["--trainer.devices", "800"], "trainer: 800 devices are asked for, and here is no GPU and a CPU of"),
        (["--wandb", "sometimes"], "wandb: expected one of auto, online, offline, disabled, not sometimes."),
        (["--model.init_args", "x"], "model: init_args of RecognitionTask are to be names with values"),
        (["--ckpt", "nowhere.ckpt"], "there is no checkpoint nowhere.ckpt."),
        (["--ckpt", "last", "--runs", "nowhere"], "no run of 'demo_closed' below nowhere has a checkpoint"),
    ],
)
def test_a_mistake_is_one_line_with_the_nearest_name(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", str(DEMO), *options]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_mistyped_section_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = DEMO.read_text().replace("model:", "modle:").replace("parts/", f"{DEMO.parent}/parts/")
    (tmp_path / "typo.yaml").write_text(text)
    assert main(["fit", "--config", str(tmp_path / "typo.yaml")]) == 1
    assert "there is no option 'modle'; did you mean 'model'?" in capsys.readouterr().err


def test_a_file_that_lacks_what_a_run_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.yaml"
    for text, message in {
        "model: RecognitionTask\n": "prompt-video: data must be named.",
        "data: {root: x}\nmodel: RecognitionTask\n": "data names no class, as in `class_path: HMDB51`;",
        "# nothing yet\n": f"prompt-video: the configuration {file} is empty.",
    }.items():
        file.write_text(text)
        assert main(["fit", "--config", str(file)]) == 1
        assert message in capsys.readouterr().err


def test_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "nowhere.yaml"]) == 1
    assert "there is no file" in capsys.readouterr().err


def test_junk_in_place_of_a_released_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "junk.pth.tar").write_text("junk")
    command = [
        "import-official",
        str(tmp_path / "junk.pth.tar"),
        "--out",
        str(tmp_path / "out.ckpt"),
        "--backbone",
        "tiny",
    ]
    assert main(command) == 1
    assert "is no file of weights alone" in capsys.readouterr().err


def test_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[0] for line in lines if line.startswith("  ")) == sorted(VERBS)
    assert all(len(line) <= 80 for line in lines if line.startswith("  "))
    assert main(["fitt"]) == 1
    assert "no command 'fitt'; did you mean 'fit'?" in capsys.readouterr().err


def test_the_names_of_options_that_are_known_without_lightning() -> None:
    parser = read_settings(["--config", str(DEMO)]).verb_parser
    names = {action.dest.split(".")[0] for action in parser._actions if action.dest != "help"}
    assert names | {"ckpt"} == EXPERIMENT_OPTIONS


def test_missing_videos_are_told_before_a_missing_backbone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    run = ["fit", "--config=hmdb51_closed", "--wandb=disabled", "--backbone=someone/clip"]
    assert main(run) == 1
    assert "there is no folder data/hmdb51; set data.root" in capsys.readouterr().err
    (tmp_path / "data" / "hmdb51").mkdir(parents=True)
    assert main(run) == 1
    assert "5,100 of the 5,100 videos of HMDB51 are not there, the first being" in capsys.readouterr().err
    assert main([*run, "--data=MovingShapes", f"--data.root={tmp_path / 'shapes'}"]) == 1
    assert "cannot load backbone 'someone/clip'" in capsys.readouterr().err
