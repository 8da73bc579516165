"""The ``prompt-video`` command: hands over to the verb that was asked for, and turns mistakes into one message."""

import importlib
import io
import os
import signal
import sys
from collections.abc import Callable
from errno import EPIPE
from functools import wraps
from typing import ParamSpec

from prompt_video import __version__
from prompt_video.commands.startup import lean_imports
from prompt_video.commands.verbs import GROUPS, RENAMED, VERBS
from prompt_video.experiment.stopping import Stopped, obeying_signals
from prompt_video.io.memory import out_of_memory
from prompt_video.io.readable import readable, told_on
from prompt_video.io.suggest import nearest

GO_ON = ("index", "sweep", "table")  # where they were, when they are run again
P = ParamSpec("P")


def to_the_end(run: Callable[P, int]) -> Callable[P, int]:
    """The same, where whoever reads the output may stop, as ``head`` does, or have no room for it."""

    @wraps(run)
    def whole(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            code = run(*args, **kwargs)
            sys.stdout.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain once more
            return 128 + signal.SIGPIPE if isinstance(error, BrokenPipeError) else _fail(f"output: {error.strerror}.")
        return code

    return whole


@to_the_end
def main(arguments: list[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: as typed after ``prompt-video``; None takes them from the command line.

    Returns:
        The exit code: 0, 1 for something the user can mend, 130 and 143 when stopped by Ctrl-C and by SIGTERM.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal need not know all signs of a name
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"prompt-video {__version__}")
        return 0
    if (unheard := next((word for word in arguments if not _can_be_typed(word)), None)) is not None:
        return _fail(f"no argument can hold such signs: {unheard}")
    verb = arguments[0]
    if verb in RENAMED:
        return _fail(f"'{verb}' is called '{RENAMED[verb]}': prompt-video {RENAMED[verb]} ...")
    if verb not in VERBS:
        return _fail(f"there is no command '{verb}'{nearest(verb, VERBS)} `prompt-video --help` lists all.")
    try:
        with obeying_signals():
            return _run(verb, arguments)
    except Stopped as stopped:
        again = "the same command " + ("goes on where it was." if verb in GO_ON else "starts it again.")
        if os.environ.get("LOCAL_RANK", "0") == "0":  # of several processes the first one speaks
            _say(f"{stopped}; {stopped.how_to_go_on or again}")
        return stopped.exit_code


def _run(verb: str, arguments: list[str]) -> int:
    try:
        # Imported late, here and in the verbs: seconds go into torch and Lightning, which the help needs not.
        with lean_imports():
            outcome = importlib.import_module(VERBS[verb][0]).main(arguments)
    except Exception as error:
        message = _mistake(error)
        if message is None or os.environ.get("PROMPT_VIDEO_TRACEBACK"):
            raise
        return _fail(message)
    return outcome if isinstance(outcome, int) else 0


def _can_be_typed(word: str) -> bool:
    """Whether this system could have given such an argument; what it could not, it cannot find as a file either."""
    try:
        return b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        return False


def _mistake(error: BaseException | None) -> str | None:
    """What the user can mend, if that is what went wrong: the innermost message of ours in a chain of errors.

    What wraps it tells at length how it was reached. Of the parser's own words, which grow with each level, the
    outermost are taken.
    """
    from data_modules.errors import BrokenVideoError, InputError
    from prompt_video.io.parser_messages import ConfigError

    said = out_of_memory(error)
    of_system = error if isinstance(error, OSError) and error.strerror and error.errno != EPIPE else None
    while error is not None:
        is_repeated = isinstance(error, ConfigError) and said is not None
        if isinstance(error, (InputError, BrokenVideoError)) and not is_repeated:
            said = str(error)
            if error.__suppress_context__ and error.__cause__ is None and not isinstance(error, ConfigError):
                break  # raised "from None": it says all that the error below it did
        error = error.__cause__ or error.__context__
    if said is None and of_system is not None:  # a full disk, a folder that is not ours, a name that is too long
        place = f"{of_system.filename}: " if of_system.filename is not None else ""
        said = f"{place}{of_system.strerror}."
    return said


def _fail(message: str) -> int:
    _say(message)
    return 1


def _say(message: str) -> None:
    print(told_on(sys.stderr, readable(f"prompt-video: {message}")), file=sys.stderr)


def _usage() -> str:
    lines = ["Prompt a frozen image-text model to understand video.", "", "usage: prompt-video VERB [options]", ""]
    for heading, verbs in GROUPS.items():
        lines += [f"{heading}:", *(f"  {verb:<16}  {VERBS[verb][1]}" for verb in verbs), ""]
    lines += ["`prompt-video VERB --help` explains the options of a verb."]
    lines += ["An experiment file is code, as it names classes: run none that you do not trust."]
    return "\n".join(lines)
