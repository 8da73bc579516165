"""What jsonargparse has against a value, in one readable sentence with the nearest valid name.

It reports every way in which a value failed to be what it might have been, nested as the types are. What a person needs
of it is where, what, and what instead.
"""

import re
import sys
from collections.abc import Collection, Iterable

from data_modules.errors import InputError
from prompt_video.io.former_settings import former_name
from prompt_video.io.suggest import nearest

_UNKNOWN_OPTION = re.compile(
    r"(?:unrecognized arguments: --?(?=\S)|[Oo]ption '|[Kk]ey '|does not accept option ')(.+?)(?:'? is not|'| ?=| |$)",
    re.M,
)
_CHOICES = re.compile(r"invalid choice: '?(.*?)'? \(choose from (.*)\)")
_UNKNOWN_CLASS = re.compile(
    r"(?:Expected a dot import path string: |Import path |Unable to import |No module named )'?([\w.]+)"
)
_FOREIGN_CLASS = re.compile(
    r"(?:(?<=- )[\w.]+: )?(?:there is no [\w ]+ '[\w.]+' to be seen in its source|Python finds no module '\w+')[^.]*\."
)
_NO_SETTINGS = re.compile(r"class_path '(?:[\w.]+\.)?(\w+)':\s+'\w+' object has no attribute 'keys'")
_OTHER_KIND = re.compile(r"to a subclass of (\w+)$|to be a (?:function that returns|subclass of) <class '(\w+)'>", re.M)
_WANTED = re.compile(r"Expected an? (?:<class '([\w.]+)'>|typing\.Literal\[(.*?)\])(?:\. Got value: (.*))?$", re.M)
_EMPTY = re.compile(r"<class 'NoneType'>|Expected a path|Does not validate against")
FEW = 12  # names that one sentence has room for
_SAID = {"NoneType": "null", "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}


class ConfigError(InputError):
    """Something in a configuration that the parser does not accept."""


def no_option(name: str, known: Iterable[str], *, with_others: bool = False) -> str:
    """That there is no such option, and what it is called now, or what is near.

    Args:
        name: that is none.
        known: names that are.
        with_others: where nothing is near and they are few, tell all.
    """
    known = list(dict.fromkeys(known))
    if name in known:
        return f"there is no option '{name}' here; other classes have it."
    near = former_name(name) or nearest(name, known)
    if with_others and near == "." and 0 < len(known) <= FEW:
        near = f"; there {'is' if len(known) == 1 else 'are'} {', '.join(known)}."
    return f"there is no option '{name}'{near}"


def explain(message: str, options: Collection[str], classes: Collection[str] = ()) -> str:
    """Say what a message of jsonargparse comes to.

    Args:
        message: as jsonargparse words it; what is nested in it has been explained already.
        options: valid names.
        classes: valid names of what a setting may name.
    """
    head = re.match(r'(?:Parser key "|argument )([\w.-]+)"?:\s*(.*)', message, re.S)
    where, body = (head[1].lstrip("-"), head[2]) if head else ("", message)
    reasons = [line.strip().removeprefix("- ") for line in body.splitlines() if line.strip().startswith("- ")]
    telling = [reason for reason in reasons if not _EMPTY.search(reason)]
    if any(_WANTED.search(reason) for reason in telling):  # where a number may stand, a name of a class is not meant
        telling = [reason for reason in telling if not reason.startswith("Expected a dot import path")]
    inner = next((reason for reason in telling if not _WANTED.search(reason)), None)
    if foreign := _FOREIGN_CLASS.search(body):
        reason = foreign[0]
    elif unsettled := _NO_SETTINGS.search(body):
        reason = f"init_args of {unsettled[1]} are to be names with values, as in `init_args: {{name: value}}`."
    elif inner is not None and re.match(r"[\w.]+: |there is ", inner):
        reason = inner
    elif inner is not None:
        reason = _plain(inner, options, classes)
    else:
        reason = _plain(
            "\n".join(line for line in body.splitlines() if "dot import path" not in line), options, classes
        )
    if not where:
        return reason
    return f"{where}.{reason}" if re.match(r"[\w.]+: ", reason) else f"{where}: {reason}"


def _plain(text: str, options: Collection[str], classes: Collection[str]) -> str:
    """One reason, without nesting."""
    if missing := re.search(r"File does not exist: '?([^'\n]+)'?", text):
        return f"there is no file {missing[1]}."
    if option := _UNKNOWN_OPTION.search(text):
        name = option[1].removesuffix(".")
        # Of a dotted name the first part that nobody knows is the mistaken one.
        wrong = next((part for part in name.split(".") if part not in options), name)
        return no_option(wrong, options)
    if gone := re.search(r"module '([\w.]+)' has no attribute '(\w+)'", text):
        there = vars(sys.modules[gone[1]]) if gone[1] in sys.modules else {}
        return f"there is no class '{gone[1]}.{gone[2]}'{nearest(gone[2], there)}"
    if surplus := re.fullmatch(r"unrecognized arguments: (\S+).*", text, re.S):
        return f"'{surplus[1]}' is one word too many."
    if "expected one argument" in text or "expected at least one argument" in text:
        return "a value is missing."
    if "ignored explicit argument" in text:
        return "it takes no value."
    if choices := _CHOICES.search(text):
        names = choices[2].replace("'", "")
        return f"expected one of {names}, not {choices[1]}."
    if missing := re.fullmatch("the following arguments are required: (.*)", text):
        names = re.sub(r"(?<![\w.])(fit|validate|test|predict)[.]", "", missing[1])
        return f"{names} must be named."
    if other_kind := _OTHER_KIND.search(text):
        return f"this is no {other_kind[1] or other_kind[2]}."
    if class_name := _UNKNOWN_CLASS.search(text):
        return f"there is no class '{class_name[1]}'{nearest(class_name[1], classes)}"
    wanted = _WANTED.findall(text)
    given = next((value for _, _, value in wanted if value), "")
    if not given and (found := re.search(r"^\s*Given value: (.*)$", text, re.M)):
        given = found[1]
    kinds = ["one of " + choices.replace("'", "") if choices else _SAID.get(kind, kind) for kind, choices, _ in wanted]
    if kinds:
        return f"expected {' or '.join(dict.fromkeys(kinds))}, not {given}." if given else f"expected {kinds[0]}."
    return " ".join(text.split())
