"""Models of open_clip: LAION's and DFN's CLIPs, PE-Core, MobileCLIP2, EVA02-CLIP, and others that read as CLIP does.

Weights, settings and image encoders are open_clip's own; texts go through ours, to which vectors can be added.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from data_modules.errors import InputError
from data_modules.features.encoder import CENTER, FrameTransform
from data_modules.loading.transforms import Filter, ResizeCrop, Squash
from prompt_video.backbones.hub import check_reachable
from prompt_video.backbones.open_clip_names import OpenClipModel, library
from prompt_video.backbones.open_clip_towers import text_tower, vision_tower
from prompt_video.backbones.towers import BackboneFacts, FrozenTowers, temperature_of
from prompt_video.backbones.weights import Weights
from prompt_video.io.advice import without_advice

WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin", "model.safetensors", "pytorch_model.bin")
_FILTERS: dict[str, Filter] = {"bicubic": "bicubic", "bilinear": "bilinear"}


def load(asked: OpenClipModel) -> FrozenTowers:
    """Both encoders of a model.

    Args:
        asked: see `OpenClipModel.of`.

    Raises:
        InputError: when it cannot be fetched, is not whole, or of a kind that cannot be prompted.
    """
    open_clip, name = library(asked.name), asked.name
    model, tokenizer = _created(open_clip, asked)
    if not hasattr(tokenizer, "sot_token_id"):
        raise InputError(
            f"the backbone '{name}' has a tokenizer of its own ({type(tokenizer).__name__}) and not CLIP's; of these "
            "SigLIP and MetaCLIP 2 are read by their ids on the hub."
        )
    weights = Weights(name, {key: value.float() for key, value in model.state_dict().items()})
    pixels = open_clip.get_model_preprocess_cfg(model)
    frames, texts = _frames(name, pixels), getattr(model, "text", model)
    text = text_tower(name, texts, tokenizer.sot_token_id, tokenizer.eot_token_id)
    facts = BackboneFacts(
        family="open_clip",
        frames=frames,
        mean=pixels["mean"],
        std=pixels["std"],
        configured=_configured(open_clip, asked, pixels),
        temperature=temperature_of(name, model.logit_scale.item()),
        bias=None if model.logit_bias is None else model.logit_bias.item(),
    )
    vision = vision_tower(model.visual, frames.shape)
    return FrozenTowers(text, vision, OpenClipTokenizer(tokenizer), facts, weights.fingerprint)


class OpenClipTokenizer:
    """CLIP's byte pairs, as open_clip cleans and reads texts.

    Args:
        tokenizer: of open_clip.
    """

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - open_clip is untyped
        self.raw = tokenizer
        self.special_ids = frozenset(tokenizer.all_special_ids)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """As `TextTokenizer`."""
        return [self.raw.encode(text) for text in texts]

    def token(self, number: int) -> str:
        """As `TextTokenizer`; one that is only a part of a character, as the vocabulary writes it."""
        read: str = self.raw.decode([number]).strip()
        written = str(self.raw.decoder[number]).removesuffix("</w>")
        return written if not read or "\ufffd" in read or not read.isprintable() else read


class Undrawn(TorchFunctionMode):
    """Within it no weights are drawn at random: those of a file take their places at once.

    To draw them takes open_clip ten times as long as all else of building a model.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - torch's own
        """Leave tensors as they are where they would be filled."""
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__ or func in _DRAWN_BY:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


_DRAWN_BY = (Tensor.normal_, Tensor.uniform_, Tensor.erfinv_)  # of torch's and timm's initialisations


def _created(open_clip: Any, asked: OpenClipModel) -> tuple[Any, Any]:  # noqa: ANN401 - as above
    """The model with its weights, and its tokenizer."""
    if asked.repository is not None and not _is_cached(asked.repository):
        check_reachable(asked.repository)
    try:
        with without_advice(logging.WARNING), Undrawn():  # all advice is heeded here or told of
            model = open_clip.create_model(
                asked.architecture,
                pretrained=asked.weights,
                force_quick_gelu=asked.quick_gelu,
                force_preprocess_cfg=asked.pixels,
                require_pretrained=True,  # without weights it would draw some, with no more than a warning
                pretrained_text=False,
            )
            return model.eval().requires_grad_(False), open_clip.get_tokenizer(asked.architecture)
    except Exception as error:  # of files, of weights that do not fit, of what is fetched
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise InputError(
            f"cannot load backbone '{asked.name}'; open_clip says: {' '.join(lines[:2])[:300] or type(error).__name__}"
        ) from error


def _is_cached(repository: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(repository, file), str) for file in WEIGHTS)


def _frames(name: str, pixels: Mapping[str, Any]) -> FrameTransform:
    """What is done to frames.

    Raises:
        InputError: when it cannot be done.
    """
    size, method, mode = pixels["size"], _FILTERS.get(pixels["interpolation"]), pixels["resize_mode"]
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    if height != width or method is None or mode not in ("shortest", "squash"):
        raise InputError(
            f"the backbone '{name}' sees frames of {height} x {width} pixels, resized by '{mode}' and "
            f"{pixels['interpolation']}; known: squares, shortest or squash, bicubic or bilinear."
        )
    return Squash(height, method) if mode == "squash" else ResizeCrop(height, CENTER, method)


def _configured(open_clip: Any, asked: OpenClipModel, pixels: Mapping[str, Any]) -> str:  # noqa: ANN401 - as above
    """As `BackboneFacts` has it: the image encoder's settings, which its weights do not show."""
    own = (open_clip.get_model_config(asked.architecture) or {}).get("vision_cfg", {})
    normalised = " ".join(f"{value:g}" for value in (*pixels["mean"], *pixels["std"]))
    settings = json.dumps({**own, "quick_gelu": asked.quick_gelu}, sort_keys=True)
    return f"{asked.architecture} {settings}/normalised {normalised}"
