"""Every option of a data module is known by name and type: to mypy, and to the command line, with its default."""

import inspect
import re
from pathlib import Path
from typing import get_type_hints

import pytest
from jaxtyping import TypeCheckError
from jsonargparse import ArgumentParser

from data_modules import HMDB51, registry
from data_modules.modules.base import VideoDataModule, VideoOptions
from data_modules.modules.captioned import CaptionedDataModule, CaptionedOptions
from data_modules.modules.trimmed import TrimmedDataModule, TrimmedOptions
from data_modules.modules.untrimmed import UntrimmedDataModule, UntrimmedOptions

OPTIONS = {
    VideoDataModule: VideoOptions,
    TrimmedDataModule: TrimmedOptions,
    UntrimmedDataModule: UntrimmedOptions,
    CaptionedDataModule: CaptionedOptions,
}
DATA_SETS = [cls for cls in vars(registry).values() if isinstance(cls, type) and issubclass(cls, VideoDataModule)]


@pytest.mark.parametrize("cls", OPTIONS)
def test_options_are_those_of_the_constructor(cls: type[VideoDataModule]) -> None:
    own = {
        name: hint
        for base in (cls, VideoDataModule)
        for name, hint in get_type_hints(base.__init__).items()
        if name not in ("root", "return", "options")
    }
    assert get_type_hints(OPTIONS[cls]) == own


@pytest.mark.parametrize("cls", DATA_SETS)
def test_the_command_line_knows_every_option_with_its_default_and_help(cls: type[VideoDataModule]) -> None:
    parser = ArgumentParser()
    parser.add_class_arguments(cls, "data")
    defaults, help_text = vars(parser.get_defaults().data), parser.format_help()
    for base in (base for base in cls.__mro__ if base in OPTIONS):
        for name, parameter in inspect.signature(base).parameters.items():
            if name not in ("root", "options"):
                assert defaults[name] == parameter.default
                assert re.search(rf"--data.{name} \S.*\n? +[a-z`]", help_text), name


def test_a_misspelt_argument_is_an_error_to_mypy_and_in_python(tmp_path: Path) -> None:
    # With --strict, mypy refuses a "type: ignore" that hides nothing: it must find both mistakes.
    with pytest.raises(TypeError, match="batch_sise"):
        HMDB51(tmp_path, splits=[1], batch_sise=8)  # type: ignore[call-arg]
    with pytest.raises(TypeCheckError, match="num_crops"):
        HMDB51(tmp_path, num_crops=2)  # type: ignore[arg-type]
