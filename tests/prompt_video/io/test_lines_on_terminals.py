"""Sentences on a terminal are broken between words; in files and pipes they are one line."""

import io
import logging
import re
from contextlib import nullcontext, redirect_stderr, redirect_stdout

import pytest

from prompt_video.cli import main
from prompt_video.commands.verbs import VERBS
from prompt_video.io import console
from prompt_video.io.readable import told_on, wrapped
from prompt_video.io.tables import new_table, titled

PATH = "/a/path/" + "x" * 70


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> _Screen:
    """A terminal of sixty columns."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    return _Screen()


def test_words_and_paths_and_commands_stay_whole() -> None:
    assert wrapped("one two three", 8) == "one two\nthree"
    assert wrapped("short\n  prompt-video label a video.mp4", 12) == "short\n  prompt-video label a video.mp4"
    assert wrapped("  a/clip.mp4: cannot be opened", 20) == "  a/clip.mp4: cannot\n    be opened"
    assert wrapped(f"report: {PATH}", 60) == f"report:\n{PATH}"
    assert wrapped("a well-known thing", 10, "  ") == "a\n  well-known\n  thing"
    assert told_on(io.StringIO(), "word " * 40) == "word " * 40


def test_what_is_printed_logged_or_refused_fits_the_terminal(screen: _Screen) -> None:
    with redirect_stdout(screen), redirect_stderr(screen):
        console.configure()
        console.Terminal().print("some words " * 20)
        logging.getLogger("prompt_video.any").warning("other words %s", "and more " * 20)
        assert main(["fit", "--config", "hmdb51_clsed"]) == 1
        with pytest.raises(SystemExit, match="2"):
            main(["completion", "bash", "one", "word"])
        assert main(["list", "methods"]) == 0
    lines = screen.getvalue().splitlines()
    assert len(lines) > 20
    assert max(map(len, lines)) <= 60
    assert "some words some words some words some words some words some" in lines


def test_titles_and_captions_of_tables_are_broken_between_words(screen: _Screen) -> None:
    shown = titled("some words " * 20, new_table(), f"below {PATH} " + "other words " * 20)
    console.Terminal(file=screen).print(shown)
    lines = re.sub(r"\x1b\[[\d;]*m", "", screen.getvalue()).splitlines()
    assert PATH in lines
    assert max(len(line) for line in lines if line != PATH) <= 60
    assert lines[0] == "some words some words some words some words some words some"


def test_help_fits_the_terminal_and_shows_no_markup(screen: _Screen) -> None:
    with redirect_stdout(screen):
        for verb in VERBS:
            with pytest.raises(SystemExit, match="0") if verb not in ("fit", "validate", "test") else nullcontext():
                main([verb, "--help"])
    said = screen.getvalue()
    assert "``" not in said
    flowing = [line for line in said.splitlines() if not line.startswith(" ") and not line.startswith("usage")]
    assert max(map(len, flowing)) <= 60


def test_a_pipe_gets_a_name_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "methods"]) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.startswith("methods: ")
    assert all(line.startswith("  ") and line[2] != " " for line in lines)
    assert max(map(len, lines)) > 80
