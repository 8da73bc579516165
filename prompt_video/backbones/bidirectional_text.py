"""A text encoder whose positions look at all others, padding included: SigLIP's, and the like.

No prefix can be shared, and nothing may be left out: what stands at a position depends on all of them, so that every
text costs all its positions. Only behind the last layer one position of each is wanted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from prompt_video.backbones.compilation import compiled_for
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.text_grid import Surroundings, TextGrid, text_grid
from prompt_video.backbones.text_passes import encode_in_passes
from prompt_video.backbones.towers import FrozenTextTower


@dataclass(frozen=True)
class Layout:
    """Where everything stands; made once for a list of texts.

    Args:
        grid: tokens and learned vectors.
        read: row of the position whose features are wanted, of all texts one behind the other.
    """

    grid: TextGrid
    read: Int[Tensor, " K"]


class BidirectionalTextTower(FrozenTextTower):
    """The frozen text encoder.

    Padding fills all positions and is never masked: these encoders were trained so, and a mask, or fewer positions,
    would change the features without a word.
    """

    def forward(self, texts: PromptedText, chunk_size: int | None, *, compiled: bool = False) -> Float[Tensor, "K D"]:
        """As `FrozenTextTower`."""
        lengths = [self.positions.num_embeddings] * len(texts.tokens)
        in_cache = texts.prefix.device.type == "cpu" and not compiled
        encode = partial(self._encode, compiled=compiled)
        return encode_in_passes(encode, texts, lengths, [texts.prefix], chunk_size, in_cache=in_cache)

    def _encode(
        self, texts: PromptedText, shared: Sequence[Float[Tensor, "P W"]], *, compiled: bool
    ) -> Float[Tensor, "K D"]:
        (prefix,) = shared
        tokens, learned = tuple(map(tuple, texts.tokens)), (len(prefix), texts.num_suffix, texts.by_position)
        layout = layout_of(tokens, learned, self.surroundings, self.positions.num_embeddings, prefix.device)
        vectors = torch.cat([prefix, texts.suffix])
        if compiled:
            # What is replayed writes to the same memory each time.
            return compiled_for(prefix.device.type, _encode)(self, vectors, layout).clone()
        return _encode(self, vectors, layout)


def _encode(tower: BidirectionalTextTower, learned: Float[Tensor, "R W"], layout: Layout) -> Float[Tensor, "K D"]:
    """Features of texts, of tensors alone, so that it can be compiled."""
    grid = layout.grid
    x = tower.embed_among(grid.tokens, learned, grid.learned, grid.is_learned) + tower.positions.weight
    for block in tower.blocks[:-1]:
        x = block(x)
    last, read = tower.blocks[-1], x.flatten(0, 1).index_select(0, layout.read)
    return tower.project(last.finish(read, last.gathered(read, x)))


@lru_cache(maxsize=16)
def layout_of(
    tokens: tuple[tuple[int, ...], ...],
    learned: tuple[int, int, bool],
    surroundings: Surroundings,
    num_positions: int,
    device: torch.device,
) -> Layout:
    """See `Layout`; a run's class names come in every step, so that these few small tensors cross to the device once.

    Args:
        tokens: each text's own.
        learned: learned vectors in front, behind each text, and whether those are by position.
        surroundings: of each.
        num_positions: T.
        device: of the tensors.
    """
    grid = text_grid(tokens, learned, surroundings, num_positions)
    column = torch.full_like(grid.end, num_positions - 1) if surroundings.reads_last else grid.end
    read = column + torch.arange(len(tokens)) * num_positions
    return Layout(TextGrid(*(part.to(device) for part in grid)), read.to(device))
