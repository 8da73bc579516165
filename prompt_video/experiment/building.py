"""One part of an experiment, built from its settings as the command line would."""

import copy
from typing import Any

from prompt_video.experiment.config_errors import ExperimentParser


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
    return parser.instantiate_classes(parser.parse_object({"part": described})).part
