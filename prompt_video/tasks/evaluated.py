"""The one loop over validation and tests: videos are scored, results gathered, figures logged."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lightning.pytorch import LightningModule

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.protocols.trial import Subset, Trial
from prompt_video.tasks.results import Results


class Evaluated(LightningModule, ABC):
    """The half of a task that is validated and tested."""

    results: Mapping[str, Results]  # of validation and of each test
    progress: ClassVar[tuple[str, ...]] = ()  # figures of validation that stand beside the progress bar

    @abstractmethod
    def new_results(self, name: str, subset: Subset) -> Results:
        """What gathers the results of one subset.

        Args:
            name: ``val``, or that of a test.
            subset: its videos and candidates.
        """

    @abstractmethod
    def evaluate(self, batch: Batch) -> None:
        """Score a batch of validation or of a test, and update ``results`` of its subset."""

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score some validation videos."""
        self.evaluate(batch)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score some videos of a test."""
        self.evaluate(batch)

    def on_validation_epoch_start(self) -> None:
        """Forget an earlier validation."""
        self.reset_results()

    def on_test_epoch_start(self) -> None:
        """Forget an earlier test."""
        self.reset_results()

    def on_predict_epoch_start(self) -> None:
        """Forget earlier results.

        Raises:
            InputError: on several processes: each would only know, and write, its own share.
        """
        if self.trainer.world_size > 1:
            raise InputError("predict runs on one device; set --trainer.devices 1.")
        self.reset_results()

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """What is to be written of each video; a row each.

        Raises:
            InputError: when the task has none.
        """
        raise InputError(f"{type(self).__name__} can be trained and tested, but has no predictions to write.")

    def reset_results(self) -> None:
        """Forget earlier results."""
        for results in self.all_results():
            results.reset()
            if self.trainer.world_size > 1:
                results.to(self.device)  # where processes can gather what each of them has

    def all_results(self) -> list[Results]:
        """All that are gathered."""
        return list(self.results.values())

    def on_validation_epoch_end(self) -> None:
        """Log the figures of validation."""
        for key, value in self.figures("val").items():
            self.log(f"val/{key}", value, prog_bar=key in self.progress, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        """Log the figures of every test."""
        figures = {name: self.figures(name) for name in self.tests}
        # Alike on all processes already, which Lightning cannot know.
        self.log_dict(self.logged({name: own for name, own in figures.items() if own}), sync_dist=True)

    @property
    def tests(self) -> dict[str, Results]:
        """The results of each test."""
        return {name: results for name, results in self.results.items() if name != "val"}

    def figures(self, name: str) -> dict[str, float]:
        """What validation or a test came to on all processes, which all have to ask; none if nothing was scored."""
        self.results[name].gather()
        return self.results[name].compute()

    def logged(self, figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """All that a test logs.

        Args:
            figures: of each test that was scored.
        """
        return self.named(figures)

    def named(self, figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """The figures of all tests as they are logged: those of the only one as ``test/...``, else ``test/<name>/...``.

        Args:
            figures: of each test that was scored.
        """
        places = {name: "test" if name == "test" else f"test/{name}" for name in figures}
        return {f"{places[name]}/{key}": value for name, own in figures.items() for key, value in own.items()}

    def check_trials(self, trials: Sequence[Trial]) -> None:
        """Refuse trials that the task can make nothing of, before anything is computed; here none.

        Args:
            trials: of an experiment.

        Raises:
            InputError: naming the first video or class.
        """

    def details(self) -> dict[str, Any]:
        """What ``results.json`` has of the tests beside their figures, ready for JSON; here nothing."""
        return {}

    def make_results(self, trial: Trial) -> None:
        """Get ready for validation and for the tests of a trial."""
        self.results = {name: self.new_results(name, part) for name, part in trial.subsets.items() if name != "train"}
