"""Files of methods and scales, and which of them are for a task; nothing is imported that learns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_modules.errors import InputError
from prompt_video.experiment.packaged import nearest_first, packaged
from prompt_video.io.bounded_yaml import read_mapping
from prompt_video.io.former_settings import task_of_today
from prompt_video.io.suggest import nearest

Fragment = Mapping[str, Any]  # of a file: arguments by class of task; of a method's also such fragments by scale


def methods_of(classes: Sequence[str]) -> list[str]:
    """Names of the packaged methods that a task can be trained with.

    Args:
        classes: names of the task's class and of its bases.
    """
    return [name for name, path in packaged("method").items() if set(classes) & read_fragment(path).keys()]


def check_method(name: str, classes: Sequence[str]) -> None:
    """Refuse a method that says nothing of a task.

    Args:
        name: of a packaged one, or path of a file.
        classes: names of the task's bases and, last, of its class.

    Raises:
        InputError: with the methods that do.
    """
    if Path(name).is_file():
        fragment = read_fragment(Path(name))
        if not set(classes) & fragment.keys():
            raise InputError(f"the method {name} says nothing of {classes[-1]}, but of {', '.join(fragment)}.")
        return
    path = packaged("method").get(name)
    if path is None or not set(classes) & read_fragment(path).keys():
        known = methods_of(classes)
        raise InputError(
            f"there is no method '{name}' for {classes[-1]}{nearest(name, known)} "
            f"There are {', '.join(nearest_first(name, known))}; or name a file."
        )


def read_fragment(path: Path) -> Fragment:
    """The arguments in a file of a method or a scale, by class of task.

    Raises:
        InputError: when it holds something else.
    """
    fragment = read_mapping(path)
    if not fragment or not all(isinstance(value, dict) for value in fragment.values()):
        raise InputError(
            f"{path} needs arguments by class of task, such as `RecognitionTask: {{prompt: PromptLearner}}`."
        )
    return {name: task_of_today(arguments) for name, arguments in fragment.items()}
