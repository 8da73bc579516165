"""The text head: learned vectors around a text's tokens, or hand-written templates around its words."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.prompted_text import PromptedText, TextEncoder
from prompt_video.model.templates import DEFAULT, describe, templates_of
from prompt_video.model.text_head import TextHead


class PromptLearner(TextHead):
    """``[k + X + k]``: learned vectors before and behind the tokens of any text, shared by all texts.

    Args:
        width: of CLIP's token embeddings.
        num_prefix: learned vectors in front of a text.
        num_suffix: learned vectors behind it.
        layout: ``shared``: the same suffix vectors for every text, as the paper writes it. ``by_position``: what the
            paper's released code does, one vector for each absolute position: a text's own tokens cover some of them,
            so texts of different length have shifted, partly different suffixes. Two different models.
        init_std: of the normal distribution that the vectors start from.
        context_length: positions that CLIP's text encoder has.
        too_long: what to do with a text that does not fit: ``error``, or ``truncate`` it, for sentences.
    """

    def __init__(
        self,
        width: int,
        num_prefix: int = 16,
        num_suffix: int = 16,
        layout: Literal["shared", "by_position"] = "shared",
        init_std: float = 0.01,
        context_length: int = 77,
        too_long: Literal["error", "truncate"] = "error",
    ) -> None:
        super().__init__()
        self.num_prefix, self.num_suffix, self.layout = num_prefix, num_suffix, layout
        self.init_std, self.context_length, self.too_long = init_std, context_length, too_long
        self.room = _room(context_length, num_prefix + num_suffix)
        num_context = context_length if layout == "by_position" else num_prefix + num_suffix
        self.context = nn.Parameter(torch.randn(num_context, width) * init_std)

    def forward(
        self,
        texts: Sequence[str],
        backbone: TextEncoder,
        chunk_size: int | None = None,
    ) -> Float[Tensor, "K D"]:
        """Unit vectors in the joint space, one a text."""
        tokens, cut = _fit(texts, backbone.tokenize(texts), self.room, self.too_long)
        self.truncated.update(cut)
        return F.normalize(backbone.encode_text(self.surround(tokens), chunk_size), dim=-1)

    def surround(self, tokens: list[list[int]]) -> PromptedText:
        """Put the learned vectors around each text's tokens."""
        # In the table of positions row 0 is the start token's, which is never learned.
        start = 1 if self.layout == "by_position" else 0
        behind = start + self.num_prefix
        prefix, suffix = self.context[start:behind], self.context[behind:]
        return PromptedText(tokens, prefix, suffix, self.num_suffix, self.layout == "by_position")

    def settings(self) -> dict[str, object]:
        """The constructor's arguments without the width, ready for JSON."""
        names = ("num_prefix", "num_suffix", "layout", "init_std", "context_length", "too_long")
        return {name: getattr(self, name) for name in names}

    def describe(self) -> str:
        """As `TextHead.describe`."""
        return f"texts as {self.num_prefix} learned vectors + text + {self.num_suffix} learned vectors ({self.layout})"


class TemplatePrompt(TextHead):
    """Hand-written prompts: a text is put into every template, and the unit features are averaged, as CLIP does.

    Args:
        width: of CLIP's token embeddings.
        templates: sentences with ``{}`` where the text goes, the name of a set of them (``names``: the text alone,
            ``video``, ``clip-ucf101``, ``clip-kinetics``, ``shapes``), or a text file with one a line.
        context_length: positions that CLIP's text encoder has.
        too_long: what to do with a text that does not fit: ``error``, or ``truncate`` it, for sentences.
    """

    def __init__(
        self,
        width: int,
        templates: str | Sequence[str] = DEFAULT,
        context_length: int = 77,
        too_long: Literal["error", "truncate"] = "error",
    ) -> None:
        super().__init__()
        self.width, self.templates = width, templates_of(templates)
        self.context_length, self.too_long = context_length, too_long
        self.room = _room(context_length, 0)

    def forward(
        self,
        texts: Sequence[str],
        backbone: TextEncoder,
        chunk_size: int | None = None,
    ) -> Float[Tensor, "K D"]:
        """Unit vectors in the joint space, one a text."""
        filled = [template.replace("{}", text) for text in texts for template in self.templates]
        tokens, cut = _fit(filled, backbone.tokenize(filled), self.room, self.too_long)
        self.truncated.update(cut)
        nothing = torch.empty(0, self.width)
        features = F.normalize(backbone.encode_text(PromptedText(tokens, nothing, nothing, 0), chunk_size), dim=-1)
        return F.normalize(features.view(len(texts), len(self.templates), -1).mean(1), dim=-1)

    def has_cut(self, text: str) -> bool:
        """Whether a text was too long for CLIP in any of the templates."""
        return any(template.replace("{}", text) in self.truncated for template in self.templates)

    def settings(self) -> dict[str, object]:
        """The constructor's arguments without the width, ready for JSON."""
        return {name: getattr(self, name) for name in ("templates", "context_length", "too_long")}

    def describe(self) -> str:
        """As `TextHead.describe`."""
        return f"texts in hand-crafted prompts: {describe(self.templates)}"


def _room(context_length: int, num_context: int) -> int:
    """Tokens that a text may have beside the start token, the end token and the learned vectors."""
    room = context_length - 2 - num_context
    if room < 1:
        raise InputError(
            f"{num_context} learned vectors leave no room for a text in the {context_length} positions of the text "
            "encoder, two of which are its own; make num_prefix + num_suffix smaller."
        )
    return room


def _fit(
    texts: Sequence[str], tokens: list[list[int]], room: int, too_long: Literal["error", "truncate"]
) -> tuple[list[list[int]], list[str]]:
    """Tokens that fit, and the texts that had to be cut for it."""
    cut = [text for text, own in zip(texts, tokens, strict=True) if len(own) > room]
    if cut and too_long == "error":
        count = len(tokens[list(texts).index(cut[0])])
        beginning = cut[0] if len(cut[0]) <= 80 else cut[0][:77] + "..."
        raise InputError(
            f"the text '{beginning}' has {count} tokens, and there is room for {room}. Shorten it, use fewer learned "
            "vectors, or set too_long to 'truncate'."
        )
    return [own[:room] for own in tokens], cut
