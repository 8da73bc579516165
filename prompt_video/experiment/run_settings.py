"""A checkpoint's own settings: its run folder says what was trained on what, so that using it takes no more words."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from prompt_video.io.run_files import CONFIG, TRIALS, run_of
from prompt_video.io.verb_parser import underscored

VERBS = ("validate", "test", "predict")  # what uses a checkpoint; `fit` goes on with it, in the words that began it
_CHECKPOINT, _SETTINGS, _NAME = "--ckpt_path", ("--config", "-c"), "--name"


def as_lightning_calls_them(typed: Iterable[str]) -> list[str]:
    """Options in their one spelling; a checkpoint is ``--ckpt`` in all verbs."""
    return [re.sub("^--ckpt(?==|$)", _CHECKPOINT, word) for word in underscored(typed)]


def with_settings_of_run(words: Sequence[str]) -> list[str]:
    """The command line with the settings of the run that a checkpoint is of, where it names no others.

    What is typed besides goes before the run's; the run's own folder is left as it is, and whether it was quiet says
    nothing of another one.

    Args:
        words: the verb and its options, in their one spelling.
    """
    words = list(words)
    checkpoint = _value(words, _CHECKPOINT) if words[:1] and words[0] in VERBS else None
    run = run_of(Path(checkpoint)) if checkpoint and checkpoint != "last" else None
    if run is None or any(_value(words, option) is not None for option in _SETTINGS):
        return words
    name = [] if _value(words, _NAME) is not None else [f"{_NAME}={run.absolute().parent.name}"]
    trial = [f"--data.trial={number}"] if (number := _trial_of(Path(str(checkpoint)), run)) is not None else []
    return [words[0], f"--config={run / CONFIG}", "--run_folder=null", "--quiet=false", *name, *trial, *words[1:]]


def _value(words: Sequence[str], option: str) -> str | None:
    """What is typed behind an option, the last time."""
    value = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == option:
            value = following
        elif word.startswith(f"{option}="):
            value = word.partition("=")[2]
    return value


def _trial_of(checkpoint: Path, run: Path) -> int | None:
    """The number of the trial that left a checkpoint in its folder."""
    place = checkpoint.absolute().parent
    return int(place.name) if place.parent == run.absolute() / TRIALS and place.name.isdecimal() else None
