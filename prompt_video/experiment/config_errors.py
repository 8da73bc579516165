"""Mistakes in a configuration, said in one readable message with the nearest valid name.

jsonargparse reports every way in which a value failed to be what it might have been, nested as the types are. What a
person needs of it is where, what, and what instead.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import yaml
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser
from omegaconf.errors import OmegaConfBaseException

from data_modules.errors import InputError
from data_modules.loading.sampling import Sampler
from data_modules.loading.windows import Windows
from data_modules.modules.base import VideoDataModule
from data_modules.protocols import Protocol
from prompt_video.backbones.prompted_text import TextHead
from prompt_video.experiment.class_paths import guard_imports
from prompt_video.io.bounded_yaml import bound_loader
from prompt_video.io.suggest import nearest
from prompt_video.localization.detector import ProposalDetector
from prompt_video.localization.suppression import Suppression
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.tasks.base import VideoTextTask

_BASES: tuple[type, ...] = (
    VideoTextTask,
    VideoDataModule,
    Protocol,
    Sampler,
    Windows,
    TextHead,
    TemporalEncoder,
    ProposalDetector,
    Suppression,
)
_UNKNOWN_OPTION = re.compile(
    r"(?:unrecognized arguments: --|[Oo]ption '|[Kk]ey '|does not accept option ')([\w.]+)(?:'? is not|'| ?=|$)", re.M
)
_UNKNOWN_CLASS = re.compile(
    r"(?:Expected a dot import path string: |Import path |Unable to import |No module named )'?([\w.]+)"
)
_FOREIGN_CLASS = re.compile(r"(?:(?<=- )[\w.]+: )?there is no [\w ]+ '[\w.]+' to be seen in its source[^.]*\.")
_OTHER_KIND = re.compile(r"to a subclass of (\w+)$|to be a (?:function that returns|subclass of) <class '(\w+)'>", re.M)
_WANTED = re.compile(r"Expected an? (?:<class '([\w.]+)'>|typing\.Literal\[(.*?)\])(?:\. Got value: (.*))?$", re.M)
_EMPTY = re.compile(r"<class 'NoneType'>|Expected a path|Does not validate against")
_SAID = {"NoneType": "null", "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}


PARSER_MODE = "omegaconf"

bound_loader(PARSER_MODE)
guard_imports()


class ConfigError(InputError):
    """Something in a configuration that the parser does not accept."""


class ExperimentParser(LightningArgumentParser):
    """A parser that raises `ConfigError` instead of printing its usage and leaving."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Called by jsonargparse with everything that is wrong with the arguments."""
        raise ConfigError(explain(message, _option_names(self)))

    def parse_path(self, cfg_path: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - jsonargparse's signature
        """A configuration file; what it cannot be read for names it."""
        with reading(f"the configuration {cfg_path}"):
            try:
                return super().parse_path(cfg_path, *args, **kwargs)
            except ConfigError as error:
                raise ConfigError(f"the configuration {cfg_path}: {error}") from error

    def instantiate_classes(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - jsonargparse's signature
        """Build all classes; what a constructor has against its arguments is its own message alone."""
        try:
            return super().instantiate_classes(*args, **kwargs)
        except ValueError as error:
            raise InputError(_innermost(error)) from error


@contextmanager
def reading(what: str) -> Iterator[None]:
    """One sentence for each way in which a configuration cannot be read that the parser does not know of.

    Args:
        what: is read, to begin the sentence.

    Raises:
        ConfigError: in the place of what the libraries beneath the parser raise.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} is no text in UTF-8: {error.reason} at byte {error.start}.") from error
    except RecursionError as error:
        raise ConfigError(f"{what} is nested too deeply, or holds itself.") from error
    except OmegaConfBaseException as error:
        key = f" (at {error.full_key})" if error.full_key else ""
        said = re.sub(r'^\w+ raised while resolving interpolation: "?|"$', "", _first_line(error))
        raise ConfigError(f"{what} holds ${{...}} that leads nowhere{key}: {said}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{what} is no YAML: {' '.join(str(error).split())}.") from error
    except UnicodeEncodeError as error:
        raise ConfigError(f"{what} holds signs that no text has: {error.object[error.start : error.end]!r}.") from error


@contextmanager
def making_trainer() -> Iterator[None]:
    """What Lightning has against the trainer's settings, as a mistake in them.

    Raises:
        ConfigError: in the place of what the trainer raises.
    """
    try:
        yield
    except InputError:
        raise
    except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
        said = _first_line(error)
        hint = "; --trainer.accelerator auto takes what is there" if re.search("accelerator|backend", said) else ""
        raise ConfigError(f"trainer: {said}{hint}.") from error


@contextmanager
def misconfigured() -> Iterator[None]:
    """What Lightning finds wrong with the settings in the midst of a run, as a mistake in them.

    Raises:
        ConfigError: in its place.
    """
    try:
        yield
    except MisconfigurationException as error:
        raise ConfigError(f"trainer: {_first_line(error)}.") from error


def _innermost(error: ValueError | OSError) -> str:
    """Of a mistake that the parser wrapped in all the settings: the words that name it."""
    at: BaseException | None = error
    while at is not None and not isinstance(error, InputError):
        error = at if isinstance(at, ValueError | OSError) else error
        at = at.__cause__ or at.__context__
    return str(error)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".! ") if text else type(error).__name__


def explain(message: str, known: set[str]) -> str:
    """Say what a message of jsonargparse comes to.

    Args:
        message: as jsonargparse words it; what is nested in it has been explained already.
        known: valid names of options.
    """
    head = re.match(r'Parser key "([\w.]+)":\s*(.*)', message, re.S)
    where, body = (head[1], head[2]) if head else ("", message)
    reasons = [line.strip().removeprefix("- ") for line in body.splitlines() if line.strip().startswith("- ")]
    telling = [reason for reason in reasons if not _EMPTY.search(reason)]
    if any(_WANTED.search(reason) for reason in telling):  # where a number may stand, a name of a class is not meant
        telling = [reason for reason in telling if not reason.startswith("Expected a dot import path")]
    inner = next((reason for reason in telling if not _WANTED.search(reason)), None)
    if foreign := _FOREIGN_CLASS.search(body):
        reason = foreign[0]
    elif inner is not None and re.match(r"[\w.]+: |there is ", inner):
        reason = inner
    elif inner is not None:
        reason = _plain(inner, known)
    else:
        reason = _plain("\n".join(line for line in body.splitlines() if "dot import path" not in line), known)
    if not where:
        return reason
    return f"{where}.{reason}" if re.match(r"[\w.]+: ", reason) else f"{where}: {reason}"


def _plain(text: str, known: set[str]) -> str:
    """One reason, without nesting."""
    if missing := re.search(r"File does not exist: '?([^'\n]+)'?", text):
        return f"there is no file {missing[1]}."
    if option := _UNKNOWN_OPTION.search(text):
        name = option[1].removesuffix(".")
        # Of a dotted name the first part that nobody knows is the mistaken one.
        wrong = next((part for part in name.split(".") if part not in known), name)
        return f"there is no option '{wrong}'{nearest(wrong, known)}"
    if gone := re.search(r"module '([\w.]+)' has no attribute '(\w+)'", text):
        there = vars(sys.modules[gone[1]]) if gone[1] in sys.modules else {}
        return f"there is no class '{gone[1]}.{gone[2]}'{nearest(gone[2], there)}"
    if other_kind := _OTHER_KIND.search(text):
        return f"this is no {other_kind[1] or other_kind[2]}."
    if class_name := _UNKNOWN_CLASS.search(text):
        return f"there is no class '{class_name[1]}'{nearest(class_name[1], _class_names())}"
    wanted = _WANTED.findall(text)
    given = next((value for _, _, value in wanted if value), "")
    if not given and (found := re.search(r"^\s*Given value: (.*)$", text, re.M)):
        given = found[1]
    kinds = ["one of " + choices.replace("'", "") if choices else _SAID.get(kind, kind) for kind, choices, _ in wanted]
    if kinds:
        return f"expected {' or '.join(dict.fromkeys(kinds))}, not {given}." if given else f"expected {kinds[0]}."
    return " ".join(text.split())


def _option_names(parser: LightningArgumentParser) -> set[str]:
    """Names of all options, of the parser and of every class that can be named in a configuration."""
    names = {"model", "data", "trainer", "class_path", "init_args"}
    names |= {part for action in parser._actions for part in action.dest.split(".")}
    for cls in (*_known_classes(), Trainer):
        names |= set(inspect.signature(cls.__init__).parameters)
    return names - {"self", "args", "kwargs", "options"}


def _class_names() -> set[str]:
    return {cls.__name__ for cls in _known_classes()}


def _known_classes() -> Iterator[Any]:
    waiting: list[type] = list(_BASES)
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        yield cls
