"""Features of prompted texts as a library computes them itself: what the text paths are measured against."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from prompt_video.backbones.prompted_text import PromptedText


class PlainReader(NamedTuple):
    """A library's model as it reads texts.

    Args:
        inner: the module of it that embeds tokens.
        read: numbers of tokens to features.
        start: tokens in front of every text.
        end: tokens behind it.
        padding: of all other positions.
        length: how many positions there are.
    """

    inner: Any
    read: Callable[[Tensor], Tensor]
    start: tuple[int, ...]
    end: tuple[int, ...]
    padding: int
    length: int


def of_transformers(model: Any, *, has_start: bool = True) -> PlainReader:  # noqa: ANN401 - transformers is untyped
    """A model of transformers, whose padding is its end token.

    Args:
        model: a CLIP, a MetaCLIP 2 or a SigLIP.
        has_start: whether a token stands in front of every text.
    """
    config = model.config.text_config
    start, end = (config.bos_token_id,) if has_start else (), config.eos_token_id
    return PlainReader(
        model.text_model.embeddings,
        lambda ids: model.get_text_features(input_ids=ids).pooler_output,
        start,
        (end,),
        end,
        config.max_position_embeddings,
    )


class PlainText:
    """Every text in all positions, padding and all.

    Args:
        reader: the library's model.
        texts: where their tokens and vectors stand is found out once, before anything is timed.
    """

    def __init__(self, reader: PlainReader, texts: PromptedText) -> None:
        self.reader = reader
        num_prefix, num_suffix = len(texts.prefix), texts.num_suffix
        ids, rows = [], []
        for tokens in texts.tokens:
            first = num_prefix + (len(tokens) if texts.by_position else 0)
            ids.append([*reader.start, *[0] * num_prefix, *tokens, *[0] * num_suffix, *reader.end])
            rows.append([*[-1] * len(reader.start), *range(num_prefix), *[-1] * len(tokens)])
            rows[-1] += range(first, first + num_suffix)
            ids[-1] += [reader.padding] * (reader.length - len(ids[-1]))
            rows[-1] += [-1] * (reader.length - len(rows[-1]))
        device = reader.inner.token_embedding.weight.device
        self.ids, self.rows = torch.tensor(ids, device=device), torch.tensor(rows, device=device)

    def __call__(self, texts: PromptedText) -> Float[Tensor, "K D"]:
        """Features with the vectors that ``texts`` have now."""
        inner, embedding = self.reader.inner, self.reader.inner.token_embedding
        vectors, rows = torch.cat([texts.prefix, texts.suffix]).to(embedding.weight), embedding(self.ids)
        if len(vectors):
            rows = torch.where(self.rows.unsqueeze(-1) >= 0, F.embedding(self.rows.clamp(min=0), vectors), rows)
        try:
            inner.token_embedding = _Given(rows)
            return self.reader.read(self.ids).float()
        finally:
            inner.token_embedding = embedding


class _Given(nn.Module):
    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, _: Tensor) -> Tensor:
        return self.rows
