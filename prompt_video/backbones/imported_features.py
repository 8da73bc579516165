"""Frame features that others have computed, a NumPy file a video, and the feature store they become."""

import logging
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import numpy as np
import torch

from data_modules.annotations.activitynet_format import read_ground_truth
from data_modules.errors import InputError
from data_modules.features.imported_names import endings
from data_modules.features.manifest import IMPORTED
from data_modules.features.store import Recipe, StoreWriter, pending
from data_modules.files.listing import Listing
from data_modules.files.suffixes import stem_of
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.io.numpy_files import open_array

log = logging.getLogger(__name__)

TOLERANCE = 0.05  # share by which a video's length may differ from what the annotation says


def import_files(
    files: Mapping[str, Path],
    store: Path,
    backbone: FrozenBackbone,
    frame_rate: float,
    *,
    transposed: bool | None = None,
    ground_truth: Path | None = None,
) -> None:
    """Write to the store what is not there already.

    Args:
        files: by video id, see `find_files`.
        store: folder of the feature store.
        backbone: which the features are of.
        frame_rate: rows for a second of video.
        transposed: see `num_rows`.
        ground_truth: in ActivityNet's format, for the videos' durations; None: by their rows.

    Raises:
        InputError: when a file holds no such features, or the ground truth says that the frame rate is another.
    """
    shape = {video_id: num_rows(path, backbone, transposed) for video_id, path in files.items()}
    seconds = {video_id: rows / frame_rate for video_id, rows in shape.items()}
    if ground_truth is not None:
        seconds = durations(ground_truth, seconds, frame_rate)
    recipe = Recipe(backbone.name, backbone.fingerprint, backbone.embed_dim, frame_rate, IMPORTED)
    todo = pending(store, recipe, files.items())
    log.info("importing %d of %d files into %s; the others are there already", len(todo), len(files), store)
    with StoreWriter(store, recipe) as writer:
        for video_id in todo:
            rows = read(files[video_id], transposed=bool(transposed))
            times_sec = (np.arange(len(rows)) + 0.5) / frame_rate
            writer.add(video_id, torch.from_numpy(rows), times_sec, seconds[video_id], files[video_id])


def find_files(folder: Path, prefix: str) -> dict[str, Path]:
    """The files of a folder, and of those in it, by video id.

    Args:
        folder: where they are.
        prefix: what stands before the id in their names.

    Raises:
        InputError: when there is no such folder or no file, or a name is not as it should be.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; name the one with the .npy files.")
    listing = Listing(folder, lambda name: name.lower().endswith(".npy"))
    files: dict[str, Path] = {}
    by_ending: dict[str, Path] = {}
    for path in listing.paths():
        stem = stem_of(path.stem).removeprefix(prefix)
        if not path.stem.startswith(prefix) or not stem:
            raise InputError(f"{path} is not called {prefix}<video id>.npy, as --prefix says.")
        video_id = path.relative_to(folder).with_name(stem).as_posix()
        files[video_id] = path
    for video_id, path in files.items():  # where one name is an ending of another, nobody could tell what it means
        if (other := by_ending.setdefault(video_id, path)) != path:
            raise InputError(f"'{video_id}' is there twice: {other} and {path}; remove one of them.")
        for ending in list(endings(video_id))[1:]:
            if ending in files:
                raise InputError(f"'{ending}' is there twice: {path} and {files[ending]}; remove one of them.")
    if not files:
        others = sum(path.suffix.lower() in (".npz", ".pt", ".pth", ".pkl", ".h5") for path in folder.rglob("*"))
        instead = f"; of {others} files of other kinds save each array alone with numpy.save" if others else ""
        raise InputError(
            f"{folder} holds no .npy file; it should hold one for each video, called <video id>.npy{instead}."
        )
    return files


def num_rows(path: Path, backbone: FrozenBackbone, transposed: bool | None) -> int:
    """How many frames a file holds; only its header is read.

    Args:
        path: of the file.
        backbone: which its features are of.
        transposed: whether it is (D, T) rather than (T, D); None: that must be plain from its shape.

    Raises:
        InputError: when it is no array of such features.
    """
    array = open_array(path)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating) or not array.size:
        raise InputError(f"{path} holds {array.dtype} of shape {array.shape}, not rows of frame features, (T, D).")
    dim = backbone.embed_dim
    if transposed is None and array.shape == (dim, dim):
        raise InputError(f"{path}: of {dim} x {dim} either may be the frames; say --no_transposed if it is the first.")
    frames, width = array.shape[::-1] if transposed else array.shape
    if width != dim:
        turned = "--no_transposed" if transposed else "--transposed"
        advice = f"say {turned}" if frames == dim else "was it another backbone? Name it with --backbone"
        raise InputError(
            f"{path} has features of {width} numbers, and backbone '{backbone.name}' makes {dim}; {advice}."
        )
    return int(frames)


def read(path: Path, *, transposed: bool) -> np.ndarray:
    """The features of a file as (T, D), float32."""
    array = open_array(path)
    return np.array(array.T if transposed else array, dtype=np.float32, order="C")


def durations(ground_truth: Path, seconds: Mapping[str, float], frame_rate: float) -> dict[str, float]:
    """How long the videos are, by their annotation where it says so, and otherwise by their rows.

    Args:
        ground_truth: in ActivityNet's format.
        seconds: by the rows.
        frame_rate: that these were counted with.

    Raises:
        InputError: when the rows of most videos cannot be of that frame rate, or no video is annotated.
    """
    annotated = read_ground_truth(ground_truth)
    said = {i: float(v.duration_sec) for i, v in annotated.items() if i in seconds and v.duration_sec is not None}
    if not said:
        raise InputError(f"{ground_truth} tells the duration of none of the videos, of which one is {min(seconds)}.")
    ratios = {video_id: seconds[video_id] / max(said[video_id], 1e-9) for video_id in said}
    usual = median(ratios.values())
    if abs(usual - 1) > TOLERANCE:
        raise InputError(
            f"at {frame_rate:g} frames a second the files cover {usual:.2f} times what {ground_truth} says of their "
            f"videos, by the median: is the frame rate {frame_rate * usual:.4g}?"
        )
    if other := sorted(video_id for video_id, ratio in ratios.items() if abs(ratio - 1) > TOLERANCE):
        log.warning("%d videos are not as long as annotated, the first being %s", len(other), other[0])
    return {**seconds, **{video_id: max(said[video_id], 1 / frame_rate) for video_id in said}}
