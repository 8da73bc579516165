"""What the feature stores hold of an experiment's videos already, and whether there is room for the rest."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from data_modules.batch import Record
from data_modules.features.manifest import MANIFEST
from data_modules.features.shards import COLUMNS, GONE, stamp
from data_modules.features.store import FeatureStore, Recipe, pending
from data_modules.modules.base import VideoDataModule
from data_modules.modules.extraction import open_named, recipe_of, store_root
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.preflight.check_results import CheckResult, Verdict, count
from prompt_video.preflight.probes import Probe

USUAL_DIM = 512  # of CLIP ViT-B, where the experiment's own backbone could not be loaded
TIGHT = 0.9  # of the free space


@dataclass(frozen=True)
class Share:
    """What one store, which need not exist yet, has and lacks.

    Args:
        recipe: what its features are made with; None where the backbone is not known.
        stored: files that have features.
        todo: videos that are still to be computed.
    """

    recipe: Recipe | None
    stored: set[Path]
    todo: Sequence[Record]


def shares_of(data: VideoDataModule, backbone: FrozenBackbone | None) -> list[Share]:
    """The stores that a run would open: one for each data set and crop.

    Raises:
        InputError: when one of them is damaged, or made with another recipe.
    """
    shares = []
    for module, wanted in data.stored_apart().items():
        for crop, records in zip(module.crops, wanted, strict=True):
            if module.features == "off" or backbone is None:
                shares.append(Share(None, set(), list(records.values()) if module.features == "auto" else []))
                continue
            recipe = recipe_of(backbone, module, crop)
            root = Path(module.features)
            if module.features == "auto":
                root = store_root(backbone, module, recipe)
            stored: set[Path] = set()
            if module.features != "auto" or (root / MANIFEST).exists():
                videos = [(record.video_id, record.path) for record in records.values()]
                store = FeatureStore(root, recipe) if module.features == "auto" else open_named(root, recipe, videos)
                store.check()
                stored = {record.path for record in records.values() if record.video_id in store}
            todo: list[str] = []
            if module.features == "auto":
                stored = {path for path in stored if stamp(path) != GONE}
                todo = pending(root, recipe, [(record.video_id, record.path) for record in records.values()])
            shares.append(Share(recipe, stored, [records[video_id] for video_id in todo]))
    return shares


def stored_everywhere(data: VideoDataModule, shares: Sequence[Share]) -> set[Path]:
    """Files that a run needs no more, since every store that it reads them from has their features."""
    paths = {record.path for records in data.videos().values() for record in records}
    lacking = {record.path for share in shares for record in share.todo}
    return set().union(*(share.stored for share in shares)) & paths - lacking


def check_store(data: VideoDataModule, shares: Sequence[Share], stored: set[Path]) -> CheckResult:
    """Whether a store that is named holds what is needed."""
    title = "feature store"
    if data.features == "off":
        return CheckResult(title, "note", "off: videos are decoded in every epoch")
    if all(share.recipe is None for share in shares):
        return CheckResult(title, "note", "not checked, since the backbone could not be loaded")
    total = {record.path for records in data.videos().values() for record in records}
    if data.features != "auto":
        lacking = [str(path) for path in total - stored]
        if lacking:
            return CheckResult(title, "error", f"{data.features} lacks {count(len(lacking), 'video')}", sorted(lacking))
        return CheckResult(title, "ok", f"{data.features} has all {count(len(total), 'video')}")
    return CheckResult(title, "ok", f"features of {len(stored):,} of {count(len(total), 'video')} are computed already")


def check_disk(data: VideoDataModule, shares: Sequence[Share], probes: Mapping[Path, Probe]) -> CheckResult:
    """Whether the features that are still to be computed fit on the disk."""
    title = "disk space"
    todo = sum(probes[record.path].problem is None for share in shares for record in share.todo)
    if not todo:
        return CheckResult(title, "ok", "nothing is to be stored")
    place = next(
        path for path in (data.features_root.absolute(), *data.features_root.absolute().parents) if path.exists()
    )
    free = shutil.disk_usage(place).free
    if not any(probe.num_frames for probe in probes.values()):
        summary = f"not estimated: no video was decoded; {_size(free)} free at {place}"
        return CheckResult(title, "note", summary)
    need = sum(_bytes_of(share, probes, data.frame_rate) for share in shares)
    verdict: Verdict = "error" if need > free else "warning" if need > TIGHT * free else "ok"
    guessed = f", with {USUAL_DIM} numbers a frame" if any(s.recipe is None and s.todo for s in shares) else ""
    return CheckResult(
        title,
        verdict,
        f"features of {count(todo, 'video')} take about {_size(need)}{guessed}; {_size(free)} free at {place}",
    )


def _bytes_of(share: Share, probes: Mapping[Path, Probe], frame_rate: float | None) -> int:
    """Of a store, once it is complete: frames with their times, and a row for each video."""
    recipe = share.recipe or Recipe("", "", USUAL_DIM, frame_rate, "")
    a_frame = recipe.dim * getattr(torch, recipe.dtype).itemsize + torch.float64.itemsize
    seen = [_frames(probe, frame_rate) for probe in probes.values() if probe.num_frames]
    usual = sum(seen) / len(seen)
    total = 0.0
    for record in share.todo:
        probe = probes[record.path]
        if probe.problem is None:
            total += a_frame * (_frames(probe, frame_rate) if probe.num_frames else usual)
            total += torch.int64.itemsize * len(COLUMNS) + len(record.video_id.encode()) + 4
    return round(total)


def _frames(probe: Probe, frame_rate: float | None) -> int:
    return probe.num_frames if frame_rate is None else max(1, round(probe.duration_sec * frame_rate))


def _size(num_bytes: int) -> str:
    size = float(num_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
