"""Pages of the site are short enough to be read, and what texts name of the repository is there."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted((REPOSITORY / "docs").rglob("*.md"))
MOST_WORDS = 2300  # ten minutes of an unhurried reader
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
WORD = re.compile(r"\S*\w\S*")
PLACEHOLDER = re.compile(
    r"\b(TODO|FIXME|TBD|XXX)\b|example\.(com|org)|github\.com/(OWNER|USER|ORG|your)|<(owner|repo)>"
)
TEXTS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md")
READMES = ("experiments/README.md", "data_modules/README.md", "prompt_video/bench/README.md")
NAMED = re.compile(
    r"`((?:prompt_video|data_modules|tests|experiments|docs|\.ci|\.github)/[\w./-]*|[\w-]+\.(?:md|toml|cff))`"
)


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    """What builds the pages."""
    spec = importlib.util.spec_from_file_location("hooks", REPOSITORY / "docs" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_a_page_is_read_in_ten_minutes_and_has_no_gap(page: Path, hooks: ModuleType) -> None:
    text = hooks.TAKEN.sub(hooks.section, page.read_text(encoding="utf-8"))
    assert len(WORD.findall(FENCE.sub("", text))) < MOST_WORDS
    assert not (gap := PLACEHOLDER.search(text)), gap


@pytest.mark.parametrize("name", [*TEXTS, *READMES])
def test_every_file_that_a_text_names_is_there(name: str) -> None:
    text = FENCE.sub("", (REPOSITORY / name).read_text(encoding="utf-8"))
    assert not [path for path in NAMED.findall(text) if not (REPOSITORY / path).exists()]


def test_the_drawing_of_the_rooms_has_every_room_and_no_other() -> None:
    """Rooms of the two packages are their folders, and the modules that stand beside them."""
    (drawing,) = FENCE.findall((REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    _, first, *lines, _ = drawing.splitlines()
    second = first.index("data_modules")
    for package, start, width in (("prompt_video", 0, 17), ("data_modules", second, 15)):
        drawn = {name for line in lines for name in line[start : start + width].split()}
        there = {path.stem for path in (REPOSITORY / package).iterdir() if path.is_dir() or path.suffix == ".py"}
        assert drawn == {name for name in there if not name.startswith("__")}
