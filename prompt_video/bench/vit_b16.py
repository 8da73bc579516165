"""A CLIP of ViT-B/16's shape with random weights, as this framework reads it, and as transformers does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers.pre_tokenizers import ByteLevel

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.bench.measure import CPU

NUM_TOKENS = 49408  # of CLIP's vocabulary
# Of one minus the cosine of features that two ways compute.
FEATURE_TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1e-2}


def write_vit_b16(
    folder: Path,
    *,
    text_width: int = 512,
    vision_width: int = 768,
    embed_dim: int = 512,
    num_layers: int = 12,
    image_size: int = 224,
) -> None:
    """Write it in HuggingFace's layout; a smaller one for tests."""
    start, end = "<|startoftext|>", "<|endoftext|>"
    signs = [f"{sign}{last}" for sign in sorted(ByteLevel.alphabet()) for last in ("", "</w>")]
    entries = [start, end, *signs, *(f"<unused {number}>" for number in range(NUM_TOKENS - 2 - len(signs)))]
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
    text = {
        "hidden_size": text_width,
        "intermediate_size": 4 * text_width,
        "num_hidden_layers": num_layers,
        "num_attention_heads": 8,
        "vocab_size": NUM_TOKENS,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": vision_width,
        "intermediate_size": 4 * vision_width,
        "num_hidden_layers": num_layers,
        "num_attention_heads": 12,
        "image_size": image_size,
        "patch_size": 16,
    }
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=embed_dim)
    model = transformers.CLIPModel(config)
    without_bars()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def precision(device: torch.device) -> torch.dtype:
    """What both sides compute in: a GPU is made for half precision, most CPUs are slower with it."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def fast_backbone(
    folder: Path, device: torch.device, kind: Callable[..., FrozenBackbone] = FrozenBackbone
) -> FrozenBackbone:
    """This framework's, in the device's `precision`."""
    return kind(str(folder), "bfloat16" if precision(device) is torch.bfloat16 else "float32").to(device)


def plain_model(folder: Path, device: torch.device = CPU) -> Any:  # noqa: ANN401 - transformers is untyped
    """The same weights in transformers, frozen, with its fastest attention."""
    without_bars()
    reader: Any = transformers.CLIPModel.from_pretrained
    model = reader(folder, attn_implementation="sdpa", dtype=precision(device))
    return model.to(device).eval().requires_grad_(False)


def without_bars() -> None:
    """No bars of transformers, which would stand among the figures."""
    log: Any = transformers.utils.logging
    log.disable_progress_bar()
