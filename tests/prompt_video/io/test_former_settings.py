"""What was written before other frozen models than CLIP could be taken is brought up to date, and nothing else is."""

from typing import Any

from prompt_video.io.former_settings import experiment_of_today, former_name, spec_of_then, spec_of_today
from prompt_video.io.parser_messages import no_option

SPEC: dict[str, Any] = {
    "clip": {"name": "tiny"},
    "prompt": {"kind": "PromptLearner", "settings": {"num_prefix": 16, "context_length": 77}},
    "frozen_share": 0.0,
}


def test_a_spec_of_before_is_one_of_today_and_is_hashed_as_before() -> None:
    spec = spec_of_today(SPEC)
    assert spec == {
        "backbone": {"name": "tiny"},
        "prompt": {"kind": "PromptLearner", "settings": {"num_prefix": 16}},
        "frozen_share": 0.0,
    }
    assert spec_of_today(spec) == spec
    assert spec_of_then(spec, 77) == SPEC
    wrong: tuple[Any, ...] = (None, [], {"prompt": 3}, {"clip": 1, "prompt": {"settings": []}})
    for damaged in wrong:
        spec_of_today(damaged)  # is refused by who reads it


def test_an_experiment_of_before_is_one_of_today() -> None:
    own = {
        "clip": "folder",
        "clip_dtype": "float32",
        "prompt": {"class_path": "P", "init_args": {"context_length": 77}},
    }
    data = {"image_size": 64, "class_names": {"clip": "a clip", "image_size": "a size"}}
    settings = experiment_of_today(
        {"model": {"class_path": "T", "init_args": own}, "data": {"class_path": "D", "init_args": data}}
    )
    assert settings["model"]["init_args"] == {
        "backbone": "folder",
        "backbone_dtype": "float32",
        "prompt": {"class_path": "P", "init_args": {}},
    }
    assert settings["data"]["init_args"] == {"class_names": {"clip": "a clip", "image_size": "a size"}}
    assert experiment_of_today(settings) == settings
    assert "clip" in own  # what was handed over is left as it was


def test_a_backbone_was_once_the_file_of_a_scale_too() -> None:
    method = {"method": "prompts"}
    assert experiment_of_today({**method, "backbone": "tiny"}) == {**method, "backbone": "tiny", "scale": "demo"}
    assert experiment_of_today({**method, "backbone": "own.yaml"}) == {**method, "scale": "own.yaml"}
    for same in (
        {"backbone": "tiny"},
        {**method, "backbone": "vit_b16"},
        {**method, "backbone": "tiny", "scale": "full"},
    ):
        assert experiment_of_today(same) == same


def test_a_former_name_is_told_with_that_of_today() -> None:
    assert no_option("clip", ["ckpt", "help"]) == "there is no option 'clip'; it is called 'backbone' now."
    assert no_option("context_length", ["strength"]).endswith(
        "any more: the positions are those of the backbone; leave it out."
    )
    assert no_option("clp", ["clip_x", "ckpt"]).endswith("did you mean 'clip_x'?")
    assert former_name("backbone") is None
