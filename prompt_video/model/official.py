"""Read the checkpoints that the paper's authors released into this framework's own format."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from data_modules.annotations.official_names import hmdb51_of_paper
from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.model.checkpoints import CHECKPOINT_FORMAT, save_whole
from prompt_video.model.model_spec import spec_of_model
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.released import NUM_HEADS, NUM_PREFIX, NUM_SUFFIX
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel

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
# What they call the weights of CLIP, and our two encoders; those in ``_TURNED`` are kept the other way round.
TOWER_KEYS = {
    "visual.class_embedding": "vision.class_embedding",
    "visual.conv1.weight": "vision.patch_embedding.weight",
    "visual.positional_embedding": "vision.positions.weight",
    "visual.ln_pre.weight": "vision.first_norm.weight",
    "visual.ln_pre.bias": "vision.first_norm.bias",
    "visual.ln_post.weight": "vision.final_norm.weight",
    "visual.ln_post.bias": "vision.final_norm.bias",
    "visual.proj": "vision.projection.weight",
    "token_embedding.weight": "text.token_embedding.weight",
    "positional_embedding": "text.positions.weight",
    "ln_final.weight": "text.final_norm.weight",
    "ln_final.bias": "text.final_norm.bias",
    "text_projection": "text.projection.weight",
}
_TURNED = ("visual.proj", "text_projection")
_CLIP = "clipmodel."
_BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)")


class Imported(NamedTuple):
    """What a released checkpoint holds.

    Args:
        num_prefix: prompt vectors before a name.
        num_suffix: prompt vectors behind it.
        num_heads: attention heads of a temporal block.
        num_layers: temporal blocks.
        counts_in_file: the numbers of vectors come from the file, not from the released command.
        has_backbone: the CLIP in the file was compared with the one at hand; False: there is none in it.
    """

    num_prefix: int
    num_suffix: int
    num_heads: int
    num_layers: int
    counts_in_file: bool
    has_backbone: bool


def import_official(
    source: Path,
    out: Path,
    backbone_name: str,
    num_prefix: int | None = None,
    num_suffix: int | None = None,
    num_heads: int = NUM_HEADS,
) -> Imported:
    """Write a released checkpoint as one that `model_of_spec` and `load_learned_state` read.

    The weights do not tell how many prompt vectors stand before and behind a name, nor the number of heads. Where the
    optimizer's state is in the file too, it tells the numbers of vectors: positions that a name always covers, and
    those behind the longest name and its vectors, never had a gradient.

    Args:
        source: the released ``.pth.tar``.
        out: the file to write.
        backbone_name: the CLIP it was trained on, for the released ones ``openai/clip-vit-base-patch16``.
        num_prefix: prompt vectors before a name; None: what the file says or, where it does not, 16, as in the
            released command.
        num_suffix: prompt vectors behind it; None: in the same way.
        num_heads: attention heads of the temporal blocks.

    Raises:
        InputError: when the CLIP is not there, or is another one than that in the file; when the file is no released
            checkpoint, or tells other numbers than the arguments; when ``out`` is a folder.

    Source: src/model.py@ju-chen/Efficient-Prompt: a table with one prompt vector for each absolute position; frame
        positions added to the stream before pre-LN blocks, no norm behind them, plain mean.
    """
    if not source.is_file():
        raise InputError(f"there is no file {source}")
    if out.is_dir():
        raise InputError(f"{out} is a folder; name the file to write.")
    with source.open("rb") as file:
        if not file.read(2).startswith((b"PK", b"\x80")):  # an archive, or a pickle as in 2019
            raise InputError(f"{source} is no file of weights alone: torch.save has not written it.")
    backbone = FrozenBackbone(backbone_name)  # before the file, whose 600 MB are read in vain where it is not there
    content = _read(source)
    released = _state_of(source, content)
    state = _translate(source, released)
    has_backbone = _check_backbone(source, released, backbone)
    told = _told_counts(content, state["prompt.context"], backbone)
    if told and num_prefix not in (None, told[0]):
        raise InputError(f"{source} was trained with {told[0]} prompt vectors before a name, not {num_prefix}.")
    prefix, suffix = told or (NUM_PREFIX, NUM_SUFFIX)
    prefix, suffix = prefix if num_prefix is None else num_prefix, suffix if num_suffix is None else num_suffix
    model = _model_of(state, backbone, prefix, suffix, num_heads)
    try:
        model.load_learned_state(state)
    except InputError as error:
        raise InputError(f"{source} does not fit backbone '{backbone_name}': {error}") from error
    about = {"format": CHECKPOINT_FORMAT, "spec": spec_of_model(model), "class_names": None}
    checkpoint = {"prompt_video": about, "state_dict": model.learned_state()}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_whole(out, checkpoint)
    return Imported(prefix, suffix, num_heads, model.temporal.num_layers, told is not None, has_backbone)


def _model_of(
    state: dict[str, Tensor], backbone: FrozenBackbone, num_prefix: int, num_suffix: int, num_heads: int
) -> VideoTextModel:
    """A model that these weights, in our names, fit into."""
    num_layers = len({name.split(".")[2] for name in state if name.startswith("temporal.blocks.")})
    if not num_layers:
        # Trained without the temporal module: the table of frame positions is in the file and was never used.
        state.pop("temporal.positions", None)
    max_frames = len(state["temporal.positions"]) if num_layers else 16
    return VideoTextModel(
        backbone,
        partial(PromptLearner, num_prefix=num_prefix, num_suffix=num_suffix, layout="by_position"),
        partial(TemporalEncoder, num_layers=num_layers, num_heads=num_heads, max_frames=max_frames, start="random"),
    )


def _told_counts(content: Any, table: Tensor, backbone: FrozenBackbone) -> tuple[int, int] | None:  # noqa: ANN401 - as it was saved
    """Prompt vectors before and behind a name, by which rows of the table the optimizer has ever moved."""
    states = content.get("optimizer", {}) if isinstance(content, dict) else {}
    states = states.get("state", {}) if isinstance(states, dict) else {}
    squares = [own.get("exp_avg_sq") for own in states.values() if isinstance(own, dict)]
    rows = next((own for own in squares if isinstance(own, Tensor) and own.shape == table.shape), None)
    moved = [] if rows is None else (rows != 0).any(-1).tolist()
    if not any(moved) or moved[0] or all(moved[1:]):
        return None
    # A name covers at least one position behind the prefix, so that this one never has a gradient.
    prefix = moved.index(False, 1) - 1
    last = max(row for row, has_moved in enumerate(moved) if has_moved)
    if last == prefix:
        return prefix, 0
    longest = max(
        map(len, backbone.tokenize(list(hmdb51_of_paper().values())))
    )  # the one data set that the code is for
    return (prefix, last - prefix - longest) if last > prefix + longest else None


def _check_backbone(source: Path, released: Mapping[str, Tensor], backbone: FrozenBackbone) -> bool:
    """Refuse prompts that were learned on another CLIP; False where there is none in the file."""
    own = dict(backbone.towers.named_parameters())
    clip_weights = {name.removeprefix(_CLIP): value for name, value in released.items() if name.startswith(_CLIP)}
    for name, value in clip_weights.items():
        block = _BLOCK.fullmatch(name)
        key = TOWER_KEYS.get(name)
        if block and block[3] in BLOCK_KEYS:
            key = f"{'vision' if block[1] else 'text'}.blocks.{block[2]}.{BLOCK_KEYS[block[3]]}"
        if key is None:
            continue
        value = value.T if name in _TURNED else value
        mine = own.get(key)
        # As near as half precision, which CLIP was released in, can be.
        if mine is None or mine.shape != value.shape or not torch.allclose(mine, value, rtol=2e-3, atol=2e-4):
            raise InputError(
                f"the CLIP in {source} is another one than '{backbone.name}': {_CLIP}{name} differs. Its prompts work "
                "with the CLIP that they were learned on alone; name it with --backbone."
            )
    return bool(clip_weights)


def _read(source: Path) -> Any:  # noqa: ANN401 - as it was saved
    """The content of a file that torch has saved, without running code in it.

    Raises:
        InputError: when it is damaged, or holds more than tensors and plain values.
    """
    try:
        return torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(
            f"{source} is no file of weights alone: {(str(error).splitlines() or ['damaged'])[0]}"
        ) from error


def _state_of(source: Path, content: Any) -> Mapping[str, Tensor]:  # noqa: ANN401 - as it was saved
    """The state dict in it, with or without a wrapping and a ``module.`` in front of its keys."""
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
        elif not name.startswith(_CLIP):
            unknown.append(name)
    missing = sorted({"prompt.context", "temporal.positions"} - state.keys())
    if unknown or missing:
        says = f"unknown keys: {', '.join(sorted(unknown)[:5])}" if unknown else "it lacks the tables of embeddings"
        raise InputError(f"{source} is no released checkpoint of the paper; {says}")
    return state
