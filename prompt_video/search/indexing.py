"""Videos into an index: a feature store whose rows are spans, each one vector of a learned model."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from data_modules.batch import BrokenVideo, Record
from data_modules.errors import InputError
from data_modules.features.encoder import FrameTransform
from data_modules.features.manifest import MANIFEST
from data_modules.features.shards import GONE, stamp
from data_modules.features.store import FeatureStore, Recipe, StoreWriter, pending
from data_modules.files.listing import Listing
from data_modules.loading.frames import FrameChunks
from data_modules.loading.loaders import loader_options
from data_modules.modules.extraction import MISSING, ExtractionTask, transform_of
from data_modules.video.timeline import tick_starts
from prompt_video.model.embedding import dim_of, span_vectors
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.search.manifest import IndexManifest, read_manifest
from prompt_video.search.spans import Cutting

log = logging.getLogger(__name__)

SPANS_AT_A_TIME = 256


@dataclass(frozen=True)
class Outcome:
    """What became of a folder.

    Args:
        done: videos that were embedded now.
        unchanged: those that were there already, broken ones too.
        gone: those that were removed from the index, since their file is gone.
        broken: files that cannot be used, those of earlier runs too.
        newly_broken: those of them that were found now.
        num_videos: in the index.
        num_spans: in the index.
    """

    done: int
    unchanged: int
    gone: list[str]
    broken: dict[str, BrokenVideo]
    newly_broken: list[str]
    num_videos: int
    num_spans: int


class IndexingTask(ExtractionTask):
    """Encode frames as extraction does, and keep the vectors of a video's spans in their place.

    Args:
        model: the learned model.
        root: folder of the index.
        recipe: what the vectors are made with.
        cutting: how videos are cut.
    """

    title = "indexing"

    def __init__(self, model: VideoTextModel, root: Path, recipe: Recipe, cutting: Cutting) -> None:
        super().__init__(model.backbone, root, recipe)
        self.model = model
        self.cutting = cutting

    def keep(
        self,
        writer: StoreWriter,
        video_id: str,
        features: Float[Tensor, "N D"],
        times_sec: Float64[np.ndarray, " N"],
        duration_sec: float,
        path: Path,
    ) -> None:
        """Hand a whole video's spans to the store."""
        start_sec = float(tick_starts(times_sec[:1], self.cutting.frame_rate)[0])
        rows = self.cutting.rows(times_sec, duration_sec, start_sec)
        vectors = torch.cat([*span_vectors(self.model, features, rows, SPANS_AT_A_TIME)])
        starts = np.array([start for start, _ in self.cutting.spans(duration_sec, start_sec)])
        writer.add(video_id, vectors, starts, duration_sec, path)


def recipe_of(manifest: IndexManifest, model: VideoTextModel, crop: FrameTransform) -> Recipe:
    """What the vectors of an index are made with: other weights or other spans make another one."""
    return Recipe(
        backbone_name=model.backbone.name,
        backbone_fingerprint=model.backbone.fingerprint,
        dim=dim_of(model),
        frame_rate=manifest.cutting.frame_rate,
        transform=f"{transform_of(model.backbone, crop)}/{manifest.made_with}",
        backbone_dtype=model.backbone.dtype,
    )


def build_index(
    model: VideoTextModel,
    folder: Path,
    root: Path,
    cutting: Cutting,
    num_workers: int = 2,
    **trainer_options: Any,  # noqa: ANN401 - Lightning's
) -> Outcome:
    """Embed what is new or changed below a folder, and take out of the index what is gone.

    A kill costs about a minute's work: run it again.

    Args:
        model: the learned model.
        folder: of the videos, in any layout.
        root: folder of the index, made if need be.
        cutting: how videos are cut.
        num_workers: processes that decode; 0 decodes in the main process.
        trainer_options: accelerator, devices, callbacks and so on of the trainer that computes.

    Raises:
        InputError: when there is no folder or no video in it, or the index was made otherwise or of another folder.
    """
    manifest, crop = _as_begun(root, IndexManifest.of(model, folder, cutting)), model.backbone.frames
    recipe = recipe_of(manifest, model, crop)
    videos = find_videos(folder)
    todo = pending(root, recipe, videos.items())
    _check_folder(root, folder)
    manifest.write(root)
    trainer = Trainer(
        logger=False, enable_checkpointing=False, enable_model_summary=False, inference_mode=True, **trainer_options
    )
    gone = _vanished(root, recipe, videos)
    if trainer.is_global_zero and gone:
        with StoreWriter(root, recipe) as writer:
            for video_id in gone:
                writer.add_broken(BrokenVideo(video_id, str(folder / video_id), MISSING))
    if todo:
        known = len(videos) - len(todo)
        log.info("indexing %d videos below %s into %s; %d are there already", len(todo), folder, root, known)
        records = [Record(video_id, videos[video_id], -1) for video_id in todo]
        chunks = FrameChunks(records[trainer.global_rank :: trainer.world_size], crop, cutting.frame_rate)
        loader = DataLoader(
            chunks, batch_size=None, **loader_options(trainer.strategy.root_device, min(num_workers, len(todo)))
        )
        IndexingTask(model.eval(), root, recipe, cutting).run(trainer, loader)
        trainer.strategy.barrier("index")
        if left := pending(root, recipe, videos.items()):
            raise InputError(
                f"{len(left)} videos are still not in the index, the first being {left[0]}; index once more."
            )
    return _outcome(FeatureStore(root, recipe), videos, todo, gone)


def find_videos(folder: Path) -> dict[str, Path]:
    """All video files below a folder, by their path inside it.

    Raises:
        InputError: when there is no such folder, or no video in it.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; name the one with your videos.")
    listing = Listing(folder)
    videos = {path.relative_to(folder).as_posix(): path for path in listing.paths()}
    listing.say()
    if not videos:
        raise InputError(f"there is no video below {folder}; is it the right folder, and is its disk there?")
    return videos


def _as_begun(root: Path, manifest: IndexManifest) -> IndexManifest:
    """In the words of the version that began the index, if there is one."""
    try:
        return manifest.continuing(read_manifest(root))
    except InputError:  # there is none, or a damaged one that is written anew
        return manifest


def _check_folder(root: Path, folder: Path) -> None:
    """An index is of one folder, which may have been moved: all else would count as gone."""
    try:
        other = read_manifest(root).folder
    except InputError:  # there is none, or a damaged one that is written anew
        return
    if other != folder.resolve() and other.is_dir():
        raise InputError(
            f"the index {root} is of the videos below {other}; name another place for those below {folder} with --out."
        )


def _vanished(root: Path, recipe: Recipe, videos: Mapping[str, Path]) -> list[str]:
    """Videos of the index whose file is gone, and that it still answers with."""
    if not (root / MANIFEST).exists():
        return []
    ids = FeatureStore(root, recipe).video_ids
    return [video_id for video_id in ids if video_id not in videos or stamp(videos[video_id]) == GONE]


def _outcome(store: FeatureStore, videos: Mapping[str, Path], todo: list[str], gone: list[str]) -> Outcome:
    broken = {video_id: video for video_id, video in store.broken.items() if video_id in videos}
    newly_broken = sorted(broken.keys() & set(todo))
    return Outcome(
        done=len(todo) - len(newly_broken),
        unchanged=len(videos) - len(todo),
        gone=gone,
        broken=broken,
        newly_broken=newly_broken,
        num_videos=len(store),
        num_spans=sum(int(shard.counts.sum()) for shard in store.shards()),
    )
