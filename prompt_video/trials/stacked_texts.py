"""The texts of many trials in one pass through the frozen text encoder, whose place it takes inside of torch.func."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.text_rows import TextRows
from prompt_video.model.text_head import TextHead


class StackedTexts:
    """The candidates of some trials, as their prompts have them read.

    Args:
        backbone: frozen, shared.
        prompts: of the trials, alike but for their weights.
        texts: each trial's candidates, equally many.
    """

    def __init__(self, backbone: FrozenBackbone, prompts: Sequence[TextHead], texts: Sequence[Sequence[str]]) -> None:
        self.backbone, self.prompt, self.names = backbone, prompts[0], list(texts[0])
        recorder = _Recorder(backbone)
        for prompt, names in zip(prompts, texts, strict=True):
            prompt(names, recorder)
        self.rows = backbone.text_rows(recorder.lists)

    def features(self, weights: dict[str, Tensor]) -> Float[Tensor, "G K D"]:
        """Unit vectors of all trials' texts.

        Args:
            weights: of the prompts, stacked.
        """

        def features_of_one(own: dict[str, Tensor], rows: TextRows) -> Tensor:
            result: Tensor = functional_call(self.prompt, own, (self.names, _OneOfMany(self.backbone, rows)))
            return result

        features: Tensor = vmap(features_of_one)(weights, self.rows)
        return features


class _Recorder:
    """Notes what prompts ask the encoder for."""

    def __init__(self, backbone: FrozenBackbone) -> None:
        self.tokenize, self.width = backbone.tokenize, backbone.embed_dim
        self.lists: list[PromptedText] = []

    def encode_text(self, texts: PromptedText, chunk_size: int | None = None) -> Float[Tensor, "K D"]:
        self.lists.append(texts)
        return texts.prefix.new_zeros(len(texts.tokens), self.width)


class _OneOfMany:
    """What a prompt sees as the encoder while torch.func computes many at once: whose tokens, the rows say."""

    def __init__(self, backbone: FrozenBackbone, rows: TextRows) -> None:
        self.backbone, self.tokenize, self.rows = backbone, backbone.tokenize, rows

    def encode_text(self, texts: PromptedText, chunk_size: int | None = None) -> Float[Tensor, "K D"]:
        features: Tensor = _EncodeRows.apply(self.backbone, texts.prefix, texts.suffix, *self.rows)
        return features


class _EncodeRows(torch.autograd.Function):
    """Tells torch.func how the encoder computes many lists at once: as it is, with one more axis.

    Left to torch.func, each operation of the encoder would be batched by itself, its norms in three passes.
    """

    @staticmethod
    def forward(*inputs: Any) -> Tensor:  # noqa: ANN401 - torch's own
        raise NotImplementedError("only inside of vmap")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ANN401 - torch's own
        """Nothing: gradients are those of what `vmap` computes."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, backbone: FrozenBackbone, *inputs: Tensor) -> tuple[Tensor, int]:  # noqa: ANN401 - as above
        prefix, suffix, *rows = (
            part.expand(info.batch_size, *part.shape) if axis is None else part.movedim(axis, 0)
            for part, axis in zip(inputs, in_dims[1:], strict=True)
        )
        return backbone.encode_rows(prefix, suffix, TextRows(*rows)), 0


def stacked_weights(modules: Sequence[nn.Module]) -> dict[str, nn.Parameter]:
    """The learned weights of modules that are alike, each with one more axis in front."""
    named = [dict(module.named_parameters()) for module in modules]
    return {
        name: nn.Parameter(torch.stack([own[name].detach() for own in named]))
        for name, weight in named[0].items()
        if weight.requires_grad
    }
