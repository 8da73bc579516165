"""Configurations that version 4ccdbf5 wrote, or read, are read."""

from pathlib import Path

import pytest

from data_modules.errors import InputError
from prompt_video.experiment.settings import read_settings
from prompt_video.experiment.words import check_words

RUN = Path(__file__).with_name(
    "config_of_before.yaml"
)  # of a run of demo_closed, as that version left it in its folder


def test_the_settings_of_a_run_are_read_as_they_are() -> None:
    check_words([f"--config={RUN}"])
    model = read_settings([f"--config={RUN}"]).settings["model"]["init_args"]
    assert (model["backbone"], model["backbone_dtype"], model["frozen_templates"]) == ("tiny", "float32", "shapes")
    assert model["prompt"]["init_args"]["num_prefix"] == 16
    assert model["temporal"]["init_args"]["num_layers"] == 2


def test_a_file_of_ones_own_that_names_a_clip_is_read(tmp_path: Path) -> None:
    (tmp_path / "sizes.yaml").write_text("VideoTextTask: {clip: tiny, prompt_lr: 0.25}\n")
    (tmp_path / "scaled.yaml").write_text(
        "data: {class_path: MovingShapes, init_args: {root: shapes}}\n"
        "model: RecognitionTask\nmethod: prompts\nbackbone: sizes.yaml\n"
    )
    (tmp_path / "named.yaml").write_text(
        "data: {class_path: MovingShapes, init_args: {root: shapes}}\n"
        "model: {class_path: RecognitionTask, init_args: {clip: tiny, clip_dtype: float32}}\n"
    )
    for name, rate in (("scaled", 0.25), ("named", None)):
        words = [f"--config={tmp_path / name}.yaml"]
        check_words(words)
        model = read_settings(words).settings["model"]["init_args"]
        assert (model["backbone"], model["prompt_lr"]) == ("tiny", rate)


def test_a_former_name_that_is_typed_is_refused_with_that_of_today() -> None:
    for word, told in (
        ("--model.clip=tiny", "there is no option 'clip'; it is called 'backbone' now"),
        ("--clip=tiny", "there is no option 'clip'; it is called 'backbone' now"),
        ("--backbone=own.yaml", "own.yaml is a file of settings, and a backbone is a frozen model: .* --scale"),
    ):
        with pytest.raises(InputError, match=told):
            check_words(["--config=demo_closed", word])
