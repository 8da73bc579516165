"""``prompt-video export``: folders for programs and for people, from a checkpoint to another process."""

import json
import re
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
from prompt_video.cli import main
from prompt_video.exporting.checking import open_graph, run_graph
from prompt_video.exporting.graphs import FEATURES, FRAMES
from prompt_video.model import VideoTextModel

Make = Callable[..., VideoTextModel]
Save = Callable[..., Path]
NEW_TEXTS = ["nobody has learned this", "nor that"]
TEXTS = ["red", "a star that is red", "something nobody has learned"]


def export(*arguments: str | Path) -> int:
    return main(["export", *map(str, arguments)])


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
    assert str(tmp_path) not in card + (folder / "config.json").read_text()
    video = videos / "flv_h264.flv"
    clip = prompt_video.load(checkpoint).model.clip.name
    code = (
        "import sys, torch, prompt_video\n"
        "model = prompt_video.load(sys.argv[1], clip=sys.argv[2])\n"
        "print([value.hex() for value in model.score(sys.argv[3], sys.argv[4:]).probability.tolist()])"
    )
    command = [sys.executable, "-c", code, str(folder), clip, str(video), *TEXTS]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    own = [value.hex() for value in prompt_video.load(checkpoint).score(video, TEXTS).probability.tolist()]
    assert re.findall(r"'([^']+)'", said) == own


def test_damage_gets_one_message(
    trained: Make, save_checkpoint: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, folder = save_checkpoint(trained()), tmp_path / "hub"
    assert export(checkpoint, "--hub", folder) == 0
    weights, config = (folder / "model.safetensors"), (folder / "config.json")
    whole = weights.read_bytes()
    for path, content, message in (
        (weights, whole[:100], "is damaged"),
        (config, b"{", "cannot be read as JSON"),
        (config, b"{}", "is not of a model"),
        (config, config.read_bytes().replace(b'"format": 1', b'"format": 9'), "has format 9, and this version"),
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
        prompt_video.load(folder, clip=prompt_video.load(checkpoint).model.clip.name)
    weights.unlink()
    assert export(folder, "--hub", tmp_path / "other") == 1
    assert "has no model.safetensors" in capsys.readouterr().err


def test_a_folder_with_other_things_is_left_alone(
    trained: Make, save_checkpoint: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    assert export(save_checkpoint(trained()), "--hub", mine) == 1
    assert "is not empty and holds no" in capsys.readouterr().err
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]


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
    features, mask = torch.randn(2, 11, model.clip.embed_dim), torch.ones(2, 11, dtype=torch.bool)
    code = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[0]
    script = tmp_path / "snippet.py"
    script.write_text(code)
    said = subprocess.run([sys.executable, str(script)], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert said.strip() in NEW_TEXTS
    assert run_graph(open_graph(folder / FEATURES), features, mask).shape == (2, model.clip.embed_dim)

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
