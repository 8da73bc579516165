"""Mistakes in a configuration, said in one readable message with the nearest valid name."""

import inspect
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NoReturn

import torch
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
from prompt_video.experiment.class_paths import guard_imports, subclasses
from prompt_video.io.bounded_yaml import bound_loader
from prompt_video.io.parser_messages import ConfigError, explain
from prompt_video.localization.detector import ProposalDetector
from prompt_video.localization.suppression import Suppression
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.text_head import TextHead
from prompt_video.tasks.base import VideoTextTask

CONFIGURED: tuple[type, ...] = (
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
PARSER_MODE = "omegaconf"


@cache
def _prepare_jsonargparse() -> None:
    """Once for all parsers of this process: bounded YAML, and nothing imported that no setting takes."""
    bound_loader(PARSER_MODE)
    guard_imports()


class ExperimentParser(LightningArgumentParser):
    """A parser that raises `ConfigError` instead of printing its usage and leaving."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Lightning's
        _prepare_jsonargparse()
        super().__init__(*args, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Called by jsonargparse with everything that is wrong with the arguments."""
        raise ConfigError(explain(message, _option_names(self), _class_names()))

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
        said = " ".join(str(error).split())
        if re.search("No supported gpu backend|CUDAAccelerator. can not run", said):
            said = "there is no GPU here that torch can use"
        elif asked := re.search(r"You requested gpu: (.*?) But your machine only has: (.*)$", said):
            said = f"GPUs {asked[1].strip('[]')} are asked for, and here are {asked[2].strip('[]') or 'none'}"
        else:
            said = _first_line(error)
        is_place = re.search("accelerator|backend|GPU", said)
        hint = "; --trainer.accelerator auto --trainer.devices auto take what is there" if is_place else ""
        raise ConfigError(f"trainer: {said}{hint}.") from error


def check_devices(accelerator: object, devices: object) -> None:
    """Refuse devices that are not there; Lightning would start as many processes on the CPU.

    Args:
        accelerator: as the trainer's option.
        devices: as the trainer's option.

    Raises:
        ConfigError: when more are asked for than there are GPUs, and than the CPU has cores.
    """
    cores = os.cpu_count() or 1
    wanted = int(str(devices)) if str(devices).isdecimal() else 0
    if accelerator == "auto" and not torch.cuda.is_available() and wanted > cores:
        raise ConfigError(
            f"trainer: {wanted} devices are asked for, and here is no GPU and a CPU of {cores} cores; "
            "--trainer.devices auto takes what is there."
        )


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


def _option_names(parser: LightningArgumentParser) -> set[str]:
    """Names of all options, of the parser and of every class that can be named in a configuration."""
    names = {"model", "data", "trainer", "class_path", "init_args", "help", "print_config"}
    names |= {part for name in parser.get_defaults().keys(branches=True) for part in name.split(".")}
    for cls in (*subclasses(*CONFIGURED), Trainer):
        names |= set(inspect.signature(cls.__init__).parameters)
    return names - {"self", "args", "kwargs", "options"}


def _class_names() -> set[str]:
    return {cls.__name__ for cls in subclasses(*CONFIGURED)}
