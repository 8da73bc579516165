"""Read the checkpoints that the paper's authors released into this framework's own format."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data_modules.errors import InputError
from prompt_video.checkpoints import CHECKPOINT_FORMAT
from prompt_video.clip import FrozenCLIP
from prompt_video.model import VideoTextModel
from prompt_video.prompt import PromptLearner
from prompt_video.temporal import TemporalEncoder

# A released key (its block's number taken out) and ours.
BLOCK_KEYS = {
    "attn.in_proj_weight": "qkv.weight",
    "attn.in_proj_bias": "qkv.bias",
    "attn.out_proj.weight": "out.weight",
    "attn.out_proj.bias": "out.bias",
    "ln_1.weight": "norm1.weight",
    "ln_1.bias": "norm1.bias",
    "ln_2.weight": "norm2.weight",
    "ln_2.bias": "norm2.bias",
    "mlp.c_fc.weight": "fc1.weight",
    "mlp.c_fc.bias": "fc1.bias",
    "mlp.c_proj.weight": "fc2.weight",
    "mlp.c_proj.bias": "fc2.bias",
}


def import_official(
    source: Path, out: Path, clip_name: str, num_prefix: int = 16, num_suffix: int = 16, num_heads: int = 8
) -> None:
    """Write a released checkpoint as one that `VideoTextModel.from_spec` and `load_learned_state` read.

    A released checkpoint does not say how many prompt vectors stand before and behind a name, nor the number of heads:
    the defaults are those of the released command.

    Args:
        source: the released ``.pth.tar``.
        out: the file to write.
        clip_name: the CLIP it was trained on, for the released ones ``openai/clip-vit-base-patch16``.
        num_prefix: prompt vectors before a name.
        num_suffix: prompt vectors behind it.
        num_heads: attention heads of the temporal blocks.

    Source: src/model.py@ju-chen/Efficient-Prompt: a table with one prompt vector for each absolute position; frame
        positions added to the stream before pre-LN blocks, no norm behind them, plain mean.
    """
    state = _translate(source, _read(source))
    clip = FrozenCLIP(clip_name)
    num_layers = len({name.split(".")[2] for name in state if name.startswith("temporal.blocks.")})
    if not num_layers:
        # Trained without the temporal module: the table of frame positions is in the file and was never used.
        state.pop("temporal.positions", None)
    model = VideoTextModel(
        clip,
        partial(PromptLearner, num_prefix=num_prefix, num_suffix=num_suffix, layout="by_position"),
        partial(
            TemporalEncoder,
            num_layers=num_layers,
            num_heads=num_heads,
            max_frames=len(state["temporal.positions"]) if num_layers else 16,
            start="random",
        ),
    )
    try:
        model.load_learned_state(state)
    except InputError as error:
        raise InputError(f"{source} does not fit CLIP '{clip_name}': {error}") from error
    about = {"format": CHECKPOINT_FORMAT, "spec": model.spec(), "class_names": None}
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"prompt_video": about, "state_dict": model.learned_state()}, out)


def _read(source: Path) -> Mapping[str, Tensor]:
    """The state dict in a file, with or without a wrapping and a ``module.`` in front of its keys."""
    if not source.is_file():
        raise InputError(f"there is no file {source}")
    try:
        content: Any = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(
            f"{source} is no file of weights alone: {(str(error).splitlines() or ['damaged'])[0]}"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{source} holds no state dict, as the released checkpoints do")
    return {name.removeprefix("module."): value.float() for name, value in state.items()}


def _translate(source: Path, released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our names; CLIP's own weights are left out."""
    state, unknown = {}, []
    for name, value in released.items():
        block = re.fullmatch(r"temporalModelling\.resblocks\.(\d+)\.(.+)", name)
        if name == "embedding.weight":
            state["prompt.context"] = value
        elif name == "temporalEmbedding.weight":
            state["temporal.positions"] = value
        elif block and block[2] in BLOCK_KEYS:
            state[f"temporal.blocks.{block[1]}.{BLOCK_KEYS[block[2]]}"] = value
        elif not name.startswith("clipmodel."):
            unknown.append(name)
    missing = sorted({"prompt.context", "temporal.positions"} - state.keys())
    if unknown or missing:
        says = f"unknown keys: {', '.join(sorted(unknown)[:5])}" if unknown else "it lacks the tables of embeddings"
        raise InputError(f"{source} is no released checkpoint of the paper; {says}")
    return state
