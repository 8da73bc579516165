"""The text head: learned vectors around a text's tokens, or hand-written templates around its words."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.prompted_text import PromptedText, TextEncoder, TextShape
from prompt_video.model.templates import DEFAULT, describe, templates_of
from prompt_video.model.text_head import TextHead

USUAL = 16  # learned vectors in front of a text, and as many behind it: the paper's
LEAST_ROOM = 20  # tokens that are left for a text where the numbers are chosen


class PromptLearner(TextHead):
    """``[k + X + k]``: learned vectors before and behind the tokens of any text, shared by all texts.

    Args:
        shape: what the text encoder takes; a number is the width of CLIP's.
        num_prefix: learned vectors in front of a text; ``auto``: the paper's 16, and as many behind it, or, where that
            leaves less than 20 tokens for a text, as many on both sides as leave them.
        num_suffix: learned vectors behind it; see ``num_prefix``.
        layout: ``shared``: the same suffix vectors for every text, as the paper writes it. ``by_position``: what the
            paper's released code does, one vector for each absolute position: a text's own tokens cover some of them,
            so texts of different length have shifted, partly different suffixes. Two different models.
        init_std: of the normal distribution that the vectors start from.
        too_long: what to do with a text that does not fit: ``error``, or ``truncate`` it, for sentences.
    """

    stackable: ClassVar[bool] = True

    def __init__(
        self,
        shape: TextShape | int,
        num_prefix: int | Literal["auto"] = "auto",
        num_suffix: int | Literal["auto"] = "auto",
        layout: Literal["shared", "by_position"] = "shared",
        init_std: float = 0.01,
        too_long: Literal["error", "truncate"] = "error",
    ) -> None:
        super().__init__()
        shape = TextShape.of(shape)
        self.num_prefix, self.num_suffix = fitting(shape, num_prefix, num_suffix)
        self.layout, self.init_std, self.too_long = layout, init_std, too_long
        num_vectors = self.num_prefix + self.num_suffix
        self.room = _room(shape, num_vectors)
        num_context = shape.context_length if layout == "by_position" else num_vectors
        self.context = nn.Parameter(torch.randn(num_context, shape.width) * init_std)

    def forward(
        self, texts: Sequence[str], backbone: TextEncoder, chunk_size: int | None = None
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
        names = ("num_prefix", "num_suffix", "layout", "init_std", "too_long")
        return {name: getattr(self, name) for name in names}

    def describe(self) -> str:
        """As `TextHead.describe`."""
        return f"texts as {self.num_prefix} learned vectors + text + {self.num_suffix} learned vectors ({self.layout})"


class TemplatePrompt(TextHead):
    """Hand-written prompts: a text is put into every template, and the unit features are averaged, as CLIP does.

    Args:
        shape: what the text encoder takes; a number is the width of CLIP's.
        templates: sentences with ``{}`` where the text goes, the name of a set of them (``names``: the text alone,
            ``video``, ``clip-ucf101``, ``clip-kinetics``, ``shapes``), or a text file with one a line.
        too_long: what to do with a text that does not fit: ``error``, or ``truncate`` it, for sentences.
    """

    stackable: ClassVar[bool] = True

    def __init__(
        self,
        shape: TextShape | int,
        templates: str | Sequence[str] = DEFAULT,
        too_long: Literal["error", "truncate"] = "error",
    ) -> None:
        super().__init__()
        shape = TextShape.of(shape)
        self.width, self.templates, self.too_long = shape.width, templates_of(templates), too_long
        self.room = _room(shape, 0)

    def forward(
        self, texts: Sequence[str], backbone: TextEncoder, chunk_size: int | None = None
    ) -> Float[Tensor, "K D"]:
        """Unit vectors in the joint space, one a text."""
        filled = [template.replace("{}", text) for text in texts for template in self.templates]
        tokens, cut = _fit(filled, backbone.tokenize(filled), self.room, self.too_long)
        self.truncated.update(cut)
        nothing = torch.empty(0, self.width)
        features = F.normalize(backbone.encode_text(PromptedText(tokens, nothing, nothing, 0), chunk_size), dim=-1)
        return F.normalize(features.view(len(texts), len(self.templates), -1).mean(1), dim=-1)

    def has_cut(self, text: str) -> bool:
        """Whether a text was too long for the text encoder in any of the templates."""
        return any(template.replace("{}", text) in self.truncated for template in self.templates)

    def settings(self) -> dict[str, object]:
        """The constructor's arguments without the width, ready for JSON."""
        return {name: getattr(self, name) for name in ("templates", "too_long")}

    def describe(self) -> str:
        """As `TextHead.describe`."""
        return f"texts in hand-crafted prompts: {describe(self.templates)}"


def fitting(
    shape: TextShape, num_prefix: int | Literal["auto"] = "auto", num_suffix: int | Literal["auto"] = "auto"
) -> tuple[int, int]:
    """Numbers of learned vectors in front of a text and behind it, where they are to suit a text encoder."""
    given = [number for number in (num_prefix, num_suffix) if number != "auto"]
    spare = max(0, shape.room(sum(given)) - LEAST_ROOM)
    each = min(USUAL, spare // (2 - len(given) or 1))
    return each if num_prefix == "auto" else num_prefix, each if num_suffix == "auto" else num_suffix


def _room(shape: TextShape, num_vectors: int) -> int:
    """Tokens that a text may have beside the encoder's own and the learned vectors."""
    room = shape.room(num_vectors)
    if room < 1:
        fits = fitting(shape)[0]
        raise InputError(
            f"{num_vectors} learned vectors leave no room for a text in the {shape.context_length} positions of the "
            f"text encoder, {shape.own_positions} of which are its own; num_prefix {fits} and num_suffix {fits}, which "
            f"are what auto takes, leave {shape.room(2 * fits)} tokens."
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
