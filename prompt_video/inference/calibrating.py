"""When a video shows none of the candidates, chosen from a handful of clips in class folders."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from data_modules.annotations.class_folders import Row, rows_of_folders
from data_modules.annotations.class_names import as_read
from data_modules.errors import BrokenVideoError, InputError
from data_modules.files.text_files import cut
from prompt_video.io.progress import Steps
from prompt_video.model.none_of_these import NONE_OF_THESE
from prompt_video.model.rejection import ChosenThreshold, Rejection, check_known, choose_threshold

if TYPE_CHECKING:
    from prompt_video.inference.loaded import LoadedModel

log = logging.getLogger(__name__)

NONE = ("none", NONE_OF_THESE)  # folders of clips that show none of the classes


class Calibrated(NamedTuple):
    """A rule, and what it does with the clips that it was calibrated on."""

    rule: Rejection
    chosen: ChosenThreshold

    def describe(self) -> str:
        """In words."""
        return f"{self.rule.describe()}: {self.chosen.describe()}"


class _Clip(NamedTuple):
    path: Path
    is_known: bool


def calibrate(model: "LoadedModel", folder: Path, texts: Sequence[str], *, show: bool = False) -> Calibrated:
    """The threshold that tells clips of the candidates best from others, with the bank that the model has, if any.

    Args:
        model: scores the clips. Its rule stays as it is.
        folder: with a folder of clips for each candidate, or for some of them, and perhaps one called ``none``.
        texts: the candidates.
        show: show how far the work is.

    Raises:
        InputError: when there is no such folder, or clips of another class in it, or nothing can be told from them.
    """
    bank = model.rejection.bank if model.rejection is not None else ()
    rule = Rejection(0.0, bank)
    if model.independent is None:
        rule.check(texts)
    clips = _clips(folder, texts)
    check_known([clip for clip in clips if clip.is_known])
    confidence: dict[bool, list[float]] = {True: [], False: []}
    with model.ruled_by(rule), Steps("calibrating", len(clips), "clips", show=show) as steps:
        for clip in clips:
            try:
                confidence[clip.is_known].append(model.score(clip.path, texts).confidence)
            except BrokenVideoError as error:
                log.warning("cannot be used: %s: %s", error.path, error.reason)
            steps.advance()
    chosen = choose_threshold(confidence[True], confidence[False])
    return Calibrated(Rejection(chosen.threshold, bank, tuple(texts)), chosen)


def classes_in(folder: Path) -> list[str]:
    """The classes that a folder has clips of; underscores are blanks.

    Raises:
        InputError: when there is no such folder.
    """
    names = dict.fromkeys(row.label.replace("_", " ") for row in _rows(folder))
    return [name for name in names if as_read(name) not in NONE]


def _rows(folder: Path) -> list[Row]:
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder} of clips to calibrate on.")
    return rows_of_folders(folder)


def _clips(folder: Path, texts: Sequence[str]) -> list[_Clip]:
    known = {as_read(text) for text in texts}
    clips = []
    for row in _rows(folder):
        name = as_read(row.label.replace("_", " "))
        if name not in known and name not in NONE:
            raise InputError(
                f"{row.path.parent} holds clips of '{cut(row.label)}', which is none of the {len(texts)} classes that "
                f"are asked for: name it among them, or put what shows none of them into {folder / NONE[0]}."
            )
        clips.append(_Clip(row.path, name in known))
    return clips
