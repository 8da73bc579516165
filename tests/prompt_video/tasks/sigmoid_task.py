"""A task of one's own, in one file: each class name is a question of its own, answered by yes or no."""

from typing import ClassVar

from jaxtyping import Bool
from torch import Tensor
from torch.nn import functional as F

from data_modules.batch import Batch
from data_modules.protocols.trial import Subset
from data_modules.typed_options import Unpack
from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.options import NamingOptions
from prompt_video.tasks.results import Results, in_turn, shares_of_processes


class SigmoidResults(Results):
    """Whether each question was answered right."""

    def __init__(self) -> None:
        super().__init__()
        self.right: list[bool] = []

    def update(self, right: Bool[Tensor, "B K"]) -> None:
        """Add the answers for some videos."""
        self.right += right.flatten().tolist()

    def reset(self) -> None:
        """Forget all answers."""
        self.right = []

    def gather(self) -> None:
        """Bring together what all processes have."""
        self.right = in_turn(shares_of_processes(self.right))

    def compute(self) -> dict[str, float]:
        """The share of right answers."""
        return {"accuracy": sum(self.right) / len(self.right)} if self.right else {}


class SigmoidTask(VideoTextTask):
    """Say of every class name whether it fits: binary cross-entropy.

    Args:
        threshold: scores from here on mean yes.
        options: those that all tasks share, see `VideoTextTask`.
    """

    monitor: ClassVar[str] = "val/accuracy"

    def __init__(self, threshold: float = 0.0, **options: Unpack[NamingOptions]) -> None:
        super().__init__(**options)
        self.threshold = threshold
        self.results: dict[str, SigmoidResults] = {}

    def new_results(self, name: str, subset: Subset) -> SigmoidResults:
        """Answers."""
        return SigmoidResults()

    def loss(self, batch: Batch) -> Tensor:
        """Binary cross-entropy of every view and class name."""
        scores = self.model(batch)
        target = batch["target"].repeat_interleave(batch["num_views"])
        return F.binary_cross_entropy_with_logits(scores, F.one_hot(target, scores.shape[-1]).to(scores))

    def evaluate(self, batch: Batch) -> None:
        """Note which answers are right."""
        if len(batch["target"]):
            scores = self.model(batch).unflatten(0, (-1, batch["num_views"])).mean(1)
            truth = F.one_hot(batch["target"], scores.shape[-1]).bool()
            self.results[batch["subset"]].update((scores >= self.threshold) == truth)
