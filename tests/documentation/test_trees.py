"""The trees of the READMEs show what the data sets' miniatures are."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXPERIMENTS = {
    "hmdb51": "hmdb51_closed",
    "ucf101": "ucf101_closed",
    "k400": "k400_closed",
    "ssv2": "ssv2_closed",
    "thumos14": "thumos14_closed",
    "activitynet": "activitynet13_closed",
    "msrvtt": "msrvtt_1ka_9k",
    "didemo": "didemo",
    "lsmdc": "lsmdc",
    "smit": "smit",
    "videos": "folder_closed",
    "untrimmed": "folder_localization",
    "captioned": "folder_retrieval",
}


def paths_of(text: str) -> list[str]:
    """The files of a tree, which is indented by four blanks a folder; folders end with a slash."""
    above: list[str] = []
    files = []
    for line in text.splitlines():
        name = line.lstrip()
        del above[(len(line) - len(name)) // 4 :]
        if name.endswith("/"):
            above.append(name)
        else:
            files.append("".join([*above, name]))
    return files


def pattern_of(path: str) -> re.Pattern[str]:
    """What a path with ``<words>`` stands for: each any text without a slash."""
    return re.compile("".join("[^/]+" if part.startswith("<") else re.escape(part) for part in _parts(path)))


def _parts(path: str) -> list[str]:
    return re.split(r"(<[^>]+>)", path)


def test_a_tree_shows_each_file_of_the_miniature_and_no_other(tree: Any, miniature: Callable[[str], Any]) -> None:  # noqa: ANN401 - a Block of conftest.py
    shown = paths_of(tree.text)
    name = tree.text.split("/")[1]
    folder: Path = miniature(EXPERIMENTS[name]).folder
    made = [f"data/{p.relative_to(folder).as_posix()}" for p in (folder / name).rglob("*") if p.is_file()]
    patterns = [pattern_of(path) for path in shown]
    assert [path for path in made if not any(p.fullmatch(path) for p in patterns)] == []
    assert [path for path, p in zip(shown, patterns, strict=True) if not any(map(p.fullmatch, made))] == []


def test_every_data_set_has_a_tree(readme_blocks: tuple[Any, ...]) -> None:
    trees = [block.text.split("/")[1] for block in readme_blocks if block.language == "text"]
    assert sorted(trees) == sorted(EXPERIMENTS)


def test_paths_and_patterns() -> None:
    assert paths_of("a/\n    b/\n        <c>.d\n    e\n") == ["a/b/<c>.d", "a/e"]
    assert pattern_of("a/v_<b>.c").fullmatch("a/v_x y.c")
    assert not pattern_of("a/<b>.c").fullmatch("a/x/y.c")
