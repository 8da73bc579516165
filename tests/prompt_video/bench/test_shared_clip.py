from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prompt_video.bench import shared_clip


@pytest.mark.slow
def test_tasks_that_share_a_clip(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a tiny CLIP, of which memory says nothing: what is counted is there."""

    @contextmanager
    def tiny() -> Iterator[Path]:
        yield clip_folder

    monkeypatch.setattr(shared_clip, "random_vit_b16", tiny)
    figures = shared_clip.run()
    assert figures["two_more_tasks_mib"] == figures["three_tasks_mib"] - figures["one_task_mib"]
    assert all(figures[f"{name}_weights_mib"] > 0 for name in shared_clip.LAYERS)
