"""The parser of a verb that reads an experiment beside its own options."""

from collections.abc import Sequence

from jsonargparse import Namespace

from prompt_video.experiment.option_names import EXPERIMENT_OPTIONS
from prompt_video.experiment.words import check_words
from prompt_video.io.verb_parser import VerbParser


class ExperimentVerbParser(VerbParser):
    """Looks through the experiment's options too, before anything is loaded that reads them.

    Args:
        verb: its name.
        description: the docstring of its module.
        epilog: at the end of the help.
    """

    def __init__(self, verb: str, description: str | None, *, epilog: str | None = None) -> None:
        super().__init__(verb, description, others=EXPERIMENT_OPTIONS, epilog=epilog)

    def parse_beside(self, words: Sequence[str]) -> tuple[Namespace, list[str]]:
        """As `VerbParser.parse_beside`.

        Raises:
            InputError: see `check_words`.
        """
        options, others = super().parse_beside(words)
        check_words(others)
        return options, others
