"""Hand-written sentences that texts are put into for the frozen backbone: sets with names, or a file of one's own."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.text_files import read_lines

DEFAULT = "video"  # of tests, of methods and of `load`
MOST_BYTES = 1 << 20  # of a file of templates: what is larger is something else
_OF_CLIP = Path(__file__).parent / "clip_templates"
_NUM_DESCRIBED = 5  # sentences that are told one by one


@cache
def template_sets() -> Mapping[str, tuple[str, ...]]:
    """All sets that have a name.

    ``names``: the text alone. ``video``: the text alone and as a video of it, of a person too. ``clip-ucf101`` and
    ``clip-kinetics``: what CLIP's authors took for UCF-101 and Kinetics-700, 48 and 28 sentences. ``shapes``: how
    captions begin that the built-in CLIP has learned from.

    Source of the two of CLIP: ``data/prompts.md`` of openai/CLIP.
    """
    return {
        "names": ("{}",),
        "video": ("{}", "a video of {}.", "a video of a person {}."),
        "clip-ucf101": _read(_OF_CLIP / "ucf101.txt"),
        "clip-kinetics": _read(_OF_CLIP / "kinetics.txt"),
        "shapes": ("{}", "a video of {}", "a photo of {}", "a picture of {}", "there is {}"),
    }


def templates_of(chosen: str | Sequence[str]) -> list[str]:
    """The sentences of a choice.

    Args:
        chosen: name of a set, path of a text file with one sentence a line, or the sentences themselves.

    Raises:
        InputError: there is no such set or file, it cannot be read, or a sentence has no ``{}`` for the text.
    """
    sets = template_sets()
    if not isinstance(chosen, str):
        templates = list(chosen)
    elif chosen in sets:
        templates = list(sets[chosen])
    elif Path(chosen).is_file():
        templates = list(_read(Path(chosen)))
    else:
        raise InputError(
            f"'{chosen}' is neither a set of templates ({', '.join(sets)}) nor a file of them, one a line, with '{{}}' "
            "where the text goes."
        )
    bad = [template for template in templates if "{}" not in template]
    if bad or not templates:
        where = f"{chosen}: " if isinstance(chosen, str) else ""
        raise InputError(
            f"{where}a template needs '{{}}' where the text goes: {bad[0][:80] if bad else 'there is none'}"
        )
    return templates


def name_of(templates: Sequence[str]) -> str | None:
    """The name of the set that these sentences are; None: they have none."""
    return next((name for name, known in template_sets().items() if known == tuple(templates)), None)


def describe(templates: Sequence[str]) -> str:
    """Sentences in words: the name of their set, or the sentences, of many the first ones."""
    if (name := name_of(templates)) is not None:
        return f"the template{'s' if len(templates) > 1 else ''} '{name}' ({len(templates)})"
    quoted = ", ".join(f"'{template}'" for template in templates[:_NUM_DESCRIBED])
    return quoted if len(templates) <= _NUM_DESCRIBED else f"{quoted} and {len(templates) - _NUM_DESCRIBED} more"


def _read(path: Path) -> tuple[str, ...]:
    """The lines of a file, without empty ones."""
    lines = list(read_lines(path, MOST_BYTES))
    if bad := next(((number, line) for number, line in lines if "{}" not in line), None):
        raise InputError(f"line {bad[0]} of {path} has no '{{}}' where the text goes: {bad[1][:80]!r}")
    if not lines:
        raise InputError(f"{path} holds no template; write one a line, with '{{}}' where the text goes.")
    return tuple(line for _, line in lines)
