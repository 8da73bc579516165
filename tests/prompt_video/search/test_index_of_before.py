"""An index that version 4ccdbf5 made, of three drawn clips with the frozen toy model, answers as it did there."""

import shutil
from pathlib import Path

import pytest
import torch

from data_modules.errors import InputError
from prompt_video.search.index import VideoIndex
from prompt_video.search.manifest import INDEX_FILE, IndexManifest, read_manifest

BEFORE = Path(__file__).parent / "index_of_before"
HITS = [("002.mp4", 0.546705), ("001.mp4", 0.311797), ("000.mp4", 0.291535)]  # as that version printed them


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return shutil.copytree(BEFORE, tmp_path / "index")  # reading an index notes that its shards were checked


def test_it_finds_what_it_found_then(root: Path) -> None:
    index = VideoIndex(root)
    (answer,) = index.search(["a shape moving left"])
    assert [hit.video_id for hit in answer.hits] == [video_id for video_id, _ in HITS]
    assert [hit.score for hit in answer.hits] == pytest.approx([score for _, score in HITS], abs=1e-5)


def test_the_same_model_goes_on_with_it_and_another_does_not(root: Path) -> None:
    index = VideoIndex(root)
    manifest = read_manifest(root)
    today = IndexManifest.of(index.model, manifest.folder, manifest.cutting)
    (settings := dict(today.written["prompt"]["settings"])).update(
        too_long=manifest.spec["prompt"]["settings"]["too_long"]
    )
    today = IndexManifest(
        today.folder,
        today.cutting,
        {**today.written, "prompt": {**today.written["prompt"], "settings": settings}},
        today.state,
    )
    assert today.fingerprint != manifest.fingerprint == today.continuing(manifest).fingerprint
    assert today.continuing(manifest).spec == today.spec
    other = IndexManifest(today.folder, today.cutting, {**today.written, "temperature": 0.5}, today.state)
    assert other.continuing(manifest) is other


def test_what_was_written_before_that_is_refused(root: Path) -> None:
    content = torch.load(root / INDEX_FILE, weights_only=True)
    torch.save({**content, "format": 1}, root / INDEX_FILE)
    with pytest.raises(InputError, match="has version 1, and this program reads versions 2 and 3; index again"):
        VideoIndex(root)
    content["spec"]["clip"]["name"] = "another"
    torch.save(content, root / INDEX_FILE)
    with pytest.raises(InputError, match="is damaged"):
        VideoIndex(root)
