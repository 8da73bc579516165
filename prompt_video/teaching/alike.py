"""How alike two classes are to the frozen model: in their names, and in their clips."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from data_modules.features.store import FeatureStore
from prompt_video.teaching.examples import Examples
from prompt_video.teaching.held_out import Confusion


@dataclass(frozen=True)
class Likeness:
    """Cosines of each two classes.

    Args:
        names: of the classes.
        texts: of their names.
        clips: of the means of their clips.
    """

    names: Sequence[str]
    texts: Float[Tensor, "K K"]
    clips: Float[Tensor, "K K"]

    def told(self, confusion: Confusion) -> str:
        """A sentence on two classes that are too alike."""
        a, b = self.names.index(confusion.truth), self.names.index(confusion.taken_for)
        several = len(self.names) > 2
        texts, clips = (
            f"{one[a, b]:.2f}{f' ({_mean(one):.2f})' if several else ''}" for one in (self.texts, self.clips)
        )
        return (
            f"'{confusion.truth}' and '{confusion.taken_for}' are too alike for these examples: {confusion.times} of "
            f"{confusion.of} held-out ones of the first are taken for the second. Cosine of their names {texts}, of "
            f"their clips {clips}{'; in brackets the mean of all classes' if several else ''}. Add clips that show the "
            "difference, or join the two."
        )


def likeness(examples: Examples, store: FeatureStore, texts: Float[Tensor, "K D"]) -> Likeness:
    """Of the classes of some examples.

    Args:
        examples: that learning is from.
        store: frame features of their clips.
        texts: of the names of the classes, in the order of the alphabet.
    """
    names = sorted(examples.counts)
    means = torch.zeros(len(names), store.recipe.dim)
    for path, name in examples.clips.items():
        video_id = path.relative_to(examples.root).as_posix()
        frames = store.read(video_id)
        means[names.index(name)] += F.normalize(F.normalize(frames.float(), dim=-1).mean(0), dim=-1)
    unit_texts, unit_clips = F.normalize(texts.float().cpu(), dim=-1), F.normalize(means, dim=-1)
    return Likeness(names, unit_texts @ unit_texts.T, unit_clips @ unit_clips.T)


def _mean(cosines: Float[Tensor, "K K"]) -> float:
    """Over all pairs of two."""
    return float(cosines[~torch.eye(len(cosines), dtype=torch.bool)].mean())
