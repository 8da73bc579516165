"""CLIP and MetaCLIP 2 of their models' own sizes, on the very weights of transformers' model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import transformers
from torch import Tensor

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.clip import towers_of
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.weights import Weights
from prompt_video.bench.plain_text import PlainText, of_transformers
from tests.random_weights import made

pytestmark = pytest.mark.slow


class Shape(NamedTuple):
    """Width, layers, heads and inner width of texts and of frames; patch, pictures, joint space."""

    text: tuple[int, int, int, int]
    vision: tuple[int, int, int, int]
    patch: int
    image_size: int
    dim: int
    activation: str = "quick_gelu"
    vocabulary: int = 49_408


# Layers are alike, and all of those of a large model take a minute: of those behind L/14 there are six here.
# MetaCLIP 2 H/14 has a smaller vocabulary too, for memory.
FEW = 6
BASE_TEXT, LARGE_TEXT = (512, 12, 8, 2048), (768, 12, 12, 3072)
BASE, LARGE = (768, 12, 12, 3072), (1024, 24, 16, 4096)
FEW_LARGE_TEXT, HUGE_TEXT = (768, FEW, 12, 3072), (1024, FEW, 16, 4096)
FEW_LARGE, HUGE = (1024, FEW, 16, 4096), (1280, FEW, 16, 5120)
WORLDWIDE = 901_629
SHAPES = {
    "B/32": Shape(BASE_TEXT, BASE, 32, 224, 512),
    "B/16": Shape(BASE_TEXT, BASE, 16, 224, 512),
    "L/14": Shape(LARGE_TEXT, LARGE, 14, 224, 768),
    "L/14-336": Shape(FEW_LARGE_TEXT, FEW_LARGE, 14, 336, 768),
    "H/14": Shape(HUGE_TEXT, HUGE, 14, 224, 1024, "gelu"),
    "bigG": Shape((1280, FEW, 20, 5120), (1664, FEW, 16, 8192), 14, 224, 1280, "gelu"),
    "MetaCLIP 2 B/32": Shape(BASE_TEXT, BASE, 32, 224, 512, "gelu", WORLDWIDE),
    "MetaCLIP 2 L/14": Shape(FEW_LARGE_TEXT, FEW_LARGE, 14, 224, 768, "gelu", WORLDWIDE),
    "MetaCLIP 2 H/14": Shape(HUGE_TEXT, HUGE, 14, 224, 1024, "quick_gelu", 60_000),
}


def random_model(shape: Shape, *, is_worldwide: bool) -> Any:  # noqa: ANN401 - transformers is untyped
    keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    text, vision = (
        {**dict(zip(keys, sizes, strict=True)), "hidden_act": shape.activation} for sizes in (shape.text, shape.vision)
    )
    last = shape.vocabulary - 1
    tokens = (0, 2, 1) if is_worldwide else (last - 1, last, last)
    text |= dict(zip(("bos_token_id", "eos_token_id", "pad_token_id"), tokens, strict=True))
    text |= {"vocab_size": shape.vocabulary, "max_position_embeddings": 77}
    vision |= {"patch_size": shape.patch, "image_size": shape.image_size}
    config: Any = transformers.MetaClip2Config if is_worldwide else transformers.CLIPConfig
    kind: Any = transformers.MetaClip2Model if is_worldwide else transformers.CLIPModel
    return made(lambda: kind(config(text_config=text, vision_config=vision, projection_dim=shape.dim)))


def assert_equal(found: Tensor, wanted: Tensor) -> None:
    assert (found - wanted).abs().max() <= 2e-5 * wanted.abs().max()


@pytest.mark.parametrize("name", list(SHAPES))
def test_real_shapes_equal_transformers(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Texts without and with vectors, and their gradients; frames."""
    shape, is_worldwide = SHAPES[name], name.startswith("MetaCLIP 2")
    model = random_model(shape, is_worldwide=is_worldwide)
    (tmp_path / "config.json").write_text(json.dumps(model.config.to_dict()))
    monkeypatch.setattr(CheckpointFiles, "weights", lambda _: Weights(name, dict(model.state_dict())))
    said = model.config.text_config
    unasked: Any = FrozenBackbone("tiny").towers.tokenizer
    towers = towers_of(CheckpointFiles(name, tmp_path), name, unasked, said.bos_token_id, said.eos_token_id)
    for count in (0, 16) if shape.text == BASE_TEXT else (16,):  # seconds each where layers are wide
        vectors = torch.randn(2 * count, shape.text[0]).mul(0.02).requires_grad_()
        texts = PromptedText([[], list(range(30, 50))], vectors[:count], vectors[count:], count)
        read: tuple[Callable[[PromptedText], Tensor], ...] = (
            lambda texts: towers.text(texts, None),
            PlainText(of_transformers(model), texts),
        )
        features = [encode(texts) for encode in read]
        assert_equal(*features)
        if count:
            assert_equal(*(torch.autograd.grad(one[:, :7].sum(), vectors)[0] for one in features))
    pixels = torch.randn(1, 3, shape.image_size, shape.image_size)
    with torch.no_grad():
        assert_equal(towers.vision(pixels), model.get_image_features(pixels).pooler_output)
