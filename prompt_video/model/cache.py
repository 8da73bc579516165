"""A cache of the training videos beside the texts: a video that is like some of them scores higher for their class."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.prompted_text import TextShape
from prompt_video.model.examples import Examples
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.templates import DEFAULT
from prompt_video.model.text_head import Classifier, Product, Scorer, cosines


class CacheClassifier(NamedTuple):
    """Scores of the texts, and what the cache adds.

    Args:
        texts: scores the texts.
        keys: unit vectors of the training videos.
        values: which text each of them is of, one-hot; all zero where it is of none.
        alpha: weight of the cache.
        beta: how fast likeness falls.
    """

    texts: Classifier
    keys: Float[Tensor, "N E"]
    values: Float[Tensor, "N K"]
    alpha: float
    beta: float

    def scores(self, videos: Float[Tensor, "R E"], product: Product = cosines) -> Float[Tensor, "R K"]:
        """``product / temperature + alpha * sum over keys of exp(-beta * (1 - cos(video, key))) * value``."""
        scores = self.texts.scores(videos, product)
        if not self.alpha or not len(self.keys):
            return scores
        likeness = torch.exp(-self.beta * (1 - videos @ F.normalize(self.keys, dim=-1).T))
        return scores + self.alpha * (likeness @ self.values.to(likeness.dtype))

    def linear(self) -> Classifier:
        """It has no single vector a text.

        Raises:
            InputError: unless the cache has no weight.
        """
        if self.alpha and len(self.keys):
            raise InputError(
                "a cache scores videos by many keys, not by one vector a class, which is needed here: take another "
                "method, such as text_probe, or alpha 0."
            )
        return self.texts


class Cache(TemplatePrompt):
    """Tip-Adapter: the training videos are keys, their classes values; nothing is trained unless ``learn_keys``.

    A text that is no training class has no keys, and the score of its text alone.

    Args:
        shape: what the text encoder takes; a number is the width of CLIP's.
        alpha: weight of the cache's scores beside those of the texts; 0 for the texts alone.
        beta: how fast a key's say falls with its distance.
        learn_keys: train the keys too, starting at the training videos (Tip-Adapter-F).
        templates: see `TemplatePrompt`.
        too_long: see `TemplatePrompt`.

    Source: Tip-Adapter (Zhang et al., ECCV 2022), equations 4 to 6; its defaults are alpha 1 and beta 5.5. Changed: a
    key is the mean of one video's frames, in one view each instead of ten augmented ones; learned keys count at unit
    length.
    """

    reads_text: ClassVar[bool] = False
    starts_frozen: ClassVar[bool] = True
    needs_examples: ClassVar[bool] = True
    beside_names: ClassVar[str | None] = "their training videos"
    called: ClassVar[str] = "a cache"
    knows: ClassVar[str] = "it scores any text, and knows more than the text says of the classes whose videos it keeps"
    vocabulary: list[str]
    keys: Tensor
    key_classes: Tensor

    def __init__(
        self,
        shape: TextShape | int,
        alpha: float = 1.0,
        beta: float = 5.5,
        learn_keys: bool = False,
        templates: str | Sequence[str] = DEFAULT,
        too_long: Literal["error", "truncate"] = "error",
    ) -> None:
        super().__init__(shape, templates, too_long)
        if alpha < 0 or beta <= 0:
            raise InputError(f"alpha of a cache must be 0 or more and beta greater than 0, not {alpha:g} and {beta:g}.")
        self.alpha, self.beta, self.learn_keys = alpha, beta, learn_keys
        self.vocabulary = []
        self._keep(torch.empty(0, 0), torch.empty(0, dtype=torch.long))

    def _keep(self, keys: Tensor, classes: Tensor) -> None:
        if self.learn_keys:
            self.keys = nn.Parameter(keys)
        else:
            self.register_buffer("keys", keys)
        self.register_buffer("key_classes", classes)

    def set_vocabulary(self, texts: Sequence[str], embed_dim: int) -> None:
        """Name the classes of the keys."""
        self.vocabulary = list(texts)

    def learn_from(self, examples: Examples, own: Scorer) -> None:
        """Keep the training videos."""
        self._keep(examples.videos.detach().clone(), examples.target.clone())

    def make_room(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Take keys of other numbers than there are."""
        if {"keys", "key_classes"} <= shapes.keys() and shapes["keys"] != self.keys.shape:
            device = self.keys.device
            classes = torch.full(tuple(shapes["key_classes"]), -1, device=device)
            self._keep(torch.zeros(*shapes["keys"], device=device), classes)

    def classifier(
        self,
        texts: Sequence[str],
        text_features: Callable[[Sequence[str]], Float[Tensor, "K D"]],
        temperature: Float[Tensor, ""],
    ) -> CacheClassifier:
        """Scores of the texts, and of the keys whose class is one of them."""
        plain = Classifier(text_features(texts), temperature)
        names = [self.vocabulary[number] for number in self.key_classes.tolist()]
        values = torch.tensor([[name == text for text in texts] for name in dict.fromkeys(names)])
        place = {name: row for row, name in enumerate(dict.fromkeys(names))}
        of_keys = values.view(-1, len(texts))[[place[name] for name in names]].to(self.keys)
        return CacheClassifier(plain, self.keys, of_keys, self.alpha, self.beta)

    def unknown(self, texts: Sequence[str]) -> list[str]:
        """None: it scores any text."""
        return []

    def settings(self) -> dict[str, object]:
        """The constructor's arguments without the width, ready for JSON."""
        return {"alpha": self.alpha, "beta": self.beta, "learn_keys": self.learn_keys, **super().settings()}

    def describe(self) -> str:
        """As `TextHead.describe`."""
        keys = f"{len(self.keys):,} training videos as {'learned ' if self.learn_keys else ''}keys"
        return f"{super().describe()}, and {keys} (alpha {self.alpha:g}, beta {self.beta:g})"
