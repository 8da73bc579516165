"""The encoders of an open_clip model: its texts by our own, its frames by ours where they are a plain ViT's."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from data_modules.errors import InputError
from prompt_video.backbones.bidirectional_text import BidirectionalTextTower
from prompt_video.backbones.frozen_block import FrozenBlock
from prompt_video.backbones.frozen_linear import linear_of
from prompt_video.backbones.text_grid import Surroundings
from prompt_video.backbones.text_tower import TextTower
from prompt_video.backbones.towers import FrozenImageTower
from prompt_video.backbones.vision_tower import VisionTower


class OpenClipVisionTower(FrozenImageTower):
    """An image encoder of open_clip or timm as it is.

    Args:
        visual: of open_clip.
        size: height and width of its frames.
    """

    def __init__(self, visual: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.visual = visual
        self._largest_layer = _largest_layer(visual, size)

    @property
    def largest_layer(self) -> int:
        """As `FrozenImageTower`."""
        return self._largest_layer

    def forward(self, pixels: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N D"]:
        """As `FrozenImageTower`."""
        features: Tensor = self.visual(pixels)
        return features


def vision_tower(visual: Any, size: tuple[int, int]) -> FrozenImageTower:  # noqa: ANN401 - open_clip is untyped
    """The fastest way of computing an image encoder that there is.

    Args:
        visual: of open_clip.
        size: height and width of its frames.
    """
    if type(visual).__name__ != "VisionTransformer" or not _is_plain_vit(visual):
        return OpenClipVisionTower(visual, size)
    positions = _table(visual.positional_embedding)
    return VisionTower(
        visual.class_embedding,
        visual.conv1,
        positions,
        visual.ln_pre,
        blocks(visual.transformer.resblocks, visual.transformer.resblocks[0].attn.num_heads),
        visual.ln_post,
        linear_of(visual.proj.T),
    )


def text_tower(name: str, text: Any, start: int, end: int) -> TextTower | BidirectionalTextTower:  # noqa: ANN401 - as above
    """The text encoder of an open_clip model.

    Args:
        name: of the model, for messages.
        text: the module that reads texts; of some models the model itself.
        start: token in front of every text.
        end: token behind every text, where the features are read.

    Raises:
        InputError: when it is of another kind than CLIP's.
    """
    layers = getattr(getattr(text, "transformer", None), "resblocks", None)
    pooling = getattr(text, "pool_type", getattr(text, "text_pool_type", None))
    if layers is None or pooling != "argmax" or getattr(text, "cls_emb", None) is not None or not _are_plain(layers):
        raise InputError(
            f"the backbone '{name}' reads texts in another way than CLIP ({type(text).__name__}), which cannot be "
            "prompted here; SigLIP is read by its id on the hub."
        )
    positions = _table(text.positional_embedding)
    frozen = blocks(layers, layers[0].attn.num_heads)
    kind = BidirectionalTextTower if text.attn_mask is None else TextTower
    around = Surroundings((start,), (end,), 0, reads_last=False)
    return kind(text.token_embedding, positions, frozen, text.ln_final, _projection(text.text_projection), around)


def blocks(layers: Iterable[Any], num_heads: int) -> list[FrozenBlock]:
    """Residual attention blocks of open_clip as frozen ones."""
    return [
        FrozenBlock(
            layer.ln_1,
            linear_of(layer.attn.in_proj_weight, layer.attn.in_proj_bias),
            layer.attn.out_proj,
            layer.ln_2,
            layer.mlp.c_fc,
            layer.mlp.c_proj,
            num_heads,
            _activation(layer.mlp.gelu),
        )
        for layer in layers
    ]


def _table(weight: Tensor) -> nn.Embedding:
    module = nn.Embedding(weight.shape[0], weight.shape[1], device="meta")
    module.weight = nn.Parameter(weight.detach(), requires_grad=False)
    return module


def _projection(projection: nn.Linear | Tensor) -> nn.Linear:
    return projection if isinstance(projection, nn.Linear) else linear_of(projection.T)


def _activation(module: nn.Module) -> str:
    if isinstance(module, nn.GELU):
        return "gelu" if module.approximate == "none" else "gelu_pytorch_tanh"
    return "quick_gelu"


def _are_plain(layers: Iterable[Any]) -> bool:
    """Whether the layers are CLIP's, without what open_clip can add to them."""
    return all(
        type(layer).__name__ == "ResidualAttentionBlock"
        and isinstance(layer.ls_1, nn.Identity)
        and isinstance(layer.ls_2, nn.Identity)
        and getattr(layer.attn, "in_proj_weight", None) is not None
        and (isinstance(layer.mlp.gelu, nn.GELU) or type(layer.mlp.gelu).__name__ == "QuickGELU")
        for layer in layers
    )


def _is_plain_vit(visual: Any) -> bool:  # noqa: ANN401 - as above
    return (
        visual.attn_pool is None
        and visual.pool_type == "tok"
        and isinstance(visual.ln_pre, nn.LayerNorm)
        and visual.conv1.bias is None
        and isinstance(visual.proj, nn.Parameter)
        and _are_plain(visual.transformer.resblocks)
    )


@torch.no_grad()
def _largest_layer(visual: nn.Module, size: tuple[int, int]) -> int:
    """Numbers that the widest layer has of a frame, found out with one: the layers are of many kinds."""
    largest = 1

    def look(_: nn.Module, __: object, output: object) -> None:
        nonlocal largest
        if isinstance(output, Tensor):
            largest = max(largest, output.numel())

    handles = [module.register_forward_hook(look) for module in visual.modules()]
    weight = next(visual.parameters())
    visual(weight.new_zeros(1, 3, *size))
    for handle in handles:
        handle.remove()
    return largest
