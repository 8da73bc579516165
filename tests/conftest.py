from collections.abc import Callable
from pathlib import Path

import pytest

from data_modules.rendering import render, write_mp4

VIDEOS = Path(__file__).parent / "data_modules" / "videos"


@pytest.fixture
def videos() -> Path:
    """Real files of many kinds, broken ones too; see their README."""
    return VIDEOS


@pytest.fixture(scope="session")
def make_videos() -> Callable[[Path, int], Path]:
    """Fill a folder with two classes of rendered videos, so many of each."""

    def make(root: Path, count: int) -> Path:
        for motion in ("moving left", "spinning"):
            for number in range(count):
                write_mp4([render("star", motion, number).frames], root / motion.replace(" ", "_") / f"{number}.mp4")
        return root

    return make
