"""Every option of a task is known by name and type: to mypy, and to the command line, with its default and help."""

import inspect
import re
from typing import get_type_hints

import pytest
from jaxtyping import TypeCheckError
from jsonargparse import ArgumentParser

from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.localization import LocalizationTask
from prompt_video.tasks.options import NamingOptions
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.tasks.retrieval import RetrievalTask

TASKS = [RecognitionTask, LocalizationTask, RetrievalTask]


def test_options_are_those_of_the_constructor() -> None:
    own = {name: hint for name, hint in get_type_hints(VideoTextTask.__init__).items() if name != "return"}
    assert get_type_hints(NamingOptions) == own


@pytest.mark.parametrize("task", TASKS)
def test_the_command_line_knows_every_option_with_its_default_and_help(task: type[VideoTextTask]) -> None:
    parser = ArgumentParser()
    parser.add_class_arguments(task, "model")
    told = parser.format_help()
    defaults = vars(parser.get_defaults().model)
    own = inspect.signature(task).parameters
    for name, parameter in {**inspect.signature(VideoTextTask).parameters, **own}.items():
        if name == "options":
            continue
        assert name in defaults
        if isinstance(parameter.default, int | float | str | None):
            assert defaults[name] == parameter.default
        assert re.search(rf"--model\.{name} \S.*\n? +\S", told), name


def test_a_misspelt_argument_is_an_error_to_mypy_and_in_python() -> None:
    # With --strict, mypy refuses a "type: ignore" that hides nothing: it must find every mistake.
    with pytest.raises(TypeError, match="text_consistancy"):
        RecognitionTask(text_consistancy=1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="promt"):
        LocalizationTask(promt=None)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="temprature"):
        RetrievalTask(temprature=0.1)  # type: ignore[call-arg]
    with pytest.raises(TypeCheckError, match="warmup_steps"):
        RecognitionTask(warmup_steps="ten")  # type: ignore[arg-type]
