"""TemporalEncoder: the frames of a video look at each other, then are averaged over the real ones."""

import logging
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.model.linear import Linear
from prompt_video.model.text_head import cosines

log = logging.getLogger(__name__)


class TemporalEncoder(nn.Module):
    """A few Transformer blocks over frame features, with learned positions added before them.

    With ``start="random"`` this is the paper's encoder. With ``start="frozen"`` two things differ: the blocks' output
    products start at zero, and the positions are taken out again behind the last block, so that they reach the video's
    feature only through what the blocks make of them. Both together make it start exactly at the mean of the frames,
    which is frozen backbone.

    Args:
        width: of the frame features.
        num_layers: blocks; with 0 frames are averaged and nothing is learned.
        num_heads: attention heads of a block; must divide the width.
        max_frames: learned positions. For a longer video they are interpolated.
        start: what the encoder computes before training: ``frozen``: the mean of the frames; ``random``: something
            near it.
        position_std: of the normal distribution that the positions start from.

    Attributes:
        starts_frozen: whether a subclass makes the mean of the frames before it learns.
        is_linear: whether a score is the product of one vector of the video with one of the text; see `product`.
    """

    starts_frozen: ClassVar[bool] = False
    is_linear: ClassVar[bool] = True
    text_parts: int = 1  # vectors side by side that a text must have
    video_parts: int = 1  # and those of a video

    def __init__(
        self,
        width: int,
        num_layers: int = 1,
        num_heads: int = 8,
        max_frames: int = 16,
        start: Literal["frozen", "random"] = "random",
        position_std: float = 0.01,
    ) -> None:
        super().__init__()
        if num_heads < 1 or width % num_heads:
            raise InputError(
                f"num_heads of the temporal encoder must divide the width {width}, and {num_heads} does not."
            )
        self.num_layers, self.num_heads, self.max_frames = num_layers, num_heads, max_frames
        self.start, self.position_std = start, position_std
        blocks = nn.ModuleList(TemporalBlock(width, num_heads) for _ in range(num_layers))
        self.blocks = cast("Sequence[TemporalBlock]", blocks)
        if num_layers:
            self.positions = nn.Parameter(torch.randn(max_frames, width) * position_std)
        if start == "frozen":
            for block in self.blocks:
                block.zero_init()
        self._interpolation_logged = False

    def forward(self, features: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]) -> Float[Tensor, "R E"]:
        """One feature a video; ``mask`` is True at real frames, which stand before all padding."""
        weight = mask.unsqueeze(-1).to(features.dtype)
        return (self.frame_features(features, mask) * weight).sum(-2) / weight.sum(-2).clamp(min=1)

    def frame_features(self, features: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]) -> Float[Tensor, "R T D"]:
        """One feature a frame, each having looked at the other real ones; padding holds no meaning."""
        x = features.masked_fill(~mask.unsqueeze(-1), 0)  # whatever padding holds, NaN too, it must not count
        if not self.num_layers:
            return x
        positions = self._positions(mask)
        x = x + positions
        for block in self.blocks:
            x = block(x, mask)
        return x - positions if self.start == "frozen" else x

    def product(self, videos: Float[Tensor, "R E"], texts: Float[Tensor, "K E"]) -> Float[Tensor, "R K"]:
        """Cosine of every video with every text.

        Args:
            videos: unit vectors, as `forward` makes them but for their length.
            texts: unit vectors.
        """
        return cosines(videos, texts)

    def of_pairs(self, texts: Float64[np.ndarray, "C D"], videos: Float64[np.ndarray, "V E"]) -> np.ndarray:
        """`product`, a row for each text, of arrays in double precision."""
        with torch.no_grad():
            scores: np.ndarray = self.product(torch.from_numpy(videos), torch.from_numpy(texts)).T.numpy()
        return scores

    def set_shots(self, shots: float) -> None:
        """Say before training how many training videos there are of a class, on average."""

    def penalty(self) -> Float[Tensor, ""] | float:
        """What it adds to the training loss, whatever the batch."""
        return 0.0

    def describe(self) -> str:
        """What it makes of frames, as a phrase for people."""
        several = "s" if self.num_layers > 1 else ""
        return f"a temporal encoder of {self.num_layers} layer{several}" if self.num_layers else "frames averaged"

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments without the width, ready for JSON."""
        names = ("num_layers", "num_heads", "max_frames", "start", "position_std")
        return {name: getattr(self, name) for name in names}

    def _positions(self, mask: Bool[Tensor, "R T"]) -> Float[Tensor, "#R T D"]:
        num_frames = mask.shape[-1]
        if num_frames <= self.max_frames:
            return self.positions[None, :num_frames]
        if not self._interpolation_logged:
            log.info("videos of up to %d frames: %d learned positions are interpolated", num_frames, self.max_frames)
            self._interpolation_logged = True
        return self._interpolated(mask)

    def _interpolated(self, mask: Bool[Tensor, "R T"]) -> Float[Tensor, "R T D"]:
        """Rows for any number of frames; where there are no more of them than positions, the positions themselves."""
        number = torch.arange(mask.shape[-1], device=mask.device)
        # Each video's own number of frames counts, not the batch's, so that padding changes nothing.
        last = torch.where(mask, number, 0).amax(-1, keepdim=True).clamp(min=max(self.max_frames - 1, 1))
        place = number * (self.max_frames - 1) / last  # (R, T)
        place = place.clamp(max=self.max_frames - 1)
        left = place.long().clamp(max=max(self.max_frames - 2, 0))
        share = (place - left).unsqueeze(-1).to(self.positions.dtype)
        right = (left + 1).clamp(max=self.max_frames - 1)
        return torch.lerp(self.positions[left], self.positions[right], share)


class TemporalBlock(nn.Module):
    """``x + attention(norm(x))``, then ``x + mlp(norm(x))``; the MLP is four times as wide, with QuickGELU.

    Args:
        width: of the frame features.
        num_heads: attention heads.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = Linear(width, 3 * width), Linear(width, width)
        self.fc1, self.fc2 = Linear(width, 4 * width), Linear(4 * width, width)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def zero_init(self) -> None:
        """Make the block change nothing, until it has learned to."""
        for product in (self.out, self.fc2):
            nn.init.zeros_(product.weight)
            nn.init.zeros_(product.bias)

    def forward(self, x: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]) -> Float[Tensor, "R T D"]:
        """Frames look at all real frames of their own video."""
        num_frames = x.shape[-2]
        heads = self.qkv(self.norm1(x)).view(-1, num_frames, 3, self.num_heads, x.shape[-1] // self.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # (R, H, T, A) each
        real = mask.reshape(-1, 1, 1, num_frames)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=real)
        x = x + self.out(attended.transpose(1, 2).reshape(x.shape))
        hidden = self.fc1(self.norm2(x))
        change: Tensor = self.fc2(hidden * torch.sigmoid(1.702 * hidden))
        return x + change


def mean_frame(frames: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]) -> Float[Tensor, "R D"]:
    """The average of the real frames: what frozen backbone makes of a video."""
    weight = mask.unsqueeze(-1).to(frames.dtype)
    return (frames.masked_fill(~mask.unsqueeze(-1), 0) * weight).sum(1) / weight.sum(1).clamp(min=1)
