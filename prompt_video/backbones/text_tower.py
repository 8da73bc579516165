"""CLIP's text encoder, computing only what the features depend on, in the way that suits the device.

A CPU is bound by arithmetic and takes the packed way, all other devices the padded one; see the two modules. Both equal
the plain computation over 77 padded positions.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from prompt_video.backbones.packed_text import encode_packed, shared_keys_values
from prompt_video.backbones.padded_text import encode_padded
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.text_passes import ROWS_PER_PASS, ROWS_PER_READING, chosen, cut_passes, recomputed
from prompt_video.backbones.text_weights import TextWeights


class TextTower(TextWeights):
    """The frozen text encoder; made as `TextWeights`."""

    way: Literal["packed", "padded"] | None = None  # None: the one that suits the device

    def forward(self, texts: PromptedText, chunk_size: int | None, *, compiled: bool = False) -> Float[Tensor, "K D"]:
        """As `FrozenTextTower`; compiled is the padded way."""
        way = self.way or ("packed" if texts.prefix.device.type == "cpu" else "padded")
        is_packed = way == "packed" and not compiled
        order = sorted(range(len(texts.tokens)), key=lambda text: len(texts.tokens[text]))
        lengths = [len(texts.tokens[text]) + texts.num_suffix + 1 for text in order]
        learns = torch.is_grad_enabled()
        most_rows = ROWS_PER_PASS if is_packed else sum(lengths) if learns else ROWS_PER_READING
        bounds = list(cut_passes(lengths, chunk_size, most_rows))
        if len(bounds) == 1 and chunk_size is None and not is_packed:
            return encode_padded(self, texts, texts.prefix, compiled=compiled)
        passes = [chosen(texts, order[first:end]) for first, end in bounds]
        # What all texts share: of the packed way keys and values, layer by layer.
        shared = shared_keys_values(self, texts.prefix) if is_packed else [texts.prefix]
        encode = partial(encode_packed, self) if is_packed else self._encode_padded
        if chunk_size is not None and learns:
            features = recomputed(encode, passes, texts.suffix, *shared)
        else:
            features = torch.cat([encode(part, shared) for part in passes])
        place = sorted(range(len(order)), key=lambda position: order[position])
        return features[torch.tensor(place, device=features.device)]

    def _encode_padded(self, texts: PromptedText, shared: Sequence[Float[Tensor, "P W"]]) -> Float[Tensor, "K D"]:
        return encode_padded(self, texts, shared[0])
