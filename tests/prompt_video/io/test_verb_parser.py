from pathlib import Path

import pytest

from data_modules.errors import InputError
from prompt_video.io.verb_parser import VerbParser, underscored


@pytest.fixture
def parser() -> VerbParser:
    parser = VerbParser("try", "What it does.\n\n  As it stands.", others={"config", "model", "name"})
    parser.add_argument("videos", nargs="+", type=str, metavar="VIDEO")
    parser.add_argument("--out", type=Path, help="a file")
    parser.add_argument("--top", type=int, default=5, help="how many")
    parser.add_argument("--min_score", type=float)
    parser.add_argument("--decode", choices=("all", "none"), default="all")
    parser.add_argument("--quiet", action="store_true", help="says nothing")
    return parser


def test_dashes_are_taken_for_underscores_in_names_alone() -> None:
    assert underscored(["a-b", "--min-score", "a-b", "--min-score=a-b=c-d", "-x", "--", "--a-b"]) == [
        *("a-b", "--min_score", "a-b", "--min_score=a-b=c-d", "-x", "--", "--a-b"),
    ]


@pytest.mark.parametrize("name", ["null", "[a]", "{a: b}", "12", "true", "~/x", "a\udcffb", "1e3", "a b", "*", "#a"])
def test_a_name_is_no_yaml(parser: VerbParser, name: str) -> None:
    options = parser.parse([name, f"--out={name}"])
    assert options.videos == [name]
    assert options.out == Path(name)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "--topp", "3"], "there is no option 'topp'; did you mean 'top'?"),
        (["a", "--to", "3"], "there is no option 'to'; did you mean 'top'?"),
        (["a", "--min-scor=3"], "there is no option 'min_scor'; did you mean 'min_score'?"),
        (["a", "--n\x1b[31m"], r"there is no option 'n\x1b[31m'."),
        (["a", "--top", "x"], "top: expected a whole number, not x."),
        (["a", "--top=nan"], "top: expected a whole number, not nan."),
        (["a", "--min_score", "x"], "min_score: expected a number, not x."),
        (["a", "--top", "[" * 30_000], "one of the values has more than 1000 brackets."),
        (["a", "--top"], "top: a value is missing."),
        (["a", "--decode", "some"], "decode: expected one of all, none, not some."),
        (["a", "--quiet=1"], "quiet: it takes no value."),
        (["a", "--quiet", "b"], "'b' is one word too many."),
        (["--top=3"], "videos must be named."),
    ],
)
def test_a_mistake_is_one_sentence(
    parser: VerbParser, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parser.parse(words)
    assert capsys.readouterr().err == f"prompt-video try: {message} `prompt-video try --help` explains all options.\n"


def test_options_of_others_go_on_as_they_were_typed(parser: VerbParser) -> None:
    words = ["--config", "a.yaml", "--model.x-y", "3", "v", "w", "--quiet", "--top=2", "--name=b", "--model.z+=[1]"]
    options, others = parser.parse_beside(words)
    assert (options.videos, options.quiet, options.top) == (["v", "w"], True, 2)
    assert others == ["--config", "a.yaml", "--model.x_y", "3", "--name=b", "--model.z+=[1]"]
    with pytest.raises(InputError, match=r"there is no option 'nam'; did you mean 'name'\?"):
        parser.parse_beside(["v", "--nam", "x"])


def test_help_says_each_default_once(parser: VerbParser, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        parser.parse(["--help"])
    said = capsys.readouterr().out
    assert "What it does.\n\n  As it stands." in said
    assert "how many (default: 5)" in said
    assert "a file\n" in said
    assert "says nothing\n" in said
