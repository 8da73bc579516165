"""``prompt-video import-features``: frame features that others have computed become a feature store.

The folder holds a NumPy file a video, rows of frames, as features of CLIP are commonly released. A video is called as
its file is, folders in front, without suffix. A run then reads the store by ``--data.features=STORE``, and finds a
video by as much of its path as both have. It must ask for the same CLIP and frame rate; how the frames were cropped for
imported features is not known, and therefore not compared. Run it again after files were added or changed: all others
are left as they are.
"""

import argparse
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
from prompt_video.backbones.clip import FrozenCLIP
from prompt_video.io import console
from prompt_video.io.numpy_files import open_array
from prompt_video.io.verb_parser import VerbParser

log = logging.getLogger(__name__)

MIN_RATE, MAX_RATE = 1e-3, 1e4
TOLERANCE = 0.05  # share by which a video's length may differ from what the annotation says


def main(arguments: list[str]) -> None:
    """Import one folder."""
    options = _parser().parse_args(arguments[1:])
    if not MIN_RATE <= options.frame_rate <= MAX_RATE:
        raise InputError(
            f"--frame-rate must be from {MIN_RATE:g} to {MAX_RATE:g} rows a second, not {options.frame_rate}."
        )
    console.configure()
    files = find_files(options.folder, options.prefix)
    clip = FrozenCLIP(options.clip)
    shape = {video_id: num_rows(path, clip, options.transposed) for video_id, path in files.items()}
    seconds = {video_id: rows / options.frame_rate for video_id, rows in shape.items()}
    if options.duration_from is not None:
        seconds = durations(options.duration_from, seconds, options.frame_rate)
    recipe = Recipe(clip.name, clip.fingerprint, clip.embed_dim, options.frame_rate, IMPORTED)
    todo = pending(options.store, recipe, files.items())
    log.info("importing %d of %d files into %s; the others are there already", len(todo), len(files), options.store)
    with StoreWriter(options.store, recipe) as writer:
        for video_id in todo:
            rows = read(files[video_id], transposed=bool(options.transposed))
            times_sec = (np.arange(len(rows)) + 0.5) / options.frame_rate
            writer.add(video_id, torch.from_numpy(rows), times_sec, seconds[video_id], files[video_id])
    log.info(
        "%d videos; a run reads them with --data.features=%s --data.frame_rate=%g --model.clip=%s",
        len(files),
        options.store,
        options.frame_rate,
        options.clip,
    )


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


def num_rows(path: Path, clip: FrozenCLIP, transposed: bool | None) -> int:
    """How many frames a file holds; only its header is read.

    Args:
        path: of the file.
        clip: which its features are of.
        transposed: whether it is (D, T) rather than (T, D); None: that must be plain from its shape.

    Raises:
        InputError: when it is no array of such features.
    """
    array = open_array(path)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating) or not array.size:
        raise InputError(f"{path} holds {array.dtype} of shape {array.shape}, not rows of frame features, (T, D).")
    dim = clip.embed_dim
    if transposed is None and array.shape == (dim, dim):
        raise InputError(f"{path}: of {dim} x {dim} either may be the frames; say --no-transposed if it is the first.")
    frames, found = array.shape[::-1] if transposed else array.shape
    if found != dim:
        turned = "--no-transposed" if transposed else "--transposed"
        advice = f"say {turned}" if frames == dim else "was it another CLIP? Name it with --clip"
        raise InputError(f"{path} has features of {found} numbers, and CLIP '{clip.name}' makes {dim}; {advice}.")
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


def _parser() -> VerbParser:
    parser = VerbParser("import-features", __doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the files <video id>.npy, each (T, D)")
    parser.add_argument("store", type=Path, metavar="STORE", help="folder of the feature store, made if need be")
    parser.add_argument("--frame-rate", type=float, required=True, help="rows for a second of video")
    parser.add_argument(
        "--clip", default="openai/clip-vit-base-patch16", help="the CLIP they are of: hub id or local folder"
    )
    parser.add_argument(
        "--transposed", action=argparse.BooleanOptionalAction, default=None, help="whether the arrays are (D, T)"
    )
    parser.add_argument("--prefix", default="", help="what stands before the video id in the files' names, such as v_")
    parser.add_argument(
        "--duration-from",
        type=Path,
        metavar="GT.json",
        help="ground truth in ActivityNet's format to take the videos' durations from, and to check the frame rate "
        "against (default: rows / frame rate)",
    )
    return parser
