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
from prompt_video.backbones.text_passes import chosen, encode_in_passes, fits_one_reading
from prompt_video.backbones.towers import FrozenTextTower


class TextTower(FrozenTextTower):
    """The frozen text encoder, with one token in front of every text and one behind it, where features are read."""

    way: Literal["packed", "padded"] | None = None  # None: the one that suits the device

    def forward(self, texts: PromptedText, chunk_size: int | None, *, compiled: bool = False) -> Float[Tensor, "K D"]:
        """As `FrozenTextTower`; compiled is the padded way."""
        way = self.way or ("packed" if texts.prefix.device.type == "cpu" else "padded")
        is_packed = way == "packed" and not compiled
        order = sorted(range(len(texts.tokens)), key=lambda text: len(texts.tokens[text]))
        lengths = [len(texts.tokens[text]) + texts.num_suffix + 1 for text in order]
        if not is_packed and chunk_size is None and fits_one_reading(lengths):
            return encode_padded(self, texts, texts.prefix, compiled=compiled)
        # What all texts share: of the packed way keys and values, layer by layer.
        shared = shared_keys_values(self, texts.prefix) if is_packed else [texts.prefix]
        encode = partial(encode_packed, self) if is_packed else self._encode_padded
        features = encode_in_passes(encode, chosen(texts, order), lengths, shared, chunk_size, in_cache=is_packed)
        place = sorted(range(len(order)), key=lambda position: order[position])
        return features[torch.tensor(place, device=features.device)]

    def _encode_padded(self, texts: PromptedText, shared: Sequence[Float[Tensor, "P W"]]) -> Float[Tensor, "K D"]:
        return encode_padded(self, texts, shared[0])
