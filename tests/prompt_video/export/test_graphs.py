"""The graphs against PyTorch: any number of videos and frames, padding, a wrong graph, what cannot be written."""

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.export.checking import TOLERANCE, check, embed, open_graph, run_graph
from prompt_video.export.graphs import (
    FEATURES,
    FRAMES,
    FeaturesToEmbedding,
    FramesToEmbedding,
    require_libraries,
    write_graphs,
)
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel

Make = Callable[..., VideoTextModel]
SHAPES = [(1, 1), (3, 1), (1, 5), (2, 8), (2, 9), (3, 16), (1, 40)]  # eight positions are learned


def mask_of(num_videos: int, num_frames: int) -> torch.Tensor:
    """All frames of the first video, fewer and fewer of the others."""
    lengths = torch.tensor([max(1, num_frames // (row + 1)) for row in range(num_videos)])
    return torch.arange(num_frames) < lengths.unsqueeze(1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "opset"),
    [({"frozen_share": 0.3}, 18), ({"probe": True, "num_layers": 0}, 22)],
)
def test_equal_to_pytorch(learned: Make, tmp_path: Path, settings: dict[str, Any], opset: int) -> None:
    model = learned(**settings)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    encoder = model.temporal
    write_graphs(model, tmp_path, opset, "f00d")
    assert model.temporal is encoder
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())
    assert check(model, tmp_path) < TOLERANCE
    frames, features = open_graph(tmp_path / FRAMES), open_graph(tmp_path / FEATURES)
    (size, _), dim = model.backbone.frames.shape, model.backbone.embed_dim
    assert frames.get_modelmeta().custom_metadata_map["prompt_video_model"] == "f00d"
    assert [entry.shape for entry in frames.get_inputs()] == [
        ["videos", "num_frames", 3, size, size],
        ["videos", "num_frames"],
    ]
    for shape in SHAPES:
        mask = mask_of(*shape)
        pixels = torch.randint(0, 256, (*shape, 3, size, size), dtype=torch.uint8)
        stored = torch.randn(*shape, dim).masked_fill(~mask.unsqueeze(-1), torch.nan)  # what padding holds never counts
        for session, given in ((frames, pixels), (features, stored)):
            found = run_graph(session, given, mask)
            torch.testing.assert_close(found, embed(model, given, mask), rtol=0, atol=TOLERANCE)
            torch.testing.assert_close(found.norm(dim=-1), torch.ones(shape[0]))
    if encoder.num_layers:  # and the graphs of another model are found out
        with pytest.raises(InputError, match=r"frames_to_embedding.onnx differs from PyTorch by .* on 2 frames"):
            check(learned(**settings, seed=4), tmp_path)


@pytest.mark.parametrize("settings", [{"frozen_share": 0.3}, {"probe": True, "num_layers": 0}])
@torch.no_grad()
def test_what_is_traced_equals_the_model(learned: Make, settings: dict[str, Any]) -> None:
    """The graphs' modules in PyTorch; the graphs themselves are compared in the slow tests."""
    model = learned(**settings)
    (size, _), dim = model.backbone.frames.shape, model.backbone.embed_dim
    frames, features = FramesToEmbedding(model), FeaturesToEmbedding(model)
    for shape in SHAPES:
        mask = mask_of(*shape)
        pixels = torch.randint(0, 256, (*shape, 3, size, size), dtype=torch.uint8)
        stored = torch.randn(*shape, dim).masked_fill(~mask.unsqueeze(-1), torch.nan)
        for module, given in ((frames, pixels), (features, stored)):
            torch.testing.assert_close(module(given, mask), embed(model, given, mask), rtol=0, atol=1e-5)


def test_what_cannot_be_written(learned: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for opset in (17, 23):
        with pytest.raises(InputError, match=f"opset must be from 18 to 22, not {opset}"):
            write_graphs(learned(), tmp_path, opset, "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(InputError, match=r"ONNX needs onnxscript: pip install 'prompt-video\[export\]'"):
        require_libraries()


@pytest.mark.slow
def test_weights_of_a_large_model_lie_beside_it(learned: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.onnx._internal.exporter._onnx_program._LARGE_MODEL_THRESHOLD", 1000)
    model = learned()
    write_graphs(model, tmp_path, 18, "")
    assert (tmp_path / f"{FRAMES}.data").stat().st_size > 100_000
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert check(model, moved) < TOLERANCE


@pytest.mark.slow
def test_layers_of_vit_b16(clip_folder: Path, tmp_path: Path) -> None:
    """Three of its twelve, which are alike: what is looked for in a graph grows with them, to most of a minute."""
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(clip_folder)
    words = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "num_hidden_layers": 1}
    frames = {"patch_size": 16, "num_hidden_layers": 3}
    config = transformers.CLIPConfig(text_config=words, vision_config=frames)  # of ViT-B/32, but for these
    for part in (tokenizer, transformers.CLIPModel(config)):
        part.save_pretrained(tmp_path / "clip")
    temporal = partial(TemporalEncoder, num_layers=2, start="random")
    model = VideoTextModel(FrozenBackbone(str(tmp_path / "clip")), PromptLearner, temporal, frozen_share=0.5)
    write_graphs(model.eval().requires_grad_(False), tmp_path, 18, "")
    assert check(model, tmp_path) < TOLERANCE
