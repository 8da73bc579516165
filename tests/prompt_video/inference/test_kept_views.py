"""Features of clips are kept by content and recipe, and scores from them are those of the clip itself."""

import shutil
from pathlib import Path

import pytest
import torch

import prompt_video
from prompt_video.inference import loaded
from prompt_video.inference.kept_views import KeptViews


def test_a_clip_is_looked_at_once_wherever_it_lies(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, names = videos / "cleaning_pool_h264.mp4", ["cleaning a pool", "juggling balls"]
    model = prompt_video.load()
    plain = model.score(clip, names)
    model.kept_views = KeptViews(tmp_path / "views")
    assert torch.equal(model.score(clip, names).probability, plain.probability)
    (kept,) = (tmp_path / "views").iterdir()
    moved = shutil.copy(clip, tmp_path / "moved.mp4")
    with monkeypatch.context() as patch:
        patch.delattr(loaded, "view_features")
        again = model.score(moved, names)
    assert torch.equal(again.probability, plain.probability)
    assert again.duration_sec == plain.duration_sec
    kept.write_bytes(b"damaged")
    assert torch.equal(model.score(clip, names).probability, plain.probability)
    assert len(list((tmp_path / "views").iterdir())) == 1


def test_another_recipe_or_content_is_another_file_and_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    kept, clip = KeptViews(tmp_path / "views"), tmp_path / "clip.mp4"
    made = torch.ones(1, 2, 3), 4.0
    for content, recipe in ((b"a", "x"), (b"b", "x"), (b"a", "y"), (b"a", "x")):
        clip.write_bytes(content)
        kept.views(clip, recipe, lambda: made)
    assert len(list((tmp_path / "views").iterdir())) == 3
    (tmp_path / "file").touch()
    features, duration_sec = KeptViews(tmp_path / "file").views(clip, "x", lambda: made)
    assert torch.equal(features, made[0])
    assert duration_sec == 4.0
