"""A CLIP of ViT-B/16's shape with random weights, and the plain computation with it by transformers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
from jaxtyping import Float
from torch import Tensor, nn

from prompt_video.text_side import PromptedText


@contextmanager
def random_vit_b16() -> Iterator[Path]:
    """A folder with it, in HuggingFace's layout."""
    start, end = "<|startoftext|>", "<|endoftext|>"
    tokenizer = transformers.CLIPTokenizer(vocab={start: 0, end: 1}, merges=[], model_max_length=77)
    text = {
        "hidden_size": 512,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 8,
        "vocab_size": 49408,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "image_size": 224,
        "patch_size": 16,
    }
    torch.manual_seed(0)
    model = transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=512))
    _without_bars()
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        yield Path(folder)


def plain_model(folder: Path) -> Any:  # noqa: ANN401 - transformers is untyped
    """The same weights in transformers, frozen, with its fastest attention."""
    _without_bars()
    model: Any = transformers.CLIPModel.from_pretrained(folder, attn_implementation="sdpa")
    return model.eval().requires_grad_(False)


def plain_text_features(model: Any, texts: PromptedText) -> Float[Tensor, "K D"]:  # noqa: ANN401 - as above
    """Features of prompted texts as transformers computes them: every text in 77 positions."""
    embedding, config = model.text_model.embeddings.token_embedding, model.config.text_config
    room = config.max_position_embeddings - 2 - len(texts.prefix) - texts.num_suffix
    start = [config.bos_token_id, *[0] * len(texts.prefix)]
    rows, ids = [], []
    for tokens in texts.tokens:
        end = [config.eos_token_id] * (1 + room - len(tokens))
        own = embedding(torch.tensor([start[0], *tokens, *end]))
        count = len(tokens)
        rows.append(torch.cat([own[:1], texts.prefix, own[1 : 1 + count], texts.suffix_after(count), own[1 + count :]]))
        ids.append([*start, *tokens, *[0] * texts.num_suffix, *end])
    try:
        model.text_model.embeddings.token_embedding = _Given(torch.stack(rows))
        return model.get_text_features(input_ids=torch.tensor(ids)).pooler_output  # type: ignore[no-any-return]
    finally:
        model.text_model.embeddings.token_embedding = embedding


def _without_bars() -> None:
    log: Any = transformers.utils.logging
    log.disable_progress_bar()


class _Given(nn.Module):
    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.rows
