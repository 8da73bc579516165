"""A model is put together of a scale and a method, and nothing of what it takes the place of is left."""

import shutil
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from data_modules.errors import InputError
from prompt_video.experiment.composition import composed, laid_over
from prompt_video.experiment.fragments import methods_of
from prompt_video.experiment.packaged import packaged
from prompt_video.experiment.settings import read_settings
from prompt_video.tasks.localization import LocalizationTask
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.tasks.retrieval import RetrievalTask

# Of each method: prompt and its templates, layers and positions of the temporal encoder at the scales full and demo,
# learning rate of prompts there, and steps of warming up.
SETTINGS = {
    RecognitionTask: """
as_released          PromptLearner  -            1/16 2/16 None/0.01   0/20
cache                Cache          video/shapes 0/16 0/16 None/0.01   0/20
descriptions         Descriptions   -            0/16 0/16 None/0.01   0/20
descriptions_in_order Descriptions  -            -/16 -/16 None/0.01   0/20
descriptions_prompts Descriptions   -            0/16 0/16 None/0.01   0/20
frozen_clip          TemplatePrompt names/names  0/16 0/16 None/0.01   0/20
frozen_templates     TemplatePrompt video/shapes 0/16 0/16 None/0.01   0/20
linear_adapter       TemplatePrompt video/shapes -/16 -/16 None/0.01   0/0
linear_probe         LinearProbe    -            0/16 0/16 1.0/1.0     0/0
prompts              PromptLearner  -            0/16 0/16 None/0.01   0/20
prompts_temporal     PromptLearner  -            1/16 2/16 None/0.01   0/20
query_weighted       TemplatePrompt video/shapes -/- -/-   None/0.01   0/20
regularized          PromptLearner  -            1/16 2/16 None/0.01   0/20
text_probe           TextProbe      video/shapes 0/16 0/16 0.001/0.001 0/0
""",
    LocalizationTask: """
cache                   Cache          video/shapes 0/16  0/16 None/0.01 100/20
descriptions            Descriptions   -            0/16  0/16 None/0.01 100/20
descriptions_in_order   Descriptions   -            -/16  -/16 None/0.01 100/20
descriptions_prompts    Descriptions   -            0/16  0/16 None/0.01 100/20
frozen_clip             TemplatePrompt names/names  0/16  0/16 None/0.01 100/20
frozen_templates        TemplatePrompt video/shapes 0/16  0/16 None/0.01 100/20
linear_adapter          TemplatePrompt video/shapes -/16  -/16 None/0.01 0/0
linear_probe            LinearProbe    -            0/16  0/16 1.0/1.0   100/20
prompts                 PromptLearner  -            0/16  0/16 None/0.01 100/20
prompts_temporal        PromptLearner  -            1/256 2/64 None/0.01 100/20
prompts_temporal_inside PromptLearner  -            1/16  2/16 None/0.01 100/20
query_weighted          TemplatePrompt video/shapes -/-   -/-  None/0.01 100/20
regularized             PromptLearner  -            1/16  2/16 None/0.01 100/20
text_probe              TextProbe      video/shapes 0/16  0/16 0.001/0.001 0/0
""",
    RetrievalTask: """
frozen_clip      TemplatePrompt names/shapes 0/16 0/16 None/0.01 0/20
linear_adapter   TemplatePrompt names/shapes -/16 -/16 None/0.01 0/0
prompts          PromptLearner  -            0/16 0/16 None/0.01 0/20
prompts_temporal PromptLearner  -            1/16 2/16 None/0.01 0/20
query_weighted   TemplatePrompt names/shapes -/-  -/-  None/0.01 0/20
temporal         TemplatePrompt names/shapes 1/16 2/16 None/0.01 0/20
""",
}


BACKBONES = {"full": "vit_b16", "demo": "tiny"}  # of the experiments


@cache
def model_of(*options: str) -> Any:  # noqa: ANN401 - of a namespace
    """To be read only."""
    return read_settings(list(options)).settings["model"]


