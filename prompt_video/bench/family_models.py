"""Models of all families but CLIP's own, of their real shapes with random weights, as both sides read them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from jaxtyping import UInt8
from tokenizers import Tokenizer, models, processors
from torch import Tensor

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.bench.plain_text import PlainReader, of_transformers
from prompt_video.bench.vit_b16 import precision, without_bars

TOKENS = {"bos_token_id": 0, "pad_token_id": 2, "eos_token_id": 2}
OF_TRANSFORMERS: dict[str, Callable[[], Any]] = {  # the defaults of its configurations are the base models
    "metaclip2_b32": lambda: transformers.MetaClip2Config(text_config={"vocab_size": 901_629, **TOKENS}),
    "siglip_b16": lambda: transformers.SiglipConfig(text_config=TOKENS),
    "siglip2_naflex_b16": lambda: transformers.Siglip2Config(text_config=TOKENS),
}
OF_OPEN_CLIP = {"pe_core_b16": "PE-Core-B-16", "eva02_b16": "EVA02-B-16", "mobileclip2_s0": "MobileCLIP2-S0"}


class Plain(NamedTuple):
    """A library's own computation.

    Args:
        texts: how it reads them.
        frames: features of frames that were prepared for it.
        prepare: decoded frames to what it takes; not timed.
    """

    texts: PlainReader
    frames: Callable[[Any], Tensor]
    prepare: Callable[[UInt8[Tensor, "N 3 H W"]], Any]


def write(name: str, folder: Path) -> None:
    """Write a model in the layout of its library.

    Args:
        name: one of `OF_TRANSFORMERS` or `OF_OPEN_CLIP`.
        folder: new.
    """
    torch.manual_seed(0)
    folder.mkdir()
    if name in OF_OPEN_CLIP:
        library = _open_clip()
        config = library.get_model_config(OF_OPEN_CLIP[name])
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
        torch.save(library.create_model(OF_OPEN_CLIP[name]).state_dict(), folder / "open_clip_pytorch_model.bin")
        return
    without_bars()
    maker: Any = transformers.AutoModel
    model = maker.from_config(OF_TRANSFORMERS[name]())
    model.save_pretrained(folder)
    _tokenizer(model.config.text_config.vocab_size).save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "pad_token": "</s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))


def ours(name: str, folder: Path, device: torch.device) -> FrozenBackbone:
    """This framework's."""
    place = f"open_clip:local-dir:{folder}" if name in OF_OPEN_CLIP else str(folder)
    return FrozenBackbone(place, "bfloat16" if precision(device) is torch.bfloat16 else "float32").to(device)


def plain(name: str, folder: Path, device: torch.device, backbone: FrozenBackbone) -> Plain:
    """The library's own.

    Args:
        name: as of `write`.
        folder: of the model.
        device: that computes.
        backbone: says what is done to frames.
    """

    def normalised(frames: Tensor) -> Tensor:
        pixels = torch.stack([backbone.frames(frame) for frame in frames]).to(device)
        return ((pixels / 255 - backbone.mean) / backbone.std).to(precision(device))

    if name in OF_OPEN_CLIP:
        library = _open_clip()
        model = library.create_model(f"local-dir:{folder}").to(device, precision(device)).eval().requires_grad_(False)
        inner, tokenizer = getattr(model, "text", model), library.get_tokenizer(f"local-dir:{folder}")
        around = (tokenizer.sot_token_id,), (tokenizer.eot_token_id,), 0, inner.context_length
        return Plain(PlainReader(inner, model.encode_text, *around), model.encode_image, normalised)
    reader: Any = transformers.AutoModel.from_pretrained
    model = reader(folder, attn_implementation="sdpa", dtype=precision(device)).to(device).requires_grad_(False)
    if name == "siglip2_naflex_b16":
        processor: Any = transformers.Siglip2ImageProcessor()
        prepare: Any = lambda frames: processor(list(frames), return_tensors="pt").to(device, precision(device))  # noqa: E731
        features: Any = lambda inputs: model.get_image_features(**inputs).pooler_output  # noqa: E731
    else:
        prepare, features = normalised, lambda pixels: model.get_image_features(pixels).pooler_output
    return Plain(of_transformers(model, has_start=name.startswith("metaclip2")), features, prepare)


def _open_clip() -> Any:  # noqa: ANN401 - it is untyped
    import open_clip

    return open_clip


def _tokenizer(num_tokens: int) -> Tokenizer:
    """One of so many tokens, which knows no text."""
    entries = ["<s>", "<unk>", "</s>", *(f"<unused {number}>" for number in range(num_tokens - 3))]
    tokenizer = Tokenizer(models.WordLevel({entry: number for number, entry in enumerate(entries)}, unk_token="<unk>"))
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 2)])
    return tokenizer
