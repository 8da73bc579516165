"""The words of the backbone's vocabulary that learned prompt vectors lie nearest to.

They tell little of what a vector does: the nearest word is often far, and the vectors of one prompt need not be read
one after the other. Source: CoOp (Zhou et al., IJCV 2022), section 4.2 and table 4, Euclidean distance.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.text_head import TextHead

BLOCK = 8192  # words that are compared at a time


@dataclass(frozen=True)
class VectorWords:
    """One learned vector.

    Args:
        vector: where it stands: ``prefix 1``, ``suffix 1``; with a vector for each position ``position 18``.
        words: nearest first.
        distances: of the words, Euclidean, in the space of token embeddings.
    """

    vector: str
    words: tuple[str, ...]
    distances: tuple[float, ...]

    def row(self) -> dict[str, str | float]:
        """As a row of a table: the nearest word, how far it is, and the next ones."""
        nearest, *others = self.words
        return {
            "vector": self.vector,
            "word": nearest,
            "distance": round(self.distances[0], 4),
            "next": " ".join(others),
        }


@torch.no_grad()
def prompt_words(prompt: TextHead, backbone: FrozenBackbone, count: int = 5) -> list[VectorWords]:
    """The nearest words of each learned vector, in the order of the prompt.

    Args:
        prompt: the text head; one that learns no vectors around a text has none.
        backbone: whose vocabulary it is; the tokens that begin and end a text are no words.
        count: words of each vector.
    """
    if not isinstance(prompt, PromptLearner) or not prompt.num_prefix + prompt.num_suffix:
        return []
    names, vectors = zip(*_vectors(prompt), strict=True)
    table = backbone.towers.text.token_embedding.weight
    no_words = backbone.towers.tokenizer.special_ids
    numbers = torch.tensor([n for n in range(len(table)) if n not in no_words], device=table.device)
    nearest = _nearest(torch.stack(vectors).to(table.device).float(), table, numbers, count)
    return [
        VectorWords(name, tuple(map(backbone.towers.tokenizer.token, near.tolist())), tuple(distances.tolist()))
        for name, near, distances in zip(names, *nearest, strict=True)
    ]


def _vectors(prompt: PromptLearner) -> Iterator[tuple[str, Tensor]]:
    if prompt.layout == "shared":
        for number, vector in enumerate(prompt.context):
            is_prefix = number < prompt.num_prefix
            yield f"prefix {number + 1}" if is_prefix else f"suffix {number + 1 - prompt.num_prefix}", vector
        return
    # Row 0 is the start token's, which is never learned. Which of the others were depends on the texts' lengths.
    for number, vector in enumerate(prompt.context[1:], start=1):
        yield f"prefix {number}" if number <= prompt.num_prefix else f"position {number}", vector


def _nearest(
    vectors: Float[Tensor, "N W"], table: Float[Tensor, "V W"], numbers: Int[Tensor, " M"], count: int
) -> tuple[Int[Tensor, "N C"], Float[Tensor, "N C"]]:
    """Token numbers and their distances, nearest first; computed for a block of tokens at a time."""
    best = vectors.new_empty(len(vectors), 0)
    tokens = numbers.new_empty(len(vectors), 0)
    for start in range(0, len(numbers), BLOCK):
        block = numbers[start : start + BLOCK]
        # Not by a product of matrices, whose rounding hides the small differences between far words.
        distances = torch.cdist(vectors, table[block].float(), compute_mode="donot_use_mm_for_euclid_dist")
        best = torch.cat([best, distances], dim=1)
        tokens = torch.cat([tokens, block.expand(len(vectors), -1)], dim=1)
        best, places = best.topk(min(count, best.shape[1]), largest=False)
        tokens = tokens.gather(1, places)
    return tokens, best
