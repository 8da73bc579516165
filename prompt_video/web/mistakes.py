"""What a person can mend, with the part of the page that it is about."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from data_modules.errors import BrokenVideoError, InputError
from prompt_video.io.readable import readable_lines

About = Literal["video", "texts", "query", "examples", "work"]


class Mistake(NamedTuple):
    """One sentence, to stand beside what it is about."""

    about: About
    message: str


class MistakesError(Exception):
    """Why there is no answer.

    Args:
        mistakes: all that was seen.
    """

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__("; ".join(mistake.message for mistake in mistakes))
        self.mistakes = mistakes


@contextmanager
def telling(about: About) -> Iterator[None]:
    """Inside of it, what a person can mend becomes a `MistakesError` about this part of the page."""
    try:
        yield
    except BrokenVideoError as error:
        raise MistakesError(Mistake("video", as_told(f"the video cannot be used: {error.reason}"))) from error
    except InputError as error:
        raise MistakesError(Mistake(about, as_told(str(error)))) from error


def as_told(message: str) -> str:
    """A message as it may be seen: where a file lies on this machine is nobody's business."""
    told = re.sub(r"(?<![\w.])/(?:[^\s/]+/)+", "", readable_lines(message))
    return told[:1].upper() + told[1:]