def fresh(task: type, method: str, scale: str) -> Any:  # noqa: ANN401 - of a namespace
    """As it is where no other model was before it."""
    text = f"{{model: {task.__name__}, method: {method}, scale: {scale}, backbone: {BACKBONES[scale]}}}"
    return model_of("--data=MovingShapes", f"--config={text}")


@pytest.mark.parametrize(
    "task",
    [*(pytest.param(task, marks=pytest.mark.slow) for task in (RecognitionTask, LocalizationTask)), RetrievalTask],
)
def test_every_method_at_both_sizes(task: Any) -> None:  # noqa: ANN401 - a class that is no abstract one
    rows = []
    for method in methods_of(["VideoTextTask", task.__name__]):
        both = [fresh(task, method, scale)["init_args"] for scale in BACKBONES]
        templates = "/".join(str(one["prompt"]["init_args"].get("templates", "-")) for one in both)
        encoders = [one["temporal"]["init_args"] for one in both]
        assert [encoder.get("num_heads", heads) for encoder, heads in zip(encoders, (8, 4), strict=True)] == [8, 4]
        rates = [1e-3, 1e-3] if method == "linear_adapter" else [1e-4, 2e-3]
        assert [one["optimizer"]["init_args"]["lr"] for one in both] == rates
        if task is RetrievalTask:
            assert [one["prompt"]["init_args"]["too_long"] for one in both] == ["truncate"] * 2
        rows.append(
            [
                method,
                both[0]["prompt"]["class_path"].rpartition(".")[2],
                "-" if templates == "-/-" else templates,
                *(f"{encoder.get('num_layers', '-')}/{encoder.get('max_frames', '-')}" for encoder in encoders),
                "/".join(str(one["prompt_lr"]) for one in both),
                "/".join(str(one["warmup_steps"]) for one in both),
            ]
        )
    assert rows == [line.split() for line in SETTINGS[task].strip().splitlines()]


@pytest.mark.parametrize(
    ("experiment", "task", "scale"),
    [
        pytest.param("hmdb51_as_released", RecognitionTask, "full", marks=pytest.mark.slow),
        pytest.param("demo_openset", RecognitionTask, "demo", marks=pytest.mark.slow),
        pytest.param("activitynet13_closed", LocalizationTask, "full", marks=pytest.mark.slow),
        pytest.param("msrvtt_1ka_9k", RetrievalTask, "full", marks=pytest.mark.slow),
        ("demo_retrieval", RetrievalTask, "demo"),
    ],
)
def test_a_method_in_the_place_of_another_leaves_nothing_of_it(experiment: str, task: Any, scale: str) -> None:  # noqa: ANN401
    for method in methods_of(["VideoTextTask", task.__name__]):
        settings = read_settings(["--method", method, f"--config={experiment}"])
        assert settings.settings["model"] == fresh(task, method, scale)
        assert settings.name == f"{experiment}_{method}"
        assert settings.settings["method"] == method


def test_what_is_typed_counts_whatever_the_method() -> None:
    options = ("--config=demo_closed", "--model.temporal.num_layers=3", "--method=prompts", "--model.prompt_lr=0.5")
    arguments = model_of(*options)["init_args"]
    assert (arguments["temporal"]["init_args"]["num_layers"], arguments["prompt_lr"]) == (3, 0.5)
    assert read_settings([*options, "--name=mine"]).name == "mine"


def test_another_backbone_changes_nothing_else() -> None:
    """Where it stands, and in both spellings."""
    own = deepcopy(model_of("--config=hmdb51_closed"))
    assert own["init_args"].pop("backbone") == "vit_b16"
    orders = [
        ["--config=hmdb51_closed", "--model.backbone=tiny"],
        ["--config=hmdb51_closed", "--backbone=tiny"],
        ["--backbone", "tiny", "--config=hmdb51_closed"],
    ]
    for words in orders:
        other = deepcopy(model_of(*words)["init_args"])
        assert other.pop("backbone") == "tiny"
        assert other == own["init_args"]


def test_another_scale_has_other_sizes() -> None:
    at_demo = model_of("--config=hmdb51_closed", "--method=prompts_temporal", "--scale=demo", "--backbone=tiny")
    assert at_demo == fresh(RecognitionTask, "prompts_temporal", "demo")


