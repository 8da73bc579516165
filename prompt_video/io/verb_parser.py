"""The parser of a verb's options."""

import re
import sys
import textwrap
from argparse import SUPPRESS, Action, RawDescriptionHelpFormatter
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace, set_loader

from data_modules.errors import InputError
from prompt_video.io.parser_messages import explain
from prompt_video.io.readable import readable, told_on, wrapped

MODE = "words"
MOST_BRACKETS = 1000  # PyYAML, which jsonargparse reads numbers with, ends the process at some ten thousand


def _as_typed(word: str) -> str:
    """A value is what was typed, and no YAML: a file may be called ``[a]``."""
    if word.count("[") + word.count("{") > MOST_BRACKETS:
        raise RecursionError(f"one of the values has more than {MOST_BRACKETS} brackets.")
    return word


set_loader(MODE, _as_typed)


def underscored(words: Iterable[str]) -> list[str]:
    """Options with underscores in their names, however they were typed; values as they are."""
    result: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        is_option = word.startswith("--") and "--" not in result
        result.append(name[:2] + name[2:].replace("-", "_") + equals + value if is_option else word)
    return result


class VerbParser(ArgumentParser):
    """Says what the verb's module says of itself, takes no shortened options, and repeats what was typed as it reads.

    Args:
        verb: its name.
        description: the docstring of its module.
        others: options that somebody else reads, see `parse_beside`; ``--config`` is one of them.
        epilog: at the end of the help.
    """

    def __init__(
        self, verb: str, description: str | None, *, others: Collection[str] = (), epilog: str | None = None
    ) -> None:
        self._others = others
        beside = "All else is as for `prompt-video fit`, whose options may stand here." if others else None
        super().__init__(
            f"prompt-video {verb}",
            description=description,
            epilog=epilog or beside,
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
            parser_mode=MODE,
        )
        if others:
            self.add_argument("--config", type=Path, metavar="NAME", help="of the experiment, or its YAML")

    @property
    def _own(self) -> set[str]:
        """Options that the verb reads itself; their names are known with underscores alone."""
        return {name for action in self._actions if action.help != SUPPRESS for name in action.option_strings}

    @property
    def unread(self) -> set[str]:
        """Names of options that are left to others."""
        return {name for name in self._others if f"--{name}" not in self._own}

    def parse(self, words: Sequence[str]) -> Namespace:
        """What was typed after the verb.

        Raises:
            SystemExit: 2 with one sentence, when something is wrong with it; 0 after the help.
        """
        return self._parsed(underscored(words))

    def parse_beside(self, words: Sequence[str]) -> tuple[Namespace, list[str]]:
        """The verb's own options, and those of others with their values, in the order in which they were typed.

        Raises:
            SystemExit: as `parse`.
            InputError: for an option that is neither.
        """
        own: list[str] = []
        others: list[str] = []
        waiting = deque(underscored(words))
        while waiting:
            word = waiting.popleft()
            if not word.startswith("--") or self._is_own(word):
                own.append(word)
                continue
            self._check_known(word)
            others.append(word)
            if "=" not in word and waiting:
                others.append(waiting.popleft())
        return self._parsed(own), others

    def _parsed(self, words: list[str]) -> Namespace:
        try:
            return self.parse_args(words)
        except RecursionError as error:
            self.error(str(error))

    def _is_own(self, word: str) -> bool:
        return word.partition("=")[0] in self._own and not word.startswith("--config")

    def _check_known(self, word: str) -> None:
        if re.split(r"[.=+]", word.removeprefix("--"))[0] not in self._others:
            raise InputError(self._explained(f"unrecognized arguments: {word}"))

    def _explained(self, message: str) -> str:
        names = [*(name.removeprefix("--") for name in self._own if name.startswith("--")), *self._others]
        return f"{explain(message, names)} `{self.prog} --help` explains all options."

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Called by jsonargparse with everything that is wrong with the arguments."""
        print(told_on(sys.stderr, readable(f"{self.prog}: {self._explained(message)}")), file=sys.stderr)
        sys.exit(2)


class _HelpFormatter(DefaultHelpFormatter, RawDescriptionHelpFormatter):
    """Paragraphs of the width of the terminal; of an option its default, where it has one that is not told."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """The docstring of a verb: of what is indented, such as examples, the lines stay."""
        paragraphs = re.split(r"\n{2,}", text.strip("\n").replace("``", ""))
        flowing = (part if re.search(r"^ ", part, re.M) else " ".join(part.split("\n")) for part in paragraphs)
        return "".join(f"{line}\n" for line in wrapped("\n\n".join(flowing), width).split("\n"))

    def _split_lines(self, text: str, width: int) -> list[str]:
        """`prompt-video` stays one word."""
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _get_help_string(self, action: Action) -> str:
        text = action.help or ""
        is_plain = not action.option_strings or action.default in (None, False, SUPPRESS) or action.default == []
        return text if is_plain or "(default:" in text else f"{text} (default: %(default)s)"
