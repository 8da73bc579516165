"""Sparse decoding against decoding everything, and against the released way, on one clip stored in many ways."""

import functools
import importlib
import itertools
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from PIL import Image
from torch import Tensor

from data_modules.errors import InputError
from data_modules.loading.sampling import Sampler, SegmentSampler, WindowSampler
from data_modules.loading.transforms import ResizeCrop
from data_modules.synthetic.encodings import ENCODINGS, FRAME_RATE, write_video
from data_modules.video.decoding import VideoReader
from prompt_video.bench.measure import interleaved, threads
from prompt_video.bench.plan import Figures, Measurement, Setting, Size

CLIP = Path(__file__).parents[2] / "tests" / "data_modules" / "videos" / "cleaning_pool_h264.mp4"
NUM_SECONDS = 10
NUM_WANTED, SIZE = 16, 224
NUM_ROUNDS = 5


# The wanted frames of a window lie close together, as the paper samples, and not spread over the whole video.
WINDOW = "h264_key250_window"
KINDS = {**ENCODINGS, WINDOW: ENCODINGS["h264_key250"]}


def run(setting: Setting, kinds: Sequence[str], rounds: int) -> Figures:
    """Time 16 frames of a 10 s clip, three ways in turn, each on one thread.

    Args:
        setting: where.
        kinds: of files, of `KINDS`.
        rounds: how often each way is timed.

    Returns:
        For each kind of file ``vs_decode_all``, the speed-up over decoding everything and converting only the wanted
        frames; ``vs_released_way``, that over decoding everything with OpenCV and resizing everything with PIL (ours
        resizes, too); ``bit_equal``, whether the frames are those that decoding everything and picking gives.

    Raises:
        InputError: if OpenCV is not installed.
    """
    opencv = _opencv()
    with threads(1), tempfile.TemporaryDirectory() as folder:
        return {name: _compare(name, Path(folder), opencv, rounds) for name in kinds}


QUICK_KINDS = ("h264_key12", "h264_key250")
MEASUREMENTS = (
    Measurement(
        run,
        (
            Size(f"{len(KINDS)} kinds of files", 1200, 70, {"kinds": tuple(KINDS), "rounds": NUM_ROUNDS}),
            Size(f"{len(QUICK_KINDS)} kinds of files", 1000, 12, {"kinds": QUICK_KINDS, "rounds": 3}, quick=True),
        ),
        on="host",
    ),
)


def _opencv() -> ModuleType:
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        hint = "pip install opencv-python-headless"
        raise InputError(f"the decoding benchmark compares with OpenCV, which is not installed: {hint}") from error


def _compare(kind: str, folder: Path, opencv: ModuleType, rounds: int) -> Figures:
    path = (folder / kind).with_suffix(KINDS[kind].suffix)
    write_video(KINDS[kind], path, clip_frames())
    times_sec, everything = decode_everything(path)
    moments = _moments(WindowSampler(NUM_WANTED) if kind == WINDOW else SegmentSampler(NUM_WANTED), times_sec)
    places = np.searchsorted(times_sec, moments, side="right") - 1
    with VideoReader(path) as reader:
        frames, _ = reader.decode(moments)
    expected = torch.from_numpy(everything[places]).permute(0, 3, 1, 2)
    control = torch.from_numpy(everything[np.maximum(places - 1, 0)]).permute(0, 3, 1, 2)
    if (frames == control).flatten(1).all(1)[1:].any():
        raise AssertionError(f"{path.name}: neighbouring frames are equal, so that a wrong frame would go unnoticed")
    seconds = interleaved(
        {
            "ours": partial(_ours, path, moments),
            "resized": partial(_ours_resized, path, moments),
            "all": partial(_decode_all, path, places),
            "released": partial(_released, path, opencv),
        },
        rounds,
    )
    return {
        "vs_decode_all": seconds["all"] / seconds["ours"],
        "vs_released_way": seconds["released"] / seconds["resized"],
        "bit_equal": torch.equal(frames, expected),
    }


def _moments(sampler: Sampler, times_sec: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " T"]:
    rng = np.random.default_rng(0)
    view: Float64[np.ndarray, " T"] = sampler.test(float(times_sec[-1]) + 1 / FRAME_RATE, float(FRAME_RATE), rng)[0]
    return view


def _ours(path: Path, moments: Float64[np.ndarray, " T"]) -> Tensor:
    with VideoReader(path) as reader:
        return reader.decode(moments)[0]


def _ours_resized(path: Path, moments: Float64[np.ndarray, " T"]) -> Tensor:
    return ResizeCrop(SIZE)(_ours(path, moments))


def _decode_all(path: Path, places: Int64[np.ndarray, " T"]) -> Tensor:
    wanted = set(places.tolist())
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        frames = enumerate(container.decode(video=0))
        pictures = {place: frame.to_ndarray(format="rgb24") for place, frame in frames if place in wanted}
    return torch.from_numpy(np.stack([pictures[place] for place in places.tolist()])).permute(0, 3, 1, 2)


def _released(path: Path, opencv: ModuleType) -> UInt8[np.ndarray, "N S S 3"]:
    """Source: ``feat/visfeat.py`` of ju-chen/Efficient-Prompt: BGR handed to PIL, every frame resized and cropped."""
    capture = opencv.VideoCapture(str(path), opencv.CAP_FFMPEG, [opencv.CAP_PROP_N_THREADS, 1])
    pictures = []
    while True:
        is_read, array = capture.read()
        if not is_read:
            break
        image = Image.fromarray(array)
        scale = SIZE / min(image.size)
        image = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BICUBIC)
        left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
        pictures.append(np.asarray(image.crop((left, top, left + SIZE, top + SIZE))))
    capture.release()
    return np.stack(pictures)


def decode_everything(path: Path) -> tuple[Float64[np.ndarray, " N"], UInt8[np.ndarray, "N H W 3"]]:
    """Every frame that plain PyAV gives, and its time from the first; the reference, which shares no code with ours."""
    with av.open(str(path)) as container:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    times_sec = np.array([time_sec for time_sec, _ in frames])
    if (np.diff(times_sec) <= 0).any():  # AVI stores no display times: the order of output counts
        times_sec = np.sort(times_sec)
    return times_sec - times_sec[0], np.stack([picture for _, picture in frames])


@functools.cache
def clip_frames() -> list[av.VideoFrame]:
    """A real hand-held clip of 10 s; how an encoder stores drawn pictures says little."""
    if not CLIP.exists():
        raise InputError(f"the decoding benchmark needs {CLIP}, which is in the repository but not in the package")
    with av.open(str(CLIP)) as container:
        frames = itertools.islice(container.decode(video=0), NUM_SECONDS * FRAME_RATE)
        return [av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24") for frame in frames]
