"""A CLIP of ViT-B/16's shape with random weights, and the plain computation with it by transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from jaxtyping import Float
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor, nn
from torch.nn import functional as F

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import PromptedText
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
    _without_bars()
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
    _without_bars()
    reader: Any = transformers.CLIPModel.from_pretrained
    model = reader(folder, attn_implementation="sdpa", dtype=precision(device))
    return model.to(device).eval().requires_grad_(False)


class PlainText:
    """Features of prompted texts as transformers computes them: every text in 77 positions.

    Args:
        model: see `plain_model`.
        texts: where their tokens and vectors stand is found out once, before anything is timed.
    """

    def __init__(self, model: Any, texts: PromptedText) -> None:  # noqa: ANN401 - transformers is untyped
        self.model, config = model, model.config.text_config
        num_prefix, num_suffix = len(texts.prefix), texts.num_suffix
        ids, rows = [], []
        for tokens in texts.tokens:
            padding = config.max_position_embeddings - 1 - num_prefix - len(tokens) - num_suffix
            first = num_prefix + (len(tokens) if texts.by_position else 0)
            ids.append([config.bos_token_id, *[0] * num_prefix, *tokens, *[0] * num_suffix])
            ids[-1] += [config.eos_token_id] * padding
            rows.append([-1, *range(num_prefix), *[-1] * len(tokens), *range(first, first + num_suffix)])
            rows[-1] += [-1] * padding
        self.ids, self.rows = torch.tensor(ids, device=model.device), torch.tensor(rows, device=model.device)

    def __call__(self, texts: PromptedText) -> Float[Tensor, "K D"]:
        """Features with the vectors that ``texts`` have now."""
        inner = self.model.text_model.embeddings
        embedding = inner.token_embedding
        vectors = torch.cat([texts.prefix, texts.suffix]).to(embedding.weight)
        is_vector = self.rows.unsqueeze(-1) >= 0
        try:
            inner.token_embedding = _Given(
                torch.where(is_vector, F.embedding(self.rows.clamp(min=0), vectors), embedding(self.ids))
            )
            return self.model.get_text_features(input_ids=self.ids).pooler_output.float()  # type: ignore[no-any-return]
        finally:
            inner.token_embedding = embedding


def _without_bars() -> None:
    log: Any = transformers.utils.logging
    log.disable_progress_bar()


class _Given(nn.Module):
    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.rows
