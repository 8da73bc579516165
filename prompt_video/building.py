"""One part of an experiment, built from its settings as the command line would."""

import copy
from typing import Any

from data_modules.errors import InputError
from prompt_video.config_errors import ExperimentParser


def build(base: type, settings: Any, **changes: Any) -> Any:  # noqa: ANN401 - what the settings name
    """Build the class that settings name.

    Args:
        base: what it is a class of.
        settings: ``class_path`` and ``init_args``, as the command line resolved them.
        changes: constructor arguments that shall be others.

    Raises:
        InputError: what its constructor said of the user's mistake.
    """
    parser = ExperimentParser()
    parser.add_lightning_class_args(base, "part", subclass_mode=True)
    # The parser writes what it parsed into the very lists that it is given.
    arguments = {**settings["init_args"].as_dict(), **copy.deepcopy(changes)}
    described = {"class_path": settings["class_path"], "init_args": arguments}
    try:
        return parser.instantiate_classes(parser.parse_object({"part": described})).part
    except Exception as error:
        if (told := _told(error)) is None:
            raise
        raise InputError(told) from error


def _told(error: BaseException | None) -> str | None:
    """What a constructor said of the user's mistake, where the parser wrapped it."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__ or error.__context__
    return None if error is None else str(error)
