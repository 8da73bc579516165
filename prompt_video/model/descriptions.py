"""Classes by sentences that describe them: averaged, or one after another as they happen."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.prompted_text import TextEncoder, TextShape
from prompt_video.model.description_files import read_descriptions, sentences_of
from prompt_video.model.prompt import PromptLearner, TemplatePrompt
from prompt_video.model.text_head import TextHead


class Descriptions(TextHead):
    """A class is read as the sentences that describe it, instead of its name; nothing is learned without vectors.

    Args:
        shape: what the text encoder takes; a number is the width of CLIP's.
        source: a JSON or CSV of one's own, or a packaged one by its name; see `read_descriptions`.
        join: ``mean``: the unit features of a class's sentences are averaged. ``in_order``: they stay side by side, for
            the temporal encoder `OrderedParts`, which compares them with as many parts of a video, one after another;
            all classes then have that many sentences.
        num_sentences: how many of a class are read, the first ones; null for all.
        num_vectors: learned vectors in front of every sentence, and as many behind it, as those of `PromptLearner`; 0
            for none.
        described: the sentences themselves, in the place of those in ``source``: so a checkpoint needs no file.

    Source: CuPL (Pratt et al., ICCV 2023) for averaged sentences; OST (Chen et al., CVPR 2024) for those in order.
    Changed: the sentences alone, without the name before them; `OrderedParts` in the place of optimal transport;
    learned vectors around each sentence are those of this framework.
    """

    beside_names: ClassVar[str | None] = "sentences"
    needs_source: ClassVar[str] = (
        "descriptions need sentences: --model.prompt.source FILE, a JSON or CSV of your own, or a packaged one, such "
        "as hmdb51-spatio."
    )

    def __init__(
        self,
        shape: TextShape | int,
        source: str | None = None,
        join: Literal["mean", "in_order"] = "mean",
        num_sentences: int | None = None,
        num_vectors: int = 0,
        described: dict[str, list[str]] | None = None,
    ) -> None:
        super().__init__()
        if described is None and source is None:
            raise InputError(self.needs_source)
        if num_sentences is not None and num_sentences < 1:
            raise InputError(f"num_sentences of descriptions must be 1 or more, or null, not {num_sentences}.")
        self.source, self.join, self.num_sentences = source, join, num_sentences
        self.num_vectors = num_vectors
        self.described = described if described is not None else read_descriptions(str(source))
        if not self.described or not all(self.described.values()):
            raise InputError("descriptions need one class at least, and a sentence of each.")
        self.reader: TextHead = (
            PromptLearner(shape, num_vectors, num_vectors, too_long="truncate")
            if num_vectors
            else TemplatePrompt(shape, ["{}"], too_long="truncate")
        )
        self.room = self.reader.room
        if join == "in_order":
            self.text_parts = self._same_number()

    def forward(
        self, texts: Sequence[str], backbone: TextEncoder, chunk_size: int | None = None
    ) -> Float[Tensor, "K E"]:
        """Unit vectors, one a class: in the joint space, or as many side by side as there are sentences."""
        sentences = self._sentences(texts)
        features: Tensor = self.reader([one for own in sentences for one in own], backbone, chunk_size)
        by_class = torch.split(features, [len(own) for own in sentences])
        joined = [own.mean(0) if self.join == "mean" else own.flatten() for own in by_class]
        return F.normalize(torch.stack(joined), dim=-1)

    def set_vocabulary(self, texts: Sequence[str], embed_dim: int) -> None:
        """As `TextHead.set_vocabulary`: a class without a description is told at once."""
        self._sentences(texts)

    def has_cut(self, text: str) -> bool:
        """Whether one of the sentences of a class was too long for the text encoder."""
        (sentences,) = self._sentences([text])
        return any(self.reader.has_cut(sentence) for sentence in sentences)

    def settings(self) -> dict[str, object]:
        """The constructor's arguments without the width, ready for JSON; the sentences in the place of their file."""
        names = ("join", "num_sentences", "num_vectors")
        return {"described": self.described, **{name: getattr(self, name) for name in names}}

    def describe(self) -> str:
        """As `TextHead.describe`."""
        joined = "averaged" if self.join == "mean" else "in order"
        vectors = f", each in {self.num_vectors} + {self.num_vectors} learned vectors" if self.num_vectors else ""
        return f"classes as sentences that describe them, {joined}{vectors}"

    def _sentences(self, texts: Sequence[str]) -> list[list[str]]:
        own = sentences_of(texts, self.described, self.source or "the model")
        return [sentences[: self.num_sentences] for sentences in own]

    def _same_number(self) -> int:
        """Sentences of every class."""
        counts = {name: len(own[: self.num_sentences]) for name, own in self.described.items()}
        first = next(iter(counts))
        if other := next((name for name in counts if counts[name] != counts[first]), None):
            raise InputError(
                f"descriptions in order need as many sentences of every class: '{first}' has {counts[first]} and "
                f"'{other}' {counts[other]}; set num_sentences, or join: mean."
            )
        return counts[first]