def test_the_settings_of_a_run_can_be_run_again_with_any_method(tmp_path: Path) -> None:
    cli = read_settings(["--config=demo_closed", "--model.prompt_lr=0.5"])
    path = tmp_path / "config.yaml"
    path.write_text(cli.verb_parser.dump(cli.settings, skip_none=False))
    assert model_of(f"--config={path}") == cli.settings["model"]
    assert model_of(f"--config={path}", "--method=prompts") == fresh(RecognitionTask, "prompts", "demo")


def test_a_file_adds_to_the_method_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("VideoTextTask: {prompt: LinearProbe, prompt_lr: 0.25}")
    path = tmp_path / "experiment.yaml"
    path.write_text(
        "data: MovingShapes\nmethod: mine.yaml\nscale: demo\n"
        "model: {class_path: RecognitionTask, init_args: {prompt_lr: 1.0e-3, temporal: {init_args: {num_layers: 0}}}}"
    )
    settings = read_settings([f"--config={path}"]).settings
    arguments = settings["model"]["init_args"]
    assert arguments["prompt"]["class_path"].endswith("LinearProbe")
    assert arguments["prompt_lr"] == 1e-3
    assert (arguments["temporal"]["init_args"]["num_layers"], arguments["temporal"]["init_args"]["num_heads"]) == (0, 4)
    assert settings["method"] == str(tmp_path / "mine.yaml"), "to be read from anywhere"


def test_an_own_method_takes_the_place_of_a_packaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(packaged("method")["prompts"], "short.yaml")
    settings = read_settings(["--config=demo_closed", "--method=short.yaml"])
    assert settings.settings["model"] == fresh(RecognitionTask, "prompts", "demo")
    assert settings.name == "demo_closed_short"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--config=demo_closed", "--method=promts"], "no method 'promts' for RecognitionTask; did you mean 'prompts'"),
        (["--config=demo_closed", "--method=promts"], "There are prompts, prompts_temporal, .*frozen_clip"),
        (["--config=thumos14_closed", "--method=temporal"], "no method 'temporal' for LocalizationTask"),
        (["--config=demo_closed", "--scale=dmo"], "no file and no scale 'dmo'; did you mean 'demo'"),
        (["--data=MovingShapes", "--model=RecognitionTask", "--method=prompts"], "name the experiment, with --config"),
        (["--data=MovingShapes", "--config={model: RecognitionTask}", "--scale=demo"], "name the method"),
        (["--config={method: prompts, backbone: tiny}"], "data, model must be named"),
        (["--config=hmdb51_closd"], "no file and no experiment 'hmdb51_closd'; did you mean 'hmdb51_closed'"),
    ],
)  # fmt: skip
def test_mistakes(options: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_settings(options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("RecogntionTask: {prompt: LinearProbe}", "no task 'RecogntionTask'; did you mean 'RecognitionTask'"),
        ("RetrievalTask: {prompt: PromptLearner}", "says nothing of RecognitionTask, but of RetrievalTask"),
        ("class_path: RecognitionTask", "needs arguments by class of task"),
        ("a: [", "is no YAML"),
    ],
)
def test_files_that_are_no_method(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        composed(RecognitionTask, str(tmp_path / "mine.yaml"))


def test_of_two_classes_nothing_of_the_lower_one_is_kept() -> None:
    below = {"class_path": "prompt_video.A", "init_args": {"a": 1, "b": {"c": 2}}}
    assert laid_over(below, "A") == {"class_path": "A", "init_args": {"a": 1, "b": {"c": 2}}}
    assert laid_over(below, "B") == {"class_path": "B"}
    assert laid_over("A", {"init_args": {"a": 3}}) == {"class_path": "A", "init_args": {"a": 3}}
    assert laid_over(below, {"init_args": {"b": {"d": 3}}})["init_args"] == {"a": 1, "b": {"c": 2, "d": 3}}
    assert laid_over(below, None) is None
    assert laid_over("text", "other") == "other"
