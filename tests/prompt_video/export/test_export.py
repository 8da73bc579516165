"""``prompt-video export``: folders for programs and for people, from a checkpoint to another process."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save

import prompt_video
from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.cli import main
from prompt_video.export.checking import open_graph, run_graph
from prompt_video.export.graphs import FEATURES, FRAMES
from prompt_video.model.video_text_model import VideoTextModel

CASES = Path(__file__).parents[2] / "data_modules" / "annotations" / "cases"
Make = Callable[..., VideoTextModel]
Save = Callable[..., Path]
NEW_TEXTS = ["nobody has learned this", "nor that"]
TEXTS = ["red", "a star that is red", "something nobody has learned"]


@pytest.fixture
def hub_folder(trained: Make, save_checkpoint: Save, tmp_path: Path) -> Path:
    assert export(save_checkpoint(trained()), "--hub", tmp_path / "whole") == 0
    return tmp_path / "whole"


def export(*arguments: str | Path) -> int:
    return main(["export", "--ckpt", *map(str, arguments)])


@pytest.mark.slow
def test_a_folder_for_the_hub_loads_in_a_fresh_process(
    trained: Make, save_checkpoint: Save, tmp_path: Path, videos: Path
) -> None:
    checkpoint, folder = save_checkpoint(trained()), tmp_path / "hub"
    (checkpoint.parent.parent / "results.json").write_text(
        json.dumps({"metrics": {"test/top1": 0.5, "train/loss": 1.0}, "protocol": "closed set.", "seed": 0})
    )
    assert export(checkpoint, "--hub", folder) == 0
    assert {path.name for path in folder.iterdir()} == {"README.md", "LICENSE", "config.json", "model.safetensors"}
    card = (folder / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["license"] == "mit"
    assert (folder / "LICENSE").read_text().startswith("MIT License")
    assert "top1 | 0.5" in card
    assert re.search(r"^# Action recognition: learned prompts on ", card, re.MULTILINE)
    assert str(tmp_path) not in card + (folder / "config.json").read_text()
    video = videos / "flv_h264.flv"
    backbone = prompt_video.load(checkpoint).model.backbone.name
    code = (
        "import sys, torch, prompt_video\n"
        "model = prompt_video.load(sys.argv[1], backbone=sys.argv[2])\n"
        "print([value.hex() for value in model.score(sys.argv[3], sys.argv[4:]).probability.tolist()])"
    )
    command = [sys.executable, "-c", code, str(folder), backbone, str(video), *TEXTS]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    own = [value.hex() for value in prompt_video.load(checkpoint).score(video, TEXTS).probability.tolist()]
    assert re.findall(r"'([^']+)'", said) == own


def test_figures_that_only_lie_near_are_on_no_card(trained: Make, save_checkpoint: Save, tmp_path: Path) -> None:
    moved = tmp_path / "another" / "run" / "last.ckpt"
    moved.parent.mkdir(parents=True)
    save_checkpoint(trained()).rename(moved)
    (tmp_path / "another" / "results.json").write_text(json.dumps({"metrics": {"test/top1": 0.5}, "protocol": "x"}))
    assert export(moved, "--hub", tmp_path / "hub") == 0
    assert "top1" not in (tmp_path / "hub" / "README.md").read_text()


@pytest.mark.parametrize(
    "odd", ["{", "[]", '{"metrics": {"test/top1": [1]}}', '{"samples": 3}', '{"metrics": {"a": NaN}}']
)
def test_odd_figures_are_one_sentence(
    trained: Make, save_checkpoint: Save, tmp_path: Path, odd: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = save_checkpoint(trained())
    (checkpoint.parent.parent / "results.json").write_text(odd)
    assert export(checkpoint, "--hub", tmp_path / "hub") == 1
    assert "results.json is damaged; mend it, or move it away" in capsys.readouterr().err


def test_damage_gets_one_message(
    trained: Make, save_checkpoint: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, folder = save_checkpoint(trained()), tmp_path / "hub"
    assert export(checkpoint, "--hub", folder) == 0
    weights, config = (folder / "model.safetensors"), (folder / "config.json")
    whole = weights.read_bytes()
    for path, content, message in (
        (weights, whole[:100], "is damaged"),
        (config, b"{", "is not valid JSON"),
        (config, b"{}", "is not of a model"),
        (config, config.read_bytes().replace(b'"format": 2', b'"format": 9'), "has format 9, and this version"),
    ):
        kept = path.read_bytes()
        path.write_bytes(content)
        assert export(folder, "--hub", tmp_path / "other") == 1
        said = capsys.readouterr().err
        assert message in said
        assert path.name in said
        path.write_bytes(kept)
    weights.write_bytes(save({"model.prompt.prefix": torch.zeros(1)}))
    with pytest.raises(InputError, match="weights"):
        prompt_video.load(folder, backbone=prompt_video.load(checkpoint).model.backbone.name)
    weights.unlink()
    assert export(folder, "--hub", tmp_path / "other") == 1
    assert "has no model.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("spec.prompt.settings.num_suffix", [77], r"spec\.prompt\.settings\.num_suffix cannot be \[77\]"),
        ("spec.prompt.settings.num_prefix", -1, r"settings\.num_prefix cannot be -1"),
        ("spec.prompt.settings.num_prefix", 10**300, r"settings\.num_prefix cannot be 1000"),
        ("spec.prompt.settings.layout", "other", r'settings\.layout cannot be "other"'),
        ("spec.prompt.settings.width", 3, 'PromptLearner has no setting "width"'),
        ("spec.prompt.settings", [], r"spec\.prompt\.settings must be an object"),
        ("spec.prompt.kind", {}, r"spec\.prompt\.kind cannot be {}"),
        ("spec.temporal.num_layers", ",", r'spec\.temporal\.num_layers cannot be ","'),
        ("spec.temporal.num_layers", 9999, "its layers are not those of the weights"),
        ("spec.temporal.num_heads", 0, "num_heads of the temporal encoder must divide"),
        ("spec.temperature", float("nan"), r"spec\.temperature cannot be NaN"),
        ("spec.temperature", 0, r"spec\.temperature must be greater than 0, not 0"),
        ("spec.backbone.name", 5, r"spec\.backbone is missing or no such thing"),
        ("spec.class_names", [1], r"spec\.class_names cannot be \[1\]"),
        ("task.crops", ["middle"], "crops or the frame rate"),
        ("task.sampler", 5, "the sampler that this model was trained with cannot be 5"),
        (
            "task.sampler",
            {"kind": "WindowSampler", "settings": {"strides": "x"}},
            r'sampler\.settings\.strides cannot be "x"',
        ),
        ("task.windows", {"kind": "WholeVideo", "settings": {"number": 1}}, 'WholeVideo has no setting "number"'),
    ],
)
def test_settings_that_cannot_be_are_named(
    hub_folder: Path, backbone: FrozenBackbone, place: str, value: object, message: str, tmp_path: Path
) -> None:
    folder = shutil.copytree(hub_folder, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    *above, name = place.split(".")
    part = config
    for key in above:
        part = part[key]
    part[name] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=message):
        prompt_video.load(folder, backbone=backbone.name)


def test_a_folder_that_says_clip_is_read(hub_folder: Path, backbone: FrozenBackbone, tmp_path: Path) -> None:
    """As those of before other models than CLIP could be taken."""
    folder = shutil.copytree(hub_folder, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    config["format"], config["spec"]["clip"] = 1, config["spec"].pop("backbone")
    config["spec"]["prompt"]["settings"]["context_length"] = 77
    (folder / "config.json").write_text(json.dumps(config))
    assert prompt_video.load(folder, backbone=backbone.name).model.backbone.towers is backbone.towers


@pytest.mark.parametrize("case", sorted(CASES.glob("hub-*")), ids=lambda case: case.name)
def test_folders_that_once_ended_in_a_traceback(case: Path, hub_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(hub_folder, tmp_path / "copy")
    shutil.copy(case / "config.json", folder)
    with pytest.raises(InputError, match=r"config\.json is damaged: spec\.(prompt|temporal)"):
        prompt_video.load(folder)


def test_a_folder_with_other_things_is_left_alone(
    trained: Make, save_checkpoint: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    assert export(save_checkpoint(trained()), "--hub", mine) == 1
    assert "is not empty and holds no" in capsys.readouterr().err
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]


@pytest.mark.slow
def test_graphs_a_bank_that_is_exchanged_and_a_model_that_takes_over(
    trained: Make, save_checkpoint: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = trained(num_layers=1)
    checkpoint, folder = save_checkpoint(model), tmp_path / "onnx"
    assert export(checkpoint, "--onnx", folder) == 0
    assert "ONNX differs from PyTorch by" in capsys.readouterr().out
    before = {path.name: path.read_bytes() for path in folder.glob("*.onnx")}
    assert len(before) == 2
    bank = folder / "classes.safetensors"
    assert export(checkpoint, "--bank", bank, "--classes", ",".join(NEW_TEXTS)) == 0
    assert {path.name: path.read_bytes() for path in folder.glob("*.onnx")} == before
    features, mask = torch.randn(2, 11, model.backbone.embed_dim), torch.ones(2, 11, dtype=torch.bool)
    code = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[0]
    script = tmp_path / "snippet.py"
    script.write_text(code)
    said = subprocess.run([sys.executable, str(script)], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert said.strip() in NEW_TEXTS
    assert run_graph(open_graph(folder / FEATURES), features, mask).shape == (2, model.backbone.embed_dim)

    # Of another model's export nothing of the first stays but what is not its own.
    (folder / f"{FRAMES}.data").write_bytes(b"weights that lay beside the graph")
    (folder / "notes.txt").write_text("mine")
    assert export(save_checkpoint(trained(num_layers=0, seed=4), class_names=[]), "--onnx", folder) == 0
    assert {path.name for path in folder.iterdir()} == {FRAMES, FEATURES, "config.json", "README.md", "notes.txt"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "say what to write"), (["--onnx", "a", "--hub", "a"], "need a folder each")],
)
def test_what_to_write_must_be_said(
    arguments: list[str], message: str, trained: Make, save_checkpoint: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(save_checkpoint(trained()), *arguments) == 1
    assert message in capsys.readouterr().err
