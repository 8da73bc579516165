"""Frame features of the frozen CLIP into the feature store, through Lightning's predict loop."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from data_modules.base import SPLITS, VideoDataModule
from data_modules.errors import InputError
from data_modules.feature_store import FeatureStore, Recipe, StoreWriter, pending
from data_modules.frames import Chunk
from prompt_video.clip import FrozenCLIP

log = logging.getLogger(__name__)


class ExtractionTask(LightningModule):
    """Encode chunks of frames and write whole videos to the store.

    Args:
        clip: the frozen CLIP.
        root: folder of the store.
        recipe: what the features are made with.
    """

    def __init__(self, clip: FrozenCLIP, root: Path, recipe: Recipe) -> None:
        super().__init__()
        self.clip = clip
        self.root = root
        self.recipe = recipe
        self.writer: StoreWriter | None = None
        self._unfinished: dict[str, list[tuple[Tensor, list[float]]]] = {}

    def on_predict_start(self) -> None:
        """Open this process's writer."""
        self.writer = StoreWriter(self.root, self.recipe, rank=self.global_rank)

    def transfer_batch_to_device(self, batch: Chunk, device: torch.device, dataloader_idx: int) -> Chunk:
        """Only the frames go to the device."""
        return replace(batch, frames=batch.frames.to(device, non_blocking=True))

    def predict_step(self, batch: Chunk, batch_idx: int) -> int:
        """Encode one chunk; a video whose last frames it holds goes to the store.

        Returns:
            The number of frames.
        """
        assert self.writer is not None
        features = self.clip.encode_frames(batch.frames).cpu() if len(batch.frames) else torch.empty(0, self.recipe.dim)
        start = 0
        for piece in batch.pieces:
            stop = start + len(piece.times_sec)
            parts = self._unfinished.setdefault(piece.video_id, [])
            parts.append((features[start:stop], piece.times_sec))
            start = stop
            if piece.duration_sec is not None:
                whole = torch.cat([part for part, _ in parts])
                times_sec = np.concatenate([times for _, times in parts])
                self.writer.add(piece.video_id, whole, times_sec, piece.duration_sec, piece.path)
                del self._unfinished[piece.video_id]
        for video in batch.broken:
            self._unfinished.pop(video.video_id, None)
            self.writer.add_broken(video)
        return len(batch.frames)

    def on_predict_end(self) -> None:
        """Write what is left."""
        if self.writer is not None:
            self.writer.close()


def recipe_of(clip: FrozenCLIP, data: VideoDataModule) -> Recipe:
    """What this run's features are made with."""
    return Recipe(
        clip_name=clip.name,
        clip_fingerprint=clip.fingerprint,
        dim=clip.embed_dim,
        frame_rate=data.frame_rate,
        transform=data.crop.recipe,
    )


def ensure_features(clip: FrozenCLIP, data: VideoDataModule, **trainer_options: Any) -> None:  # noqa: ANN401
    """Open the feature store that ``data.features`` asks for, computing first what it lacks.

    Args:
        clip: the frozen CLIP.
        data: its store is opened, unless its features are ``off``.
        trainer_options: accelerator, devices, nodes and strategy of the trainer that computes.

    Raises:
        InputError: when a store is named that is missing or was made with another recipe.
    """
    if data.features == "off":
        return
    recipe = recipe_of(clip, data)
    if data.features != "auto":
        data.store = FeatureStore(Path(data.features), recipe)
        return
    root = data.features_root / f"{data.dataset_name}-{Path(clip.name).name}-{recipe.key()}"
    data.prepare_data()
    videos = [(record.video_id, record.path) for split in SPLITS for record in data.catalog.records[split]]
    if todo := pending(root, recipe, videos):
        log.info("computing frame features of %d videos with CLIP '%s' into %s", len(todo), clip.name, root)
        _extract(clip, data, root, recipe, todo, trainer_options)
    data.store = FeatureStore(root, recipe)


def _extract(
    clip: FrozenCLIP,
    data: VideoDataModule,
    root: Path,
    recipe: Recipe,
    todo: list[str],
    trainer_options: dict[str, Any],
) -> None:
    trainer = Trainer(
        logger=False, enable_checkpointing=False, enable_model_summary=False, inference_mode=True, **trainer_options
    )
    chunks = data.frame_chunks(todo, rank=trainer.global_rank, world_size=trainer.world_size)
    loader = DataLoader(chunks, batch_size=None, num_workers=data.num_workers)
    trainer.predict(ExtractionTask(clip, root, recipe), loader, return_predictions=False)
    trainer.strategy.barrier("features")
    if left := pending(root, recipe, []):
        raise InputError(f"{len(left)} videos are still without features.")
