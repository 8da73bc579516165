"""The parser of a verb's options."""

import argparse
from typing import Any, NoReturn

from prompt_video.io.readable import readable


class VerbParser(argparse.ArgumentParser):
    """Says what the verb's module says of itself, takes no shortened options, and repeats what was typed as it reads.

    Args:
        verb: its name.
        description: the docstring of its module.
        options: as argparse's.
    """

    def __init__(self, verb: str, description: str | None, **options: Any) -> None:  # noqa: ANN401 - argparse's
        super().__init__(
            f"prompt-video {verb}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **options,
        )

    def error(self, message: str) -> NoReturn:
        """Called by argparse with everything that is wrong with the arguments."""
        super().error(readable(message))
