"""How far a lesson is: features of the clips, the folds of each method, the last training."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from data_modules.modules.extraction import ExtractionTask
from prompt_video.trials.stacked_task import StackedTask

Tell = Callable[[float, float, str], None]  # parts that are done, of how many, and what is being done


class LessonProgress(Callback):
    """Counts the parts of a lesson, a part of one for each epoch and each clip.

    Args:
        total: parts of the whole lesson.
        tell: hears of every step; what it raises ends the lesson.
    """

    def __init__(self, total: float, tell: Tell) -> None:
        self.total, self._tell = total, tell
        self._before, self._within, self._size, self._trainings, self._what = 0.0, 0.0, 0.0, 1, ""

    def begin(self, what: str, size: float, trainings: int = 1) -> None:
        """A new part begins, and what was before it is done.

        Args:
            what: it is, for people.
            size: of it, in parts of the lesson.
            trainings: that it has.
        """
        self._before += self._size
        self._what, self._size, self._trainings = what, size, trainings
        self._to(0.0)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """One epoch more, of one training or of several at a time."""
        count = len(pl_module.tasks) if isinstance(pl_module, StackedTask) else 1
        self._to(self._within + count / max(trainer.max_epochs or 1, 1) / self._trainings)

    def on_predict_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any, **options: Any) -> None:  # noqa: ANN401 - Lightning's
        """Some clips more have features."""
        if isinstance(pl_module, ExtractionTask):
            self._to(pl_module.num_finished / max(pl_module.num_videos, 1))

    def _to(self, within: float) -> None:
        self._within = min(within, 1.0)
        self._tell(self._before + self._size * self._within, self.total, self._what)
