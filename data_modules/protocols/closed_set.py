"""Closed set: every class is seen in training."""

from collections.abc import Sequence
from dataclasses import replace

from data_modules.errors import InputError
from data_modules.protocols.drawing import draw_any, draw_by_class
from data_modules.protocols.protocol import Protocol, sizes
from data_modules.protocols.trial import DatasetIndex, Trial


class ClosedSet(Protocol):
    """Train on the official training videos, test on the official test videos.

    Where a data set has several official splits and more than one of them is asked for, each is a trial.

    Args:
        val_fraction: share of each class's training videos (of all, where there are no classes) held out to choose the
            best checkpoint on, where the data set has no validation videos of its own; with 0 the last checkpoint is
            tested.
    """

    def __init__(self, val_fraction: float = 0.0) -> None:
        if not 0 <= val_fraction < 1:
            raise InputError(f"protocol: val_fraction must be 0 or more and less than 1, not {val_fraction}")
        self.val_fraction = val_fraction

    def trials(self, index: DatasetIndex, seed: int) -> Sequence[Trial]:
        """One trial for each official split."""
        if "closed_set" in index.published:
            trials = index.published["closed_set"]()
        else:
            val = index.subset("val")
            tests = {"test": index.subset("test")}
            trials = [Trial("closed set", index.subset("train"), tests, val if val.records else None)]
        return [self._with_val(trial, seed) for trial in trials]

    def _with_val(self, trial: Trial, seed: int) -> Trial:
        if trial.val is not None or not self.val_fraction:
            return trial
        train = trial.train
        draw = draw_by_class if train.class_names else draw_any
        held_out = draw(train, lambda total: min(round(self.val_fraction * total), total - 1), seed)
        if not held_out.records:
            return trial
        return replace(trial, train=train.without(held_out.ids), val=held_out)

    def describe(self, index: DatasetIndex, trials: Sequence[Trial]) -> str:
        """How many classes are seen, in how many official splits, and the videos; captions have no classes."""
        names = len(trials[0].train.class_names)
        if not names:
            return f"retrieval among all videos of a split; {sizes(trials[0])} videos."
        several = f" {len(trials)} official splits, each trained and tested by itself;" if len(trials) > 1 else ""
        return f"closed set: all {names} classes are seen in training;{several} {sizes(trials[0])} videos."
