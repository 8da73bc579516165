"""An index is what `index` made, or one sentence says what is wrong with it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from data_modules.errors import InputError
from data_modules.features.store import StoreWriter
from prompt_video.inference.loading import load
from prompt_video.model.embedding import dim_of
from prompt_video.search.index import VideoIndex
from prompt_video.search.indexing import recipe_of
from prompt_video.search.manifest import INDEX_FILE, IndexManifest
from prompt_video.search.spans import Cutting

CUTTING = Cutting(8.0, 4.0, 4, 2.0)


@pytest.fixture
def make(tmp_path: Path, clip_folder: Path) -> Callable[..., Path]:
    """An index of made-up vectors."""
    model = load(backbone=str(clip_folder), device="cpu").model

    def made(*video_ids: str) -> Path:
        root = tmp_path / "index"
        manifest = IndexManifest.of(model, tmp_path, CUTTING)
        manifest.write(root)
        with StoreWriter(root, recipe_of(manifest, model, model.backbone.frames)) as writer:
            for video_id in video_ids:
                vector = torch.nn.functional.normalize(torch.ones(1, dim_of(model)), dim=-1)
                writer.add(video_id, vector, np.zeros(1), 1.0, tmp_path / video_id)
        return root

    return made


def test_a_sound_one(make: Callable[..., Path], tmp_path: Path) -> None:
    names = ["a.mp4", "deep/b..mp4", "..c/d.mp4"]
    index = VideoIndex(make(*names))
    (answer,) = index.search(["a star"])
    assert sorted(hit.video_id for hit in answer.hits) == sorted(names)
    assert {hit.path for hit in answer.hits} == {tmp_path / name for name in names}


@pytest.mark.parametrize("outside", ["../x.mp4", "/etc/passwd", "a/../../x.mp4", "..", "a\0.mp4", ""])
def test_an_id_that_leaves_the_folder_is_refused(make: Callable[..., Path], outside: str) -> None:
    with pytest.raises(InputError, match="which lies outside of the folder"):
        VideoIndex(make("a.mp4", outside))


CHANGES = {
    "cutting": {"span_sec": 4.0, "stride_sec": 4.0, "num_frames": 4, "frame_rate": 2.0},
    "frame_rate": None,
    "backbone": None,
    "folder": "relative",
    "state": {"weight": torch.full((2,), torch.nan)},
    "spec": {},
    "format": 99,
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_manifest_of_other_vectors_or_a_damaged_one(make: Callable[..., Path], what: str) -> None:
    root = make("a.mp4")
    content = torch.load(root / INDEX_FILE, weights_only=True)
    if what == "frame_rate":
        content["cutting"] = dataclasses.asdict(CUTTING) | {"frame_rate": 3.0}
    elif what == "backbone":
        content["spec"]["backbone"]["fingerprint"] = "another"
    else:
        content[what] = CHANGES[what]
    torch.save(content, root / INDEX_FILE)
    with pytest.raises(InputError, match=r"is damaged|are not of the model|has version 99"):
        VideoIndex(root)
