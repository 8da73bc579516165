"""The commands, code and trees of the READMEs, and which test is the proof of each command.

A new command needs a line in `KINDS` of kinds.py, unless it is of a kind that is there.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from data_modules.synthetic.rendering import render, write_mp4
from prompt_video.experiment.settings import read_settings
from prompt_video.preflight.dry_run import make_miniature
from tests.documentation.kinds import KINDS, SMALL, Kind

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "experiments/README.md", "data_modules/README.md")
PAGES = tuple(sorted(str(page.relative_to(REPOSITORY)) for page in (REPOSITORY / "docs").rglob("*.md")))
OTHERS = ("CONTRIBUTING.md", *PAGES)  # whose code is that of files, which have tests of their own
SHELL = ("", "sh", "bash", "console")
MORE_OF_A_KIND = re.compile(r"EXP=(hmdb51_closed|lsmdc)")  # doctors: those of another data set of the kind are quick
LONG_LISTS = re.compile("^data/(ucf101|k400|ssv2|activitynet)/")  # types are checked in every call while tests run


class Command(NamedTuple):
    """One command of a document."""

    document: str
    line: int
    text: str

    @property
    def kind(self) -> Kind | None:
        return next((kind for kind in KINDS if re.fullmatch(kind.pattern, self.text)), None)


class Block(NamedTuple):
    """One fenced block of a document."""

    document: str
    line: int
    language: str
    text: str


@cache
def blocks() -> tuple[Block, ...]:
    return tuple(
        Block(document, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for document in DOCUMENTS
        for text in [(REPOSITORY / document).read_text(encoding="utf-8")]
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    )


def commands_of(document: str, text: str) -> Iterator[Command]:
    """Those in fences, a line each, and those in the text that begin with ``make`` or ``prompt-video``."""
    for found in re.finditer(
        r"^```(\w*)[^`\n]*\n(.*?)^```$|`((?:make|prompt-video)\s[^`]*)`", text, re.MULTILINE | re.DOTALL
    ):
        line = text.count("\n", 0, found.start()) + 1
        if found[3]:
            yield Command(document, line, " ".join(found[3].split()))
        elif found[1] in SHELL:
            joined = found[2].replace("\\\n", " ")
            for number, written in enumerate(joined.splitlines(), start=line + 1):
                command = re.sub(r"\s+#\s.*", "", written).removeprefix("$ ").strip()
                if command:
                    yield Command(document, number, command)


@cache
def commands() -> tuple[Command, ...]:
    """Of all documents; each once."""
    found = [c for d in (*DOCUMENTS, *OTHERS) for c in commands_of(d, (REPOSITORY / d).read_text(encoding="utf-8"))]
    return tuple({command.text: command for command in reversed(found)}.values())[::-1]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of ``command`` runs for every one; of ``<proof>_command`` for those that are proven so."""
    for name in metafunc.fixturenames:
        if name == "command" or name.endswith("_command"):
            proof = name.removesuffix("command").rstrip("_")
            chosen = [c for c in commands() if not proof or (c.kind is not None and c.kind.proof == proof)]
            is_slow = [proof == "doctor" and MORE_OF_A_KIND.search(c.text) for c in chosen]
            marked = [
                pytest.param(c, marks=[pytest.mark.slow] if slow else [])
                for c, slow in zip(chosen, is_slow, strict=True)
            ]
            metafunc.parametrize(name, marked, ids=[c.text for c in chosen])
        elif name in ("tree", "python", "written"):
            language = {"tree": "text", "python": "python", "written": "yaml"}[name]
            chosen_blocks = [block for block in blocks() if block.language == language]
            marked = [
                pytest.param(b, marks=[pytest.mark.slow] if LONG_LISTS.search(b.text) else []) for b in chosen_blocks
            ]
            metafunc.parametrize(name, marked, ids=[f"{b.document}:{b.line}" for b in chosen_blocks])


@pytest.fixture(scope="session")
def readme_blocks() -> tuple[Block, ...]:
    return blocks()


@pytest.fixture(scope="session")
def all_commands() -> tuple[Command, ...]:
    return commands()


@pytest.fixture(scope="session")
def find_commands() -> Callable[[str, str], Iterator[Command]]:
    return commands_of


@pytest.fixture(scope="session")
def small_options() -> tuple[str, ...]:
    """Of any experiment: nothing is downloaded, and no process started."""
    return SMALL


def _as_run(text: str) -> tuple[dict[str, str], list[str]]:
    words = shlex.split(text.replace("<name>", "demo_closed"))
    environment = {}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if words[0] == "prompt-video":
        return environment, words[1:]
    # The variables of a `make test` that runs this must not reach this `make`.
    clean = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "ARGS")}
    done = subprocess.run(
        ["make", "--dry-run", *words[1:]], cwd=REPOSITORY, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "bin/prompt-video " in line and not line.startswith("test ")]
    assert len(lines) == 1, done.stdout
    return environment, shlex.split(lines[0].partition("bin/prompt-video ")[2])


@pytest.fixture(scope="session")
def as_run() -> Callable[[str], tuple[dict[str, str], list[str]]]:
    """Environment and arguments of the ``prompt-video`` that a line, of ``make`` or its own, comes to."""
    return _as_run


class Miniature(NamedTuple):
    """Made-up data of an experiment."""

    folder: Path  # what DATA_ROOT names
    options: tuple[str, ...]


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Miniature]:
    """Made-up data of an experiment, in the layout of its data set."""

    @cache
    def make(experiment: str) -> Miniature:
        folder = tmp_path_factory.mktemp("miniature")
        config = REPOSITORY / "experiments" / f"{experiment}.yaml"
        options = make_miniature(read_settings([f"--config={config}", "--quiet=true", *SMALL]), folder)
        return Miniature(folder, tuple(option for option in options if not option.startswith("--data.root=")))

    return make


def copies(source: Path, *targets: Path) -> None:
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


@pytest.fixture(scope="session")
def own_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the READMEs' tables of own data name: their text, and videos of those names."""
    root = tmp_path_factory.mktemp("own") / "path" / "to" / "videos"
    video = REPOSITORY / "tests" / "data_modules" / "videos" / "cleaning_pool_gap_h264.mp4"
    copies(video, *(root / folder / f"{n}.mp4" for folder in ("morning", "evening") for n in range(5)))
    copies(video, *(root / f"{name}.mp4" for name in ("morning", "evening")))
    for name in ("meeting", "final"):  # as long as what is annotated in them
        write_mp4([render("star", "spinning", 0).frames] * 5, root / f"{name}.mp4")
    for block in blocks():
        if block.language in ("csv", "json"):
            name = "annotations.json" if block.language == "json" else f"{_table_of(block)}.csv"
            (root / name).write_text(block.text)
    return root


def _table_of(block: Block) -> str:
    return {"path": "labels", "video": "captions"}[block.text.split(",")[0]]
