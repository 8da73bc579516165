"""Searching with what localization and retrieval have learned."""

import json
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
import torch
from torch import Tensor

from data_modules.batch import Batch, Record
from data_modules.loading.frames import FrameChunks
from data_modules.synthetic.rendering import render, write_mp4
from prompt_video.cli import main
from prompt_video.model.embedding import text_vectors, video_vectors
from prompt_video.search.index import VideoIndex
from prompt_video.search.models import model_of_checkpoint

SHARE = 0.3


class Run(Protocol):
    """What the fixtures of tasks train."""

    config: Path

    @property
    def checkpoint(self) -> Path: ...


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos, each shorter than a span."""
    folder = tmp_path_factory.mktemp("folder")
    for shape in ("star", "heart"):
        write_mp4([render(shape, "spinning", 0).frames], folder / f"{shape}.mp4")
    return folder


def batch_of(features: Tensor, mask: Tensor, texts: list[str]) -> Batch:
    return Batch(
        features=features,
        mask=mask,
        time_sec=torch.zeros(mask.shape),
        text=texts,
        subset="test",
        target=torch.zeros(len(mask), dtype=torch.long),
        video_id=[str(number) for number in range(len(mask))],
        num_views=1,
        broken=[],
    )


def index(folder: Path, out: Path, checkpoint: Path, *options: str) -> VideoIndex:
    arguments = ["index", str(folder), f"--out={out}", f"--ckpt={checkpoint}", "--quiet", "--num_workers=0"]
    assert main([*arguments, *options]) == 0
    assert main(["search", str(out), "a star spins", f"--json={out}.json"]) == 0
    (query,) = json.loads(out.with_name(f"{out.name}.json").read_text())["queries"]
    assert {hit["video_id"] for hit in query["hits"]} == {"star.mp4", "heart.mp4"}
    return VideoIndex(out)


def test_a_localization_checkpoint(localization: Run, folder: Path, tmp_path: Path) -> None:
    """What the detector learned is left out; a span is seen as the classifier saw an action."""
    config, checkpoint = localization.config, localization.checkpoint
    saved = torch.load(checkpoint, weights_only=True)["state_dict"]
    alone = index(folder, tmp_path / "alone", checkpoint)
    assert {f"model.{name}" for name in alone.manifest.state} == {name for name in saved if name.startswith("model.")}
    assert alone.manifest.cutting.num_frames == 16, "the positions of the temporal encoder: nothing else is known"
    told = index(folder, tmp_path / "told", checkpoint, f"--config={config}")
    assert (told.manifest.cutting.num_frames, told.manifest.cutting.frame_rate) == (8, 6.0)
    null = index(folder, tmp_path / "null", checkpoint, f"--config={config}", "--model.frames_inside=null")
    assert null.manifest.cutting.num_frames == 16


def test_a_retrieval_checkpoint_with_a_share_of_the_frozen_clip(retrieval: Run, folder: Path, tmp_path: Path) -> None:
    config, checkpoint = retrieval.config, retrieval.checkpoint
    found = index(folder, tmp_path / "index", checkpoint, f"--config={config}")
    cutting, backbone = found.manifest.cutting, found.model.backbone
    assert (cutting.num_frames, cutting.frame_rate) == (6, 12.0)
    assert found.store.recipe.dim == 2 * backbone.embed_dim
    hits = {hit.video_id: hit.score for hit in found.search(["a star spins"])[0].hits}

    model = model_of_checkpoint(checkpoint).eval()
    assert model.frozen_share == SHARE
    for name, score in hits.items():
        (chunk,) = FrameChunks([Record(name, folder / name, -1)], backbone.frames, cutting.frame_rate)
        (piece,) = chunk.pieces
        assert piece.duration_sec is not None
        (rows,) = cutting.rows(np.array(piece.times_sec), piece.duration_sec)
        with torch.no_grad():
            frames = backbone.encode_frames(chunk.frames[rows])
            mixed = model.test_scores(batch_of(frames[None], torch.ones(1, 6).bool(), ["a star spins"]))[0]
        assert score == pytest.approx(float(mixed * model.temperature), abs=2e-3), "kept in half precision"


@pytest.mark.parametrize("share", [0.0, SHARE, 1.0])
def test_products_of_vectors_are_the_scores_of_testing(retrieval: Run, share: float) -> None:
    model = model_of_checkpoint(retrieval.checkpoint).eval()
    model.frozen_share = share
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 6, model.backbone.embed_dim, generator=generator)
    mask = torch.arange(6) < torch.tensor([[6], [4], [1]])
    batch = batch_of(features, mask, ["a star spins", "a small red ring"])
    with torch.no_grad():
        cosines = model.test_scores(batch)[0] * model.temperature
        videos, texts = video_vectors(model, features, mask), text_vectors(model, batch["text"])
    torch.testing.assert_close(videos @ texts.T, cosines, rtol=0, atol=1e-6)
    for vectors in (videos, texts):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))
