from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prompt_video.bench import gradient_cache


def test_gradients_agree(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is inside; a tiny CLIP, whose times say nothing."""

    @contextmanager
    def tiny() -> Iterator[Path]:
        yield clip_folder

    monkeypatch.setattr(gradient_cache, "random_vit_b16", tiny)
    monkeypatch.setattr(gradient_cache, "added_memory", lambda *_: 1.0)
    figures = gradient_cache.run(num_pairs=12, chunk_size=5)
    assert figures["pairs"] == 12
    assert 0 <= figures["largest_difference"] <= gradient_cache.TOLERANCE
    assert figures["plain_seconds"] > 0
