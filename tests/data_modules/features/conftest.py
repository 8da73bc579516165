from pathlib import Path

import pytest


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A file in the place of a video: a store notes its size and time, and does not read it."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"frames")
    return path
