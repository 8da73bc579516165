"""``prompt-video copy``: a packaged experiment as a YAML of one's own, to edit and to run from anywhere.

What it takes from other files stands in it; method and backbone stay names.
"""

import re
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.atomic import write_whole
from prompt_video.experiment.packaged import file_of
from prompt_video.io.outputs import check_file
from prompt_video.io.verb_parser import VerbParser

_FRAGMENT = re.compile(r"^( *)(\w+): (\S+\.yaml)$", re.M)


def main(arguments: list[str]) -> None:
    """Write one file."""
    options = parser().parse(arguments[1:])
    source = file_of("experiment", options.experiment)
    out = options.out or Path(source.name)
    check_file(out, "--out")
    if out.exists():
        raise InputError(f"{out} is there already, and is left alone; name another --out.")
    text = whole(source)
    write_whole(out, lambda partial: partial.write_text(text, encoding="utf-8"))
    print(f"{out}: edit it, then prompt-video fit --config {out}")


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("copy", __doc__)
    parser.add_argument("experiment", type=str, metavar="NAME", help="of the experiment, see `prompt-video list`")
    parser.add_argument("--out", type=Path, help="file to write (default: <name>.yaml in this folder)")
    return parser


def whole(path: Path) -> str:
    """The text of a YAML, with the fragments in it that it names by their paths."""

    def inside(named: re.Match[str]) -> str:
        indent, key, fragment = named.groups()
        lines = whole(path.parent / fragment).splitlines()
        return "\n".join([f"{indent}{key}:", *(f"{indent}  {line}".rstrip() for line in lines)])

    return _FRAGMENT.sub(inside, path.read_text(encoding="utf-8"))
