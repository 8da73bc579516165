"""The model of an experiment, put together of a scale and a method that it names.

Files of both hold arguments of constructors, below the class of task that they are for; what is said of a base class
counts for its subclasses too. The method is laid over the scale, and over both what the experiment's own ``model``
says. Where two name different classes for a part, nothing of the one below is kept.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from data_modules.errors import InputError
from prompt_video.experiment.class_paths import ForeignClassError, check_class_path, subclasses
from prompt_video.experiment.fragments import Fragment, check_method, read_fragment
from prompt_video.experiment.packaged import Kind, file_of, packaged
from prompt_video.io.suggest import nearest
from prompt_video.tasks.base import VideoTextTask

CHOOSE = "choose"  # in a method's file: lists of values, by class of task and setting
FULL = "full"  # the scale of whatever names no other


def composed(task: type[VideoTextTask], method: str, scale: str = FULL) -> dict[str, Any]:
    """The arguments of a task that a method and a scale ask for.

    Args:
        task: what they are arguments of.
        method: name of a packaged one, or path of a file.
        scale: as ``method``.

    Raises:
        InputError: when one is missing, says nothing of this task, or its file cannot be read.
    """
    classes = [cls.__name__ for cls in reversed(task.__mro__)]
    chosen = _method(method, classes)
    layers = (_read("scale", scale), chosen, chosen.get(Path(scale).stem, {}))
    arguments: dict[str, Any] = {}
    for layer in layers:
        for name in classes:
            arguments = laid_over(arguments, layer.get(name, {}))
    return arguments


def choices_of(task: type[VideoTextTask], method: str) -> dict[str, list[float]]:
    """The lists that a method's constants are chosen from, by setting of a task; see `prompt_video.trials.choosing`."""
    chosen = _method(method, [cls.__name__ for cls in reversed(task.__mro__)]).get(CHOOSE, {})
    return dict(chosen.get(task.__name__, {}))


def laid_over(below: Any, above: Any) -> Any:  # noqa: ANN401 - values of YAML
    """Two values of one setting as one: mappings are merged, and of anything else the upper one is taken."""
    if _is_part(below) or _is_part(above):
        below, above = (_spelt_out(value) for value in (below, above))
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)) or _other_class(below, above):
        return above
    return {**below, **{key: laid_over(below[key], value) if key in below else value for key, value in above.items()}}


def task_class(path: str) -> type[VideoTextTask] | None:
    """The class of task that a setting names; None where there is no such class, as the parser will tell.

    Args:
        path: a bare name of a class that is loaded, or ``package.module.Class``.
    """
    module, _, name = path.rpartition(".")
    if not module:
        return next((cls for cls in subclasses(VideoTextTask) if cls.__name__ == name), None)
    try:
        check_class_path(path, (VideoTextTask,))
        cls = getattr(import_module(module), name, None)
    except (ForeignClassError, ModuleNotFoundError):
        return None
    return cls if isinstance(cls, type) and issubclass(cls, VideoTextTask) else None


def _method(name: str, classes: list[str]) -> Fragment:
    """What a method says, if it does of a task with these classes, from the base up."""
    fragment = _read("method", name) if Path(name).is_file() else None
    check_method(name, classes)
    return _read("method", name) if fragment is None else fragment


def _read(kind: Kind, name: str) -> Fragment:
    """The file of a method or a scale, its keys looked through."""
    path = file_of(kind, name)
    fragment = read_fragment(path)
    scales = set(packaged("scale")) if kind == "method" else set()
    tasks = {cls.__name__ for cls in subclasses(VideoTextTask)}
    keys = [
        *(key for key in fragment if key != CHOOSE),
        *fragment.get(CHOOSE, {}),
        *(key for scale in scales for key in fragment.get(scale, {})),
    ]
    if (unknown := next((str(key) for key in keys if key not in tasks | scales), None)) is not None:
        raise InputError(f"{path}: there is no task '{unknown}'{nearest(unknown, tasks)}")
    return fragment


def _is_part(value: object) -> bool:
    """Whether it describes an object to build."""
    return isinstance(value, Mapping) and bool({"class_path", "init_args"} & value.keys())


def _spelt_out(value: Any) -> Any:  # noqa: ANN401 - values of YAML
    """The short form of an object to build, the name of its class alone, as the long one."""
    return {"class_path": value} if isinstance(value, str) else value


def _other_class(below: Fragment, above: Fragment) -> bool:
    one, other = (str(part.get("class_path", "")).rpartition(".")[2] for part in (below, above))
    return bool(one and other and one != other)
