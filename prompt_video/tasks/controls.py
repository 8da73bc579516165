"""Controls: the same test with frames out of order, one frame alone, or made-up names, to catch who does not look."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from data_modules.batch import Batch
from data_modules.protocols.class_overlap import overlapping
from data_modules.protocols.trial import Subset, Trial
from prompt_video.model.frame_order import middle_frame, reordered
from prompt_video.model.nonsense_names import nonsense_names
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.tasks.evaluated import Evaluated
from prompt_video.tasks.results import Results

IN_ORDER, SHUFFLED, REVERSED, ONE_FRAME = "in_order", "shuffled", "reversed", "one_frame"
NONSENSE, CHANCE = "nonsense_names", "chance"
OVERLAPPING, OTHERS = "overlapping_classes", "other_classes"


class Controlled(Evaluated):
    """The half of a task that tests once more what it tests, as `Evaluated` does, but for one change.

    Frames change their order within each view of a video, by its id alone; one frame is the middle one of each view.
    Whatever the frames of a batch are from, they are encoded once for all controls. Validation has none.

    Attributes:
        with_controls: whether there are any.
        control_results: of each test, by control; ``in_order`` is the test itself.
        overlaps: of each test, the classes that are called as a class of training is, or nearly so, with its name;
            empty where all, or none, are its very classes.
    """

    model: VideoTextModel
    class_names: list[str]
    monitor: ClassVar[str]
    with_controls: bool
    control_results: dict[str, dict[str, Results]]
    overlaps: dict[str, dict[str, str]]

    def make_results(self, trial: Trial) -> None:
        """Get ready for validation, for the tests of a trial, and for their controls."""
        super().make_results(trial)
        of_tests = trial.tests if self.with_controls else {}
        self.control_results = {
            name: {control: self.new_control_results(name, subset) for control in self.controls()}
            for name, subset in of_tests.items()
        }
        known = set(trial.train.class_names)
        self.overlaps = {
            name: overlapping(subset.class_names, trial.train.class_names)
            for name, subset in of_tests.items()
            if not known.issuperset(subset.class_names)
        }

    def controls(self) -> list[str]:
        """Those that the method can take."""
        by_name = [] if self.names_left_out() is not None else [NONSENSE]
        return [SHUFFLED, REVERSED, ONE_FRAME, *by_name]

    def names_left_out(self) -> str | None:
        """Why class names are not made up, in words; None: they are."""
        if (own := self.model.prompt.beside_names) is None:
            return None
        return f"made-up names are left out: the method knows its classes by {own}, not by their names alone"

    @property
    def control_figure(self) -> str:
        """The one figure that controls are compared by."""
        return self.monitor.removeprefix("val/")

    def new_control_results(self, name: str, subset: Subset) -> Results:
        """What gathers the results of a test under one control; the frozen backbone's figures are not asked for."""
        return self.new_results("val", subset)

    def evaluate_control(self, batch: Batch, control: str) -> None:
        """Score a batch of a test under one control, and update ``results`` of its subset."""
        self.evaluate(changed(batch, control))

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score some videos of a test, and once more under each control."""
        own = self.control_results.get(batch["subset"], {})
        if own and "features" not in batch and batch["video_id"]:
            batch = {**batch, "features": self.model.frame_features(batch)}
        super().test_step(batch, batch_idx, dataloader_idx)
        for control, results in own.items():
            if batch["video_id"]:
                with self._as_results(batch["subset"], results):
                    self.evaluate_control(batch, control)

    @contextmanager
    def _as_results(self, name: str, results: Results) -> Iterator[None]:
        """Results of one control stand in the place of the test's."""
        own = self.results
        self.results = {**own, name: results}
        try:
            yield
        finally:
            self.results = own

    def all_results(self) -> list[Results]:
        """Of validation, tests and controls."""
        of_controls = [results for own in self.control_results.values() for results in own.values()]
        return [*super().all_results(), *of_controls]

    def logged(self, figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """The figures of tests, and those of their controls as ``controls/...``."""
        tests = [name for name in figures if name in self.control_results and figures[name]]
        places = {name: "controls" if name == "test" else f"controls/{name}" for name in tests}
        controls = {
            f"{places[name]}/{control}/{figure}": value
            for name in tests
            for control, own in self.figures_of_controls(name, figures[name]).items()
            for figure, value in own.items()
        }
        return {**super().logged(figures), **controls}

    def figures_of_controls(self, name: str, figures: Mapping[str, float]) -> dict[str, dict[str, float]]:
        """What a test came to under each control; on several processes all have to ask.

        Args:
            name: of the test.
            figures: of the test.
        """
        found: dict[str, Mapping[str, float]] = {IN_ORDER: figures}
        for control, results in self.control_results[name].items():
            results.gather()
            found[control] = results.compute()
        figure = self.control_figure
        compared = {control: {figure: own[figure]} for control, own in found.items() if figure in own}
        by_chance = [own.chance for own in self.control_results[name].values() if own.chance is not None]
        if by_chance:
            compared[CHANCE] = {figure: by_chance[0]}
        return {**compared, **self._by_overlap(name)}

    def _by_overlap(self, name: str) -> dict[str, dict[str, float]]:
        """The figure over the classes that are called as those of training are, and over the others."""
        results, alike = self.results[name], self.overlaps.get(name, {})
        groups = {OVERLAPPING: results.of_classes(alike), OTHERS: results.of_classes(alike, inverted=True)}
        own = {
            group: {f: v for f, v in figures.items() if f == self.control_figure} for group, figures in groups.items()
        }
        return own if all(own.values()) else {}

    def about_controls(self) -> dict[str, Any]:
        """What belongs to the figures of controls, ready for JSON: what was left out, and which classes overlap."""
        if not self.with_controls:
            return {}
        left_out = self.names_left_out()
        told = {"left_out": left_out} if left_out is not None else {}
        return {**told, **({"overlapping": own} if (own := {k: v for k, v in self.overlaps.items() if v}) else {})}


def changed(batch: Batch, control: str) -> Batch:
    """A batch of whole videos as one control has it."""
    if control == NONSENSE:
        return {**batch, "text": nonsense_names(len(batch["text"]))}
    frames, mask = batch["features"], batch["mask"]
    if control == ONE_FRAME:
        time_sec = middle_frame(batch["time_sec"].unsqueeze(-1), mask).squeeze(-1)
        return {
            **batch,
            "features": middle_frame(frames, mask),
            "mask": mask.any(1, keepdim=True),
            "time_sec": time_sec,
        }
    keys = [f"{video_id} {view}" for video_id in batch["video_id"] for view in range(batch["num_views"])]
    return {**batch, "features": reordered(frames, mask, "reversed" if control == REVERSED else "shuffled", keys)}
