"""Frame features of a frozen encoder into the feature store, through Lightning's predict loop."""

import hashlib
import logging
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Float64
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from data_modules.batch import BrokenVideo, Record
from data_modules.errors import InputError
from data_modules.features.encoder import FrameEncoder, FrameTransform
from data_modules.features.imported_names import names_in
from data_modules.features.manifest import IMPORTED
from data_modules.features.shards import GONE, stamp
from data_modules.features.store import FeatureStore, Recipe, StoreWriter, pending
from data_modules.loading.frames import Chunk, FrameChunks
from data_modules.loading.loaders import loader_options
from data_modules.modules.base import VideoDataModule

log = logging.getLogger(__name__)

MISSING = "there is no such file"


class ExtractionTask(LightningModule):
    """Encode chunks of frames and write whole videos to the store.

    Args:
        encoder: makes the features; a module is moved to the trainer's device.
        root: folder of the store.
        recipe: what the features are made with.
    """

    title = "frame features"  # of what is computed, for people

    def __init__(self, encoder: FrameEncoder, root: Path, recipe: Recipe) -> None:
        super().__init__()
        self.encoder = encoder
        self.root = root
        self.recipe = recipe
        self.writer: StoreWriter | None = None
        self._unfinished: dict[str, list[tuple[Tensor, list[float]]]] = {}
        self.num_videos, self.num_finished, self.num_frames = 0, 0, 0  # of this process

    def run(self, trainer: Trainer, loader: DataLoader[Chunk]) -> None:
        """Encode all chunks; what was computed until a signal or an error is kept."""
        self.num_videos = len(cast(FrameChunks, loader.dataset).records)
        try:
            trainer.predict(self, loader, return_predictions=False)
        finally:
            self.on_predict_end()

    def on_predict_start(self) -> None:
        """Open this process's writer."""
        self.writer = StoreWriter(self.root, self.recipe, rank=self.global_rank)

    def transfer_batch_to_device(self, batch: Chunk, device: torch.device, dataloader_idx: int) -> Chunk:
        """Only the frames go to the device."""
        return replace(batch, frames=batch.frames.to(device, non_blocking=device.type == "cuda"))

    def predict_step(self, batch: Chunk, batch_idx: int) -> int:
        """Encode one chunk; a video whose last frames it holds goes to the store.

        Returns:
            The number of frames.
        """
        assert self.writer is not None
        frames, encoder = batch.frames, self.encoder
        features = encoder.encode_frames(frames).cpu() if len(frames) else torch.empty(0, encoder.embed_dim)
        start = 0
        for piece in batch.pieces:
            stop = start + piece.num_frames
            parts = self._unfinished.setdefault(piece.video_id, [])
            parts.append((features[start:stop][piece.frame_of], piece.times_sec))
            start = stop
            if piece.duration_sec is not None:
                whole = torch.cat([subset for subset, _ in parts])
                times_sec = np.concatenate([times for _, times in parts])
                self.keep(self.writer, piece.video_id, whole, times_sec, piece.duration_sec, piece.path)
                del self._unfinished[piece.video_id]
                self.num_finished += 1
        for video in batch.broken:
            self.num_finished += 1
            self._unfinished.pop(video.video_id, None)
            self.writer.add_broken(video)
        self.num_frames += len(frames)
        return len(frames)

    def keep(
        self,
        writer: StoreWriter,
        video_id: str,
        features: Float[Tensor, "N D"],
        times_sec: Float64[np.ndarray, " N"],
        duration_sec: float,
        path: Path,
    ) -> None:
        """Hand a whole video to the store."""
        writer.add(video_id, features, times_sec, duration_sec, path)

    def on_predict_end(self) -> None:
        """Write what is left."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None


def transform_of(encoder: FrameEncoder, crop: FrameTransform) -> str:
    """What is done to the pixels, and what else of an encoder changes features beside its weights."""
    return f"{crop.recipe}/{encoder.configured}"


def recipe_of(encoder: FrameEncoder, data: VideoDataModule, crop: FrameTransform) -> Recipe:
    """What the features of one crop are made with."""
    return Recipe(
        backbone_name=encoder.name,
        backbone_fingerprint=encoder.fingerprint,
        dim=encoder.embed_dim,
        frame_rate=data.frame_rate,
        transform=transform_of(encoder, crop),
        backbone_dtype=encoder.dtype,
    )


def store_root(encoder: FrameEncoder, data: VideoDataModule, recipe: Recipe) -> Path:
    """Folder of the store of one recipe that ``features: auto`` keeps: of the videos below one root alone.

    Elsewhere a video may have the same name, and be another one.
    """
    place = hashlib.sha256(os.fsencode(data.root.resolve())).hexdigest()[:8]
    return data.features_root / f"{data.dataset_name}-{Path(encoder.name).name}-{recipe.key()}-{place}"


def open_store(
    encoder: FrameEncoder, data: VideoDataModule, crop: FrameTransform, records: Mapping[str, Record], trainer: Trainer
) -> FeatureStore:
    """The store of one crop, after what it lacks has been computed.

    Args:
        encoder: makes the features.
        data: whose ``features`` says which store is meant; one that is named is opened as it is.
        crop: of the frames.
        records: the videos that a run may ask for, by their ids.
        trainer: runs the encoder.

    Raises:
        InputError: when a store is named that is missing or was made with another recipe.
    """
    recipe = recipe_of(encoder, data, crop)
    videos = [(video_id, record.path) for video_id, record in records.items()]
    if data.features != "auto":
        return open_named(Path(data.features), recipe, videos)
    root = store_root(encoder, data, recipe)
    if todo := pending(root, recipe, videos):
        log.info("computing frame features of %d videos with backbone '%s' into %s", len(todo), encoder.name, root)
        chunks = data.frame_chunks(
            [records[video_id] for video_id in todo], crop, rank=trainer.global_rank, world_size=trainer.world_size
        )
        loader = DataLoader(chunks, batch_size=None, **loader_options(trainer.strategy.root_device, data.num_workers))
        ExtractionTask(encoder, root, recipe).run(trainer, loader)
        trainer.strategy.barrier("features")
        if left := pending(root, recipe, videos):
            raise InputError(f"{len(left)} videos are still without features, the first being {left[0]}.")
    store = FeatureStore(root, recipe)
    store.leave_out(BrokenVideo(video_id, str(path), MISSING) for video_id, path in videos if stamp(path) == GONE)
    return store


def part_of(records: Mapping[str, Record], part: tuple[int, int]) -> dict[str, Record]:
    """The videos that one of several extractions computes, when nothing but a file system joins them.

    Their names alone say which, so that lists that grow, and what is stored by then, move no video to another part.

    Args:
        records: of all of them, by their ids.
        part: which one, from 1, of how many.
    """
    number, count = part
    return {name: record for name, record in records.items() if zlib.crc32(os.fsencode(name)) % count == number - 1}


def open_named(root: Path, recipe: Recipe, videos: Sequence[tuple[str, Path]]) -> FeatureStore:
    """A store that is named, which need not be of these files; imported features may go by other names.

    Args:
        root: its folder.
        recipe: what the features must have been made with.
        videos: id and file of each that a run may ask for.

    Raises:
        InputError: as ``FeatureStore``, or it is not plain which features are of which video.
    """
    store = FeatureStore(root, recipe)
    if store.recipe.transform == IMPORTED:
        store.rename(names_in(root, store.video_ids, [video_id for video_id, _ in videos]))
    else:
        _tell_other_files(store, videos)
    return store


def _tell_other_files(store: FeatureStore, videos: Sequence[tuple[str, Path]]) -> None:
    """Say which videos are there and not the files that a store's features were made of; it may outlive its videos."""
    sizes = ((video_id, path, stamp(path)[0]) for video_id, path in videos if video_id in store)
    other = [path for video_id, path, size in sizes if size not in (GONE[0], store.source(video_id)[0])]
    if other:
        log.warning(
            "%d videos are not the files that the features in %s were made of: their sizes differ, the first being %s",
            len(other),
            store.root,
            other[0],
        )
