"""Sparse decoding against decoding everything, and against the released way, on one clip stored in many ways."""

import functools
import importlib
import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import torch
from av.video.stream import VideoStream
from jaxtyping import Float64, Int64, UInt8
from PIL import Image
from torch import Tensor

from data_modules.errors import InputError
from data_modules.loading.sampling import Sampler, SegmentSampler, WindowSampler
from data_modules.loading.transforms import ResizeCrop
from data_modules.video.decoding import VideoReader
from prompt_video.bench.measure import interleaved, threads
from prompt_video.bench.plan import Figures, Measurement, Setting, Size

CLIP = Path(__file__).parents[2] / "tests" / "data_modules" / "videos" / "cleaning_pool_h264.mp4"
NUM_SECONDS, FRAME_RATE = 10, 30
NUM_WANTED, SIZE = 16, 224
NUM_ROUNDS = 5


@dataclass(frozen=True)
class Kind:
    """How a video is stored.

    Args:
        options: of the encoder.
        lead: frames of the start whose display times are negative: the file gets an edit list that hides them.
        start_sec: time stamp of the first frame.
        variable: frame times jitter, with a pause in the middle.
        cut: leave out what precedes the second key frame, without decoding, as a trim by stream copy does.
        windowed: the wanted frames are a window, as the paper samples, and not spread over the whole video.
    """

    suffix: str = ".mp4"
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    lead: int = 0
    start_sec: float = 0.0
    variable: bool = False
    cut: bool = False
    windowed: bool = False


KINDS = {
    "h264_key12": Kind(options={"g": "12", "keyint_min": "12"}),
    "h264_key250": Kind(options={"g": "250"}),
    "h264_key250_window": Kind(options={"g": "250"}, windowed=True),
    "mpeg4_avi": Kind(".avi", "mpeg4", {"b": "1M"}),
    "mpeg4_bframes_avi": Kind(".avi", "mpeg4", {"b": "1M", "bf": "2", "g": "48"}),
    "mpeg4_bframes_mp4": Kind(".mp4", "mpeg4", {"b": "1M", "bf": "2", "g": "48"}),
    "open_gop": Kind(options={"g": "24", "x264-params": "open-gop=1"}),
    "open_gop_cut": Kind(".ts", options={"g": "24", "x264-params": "open-gop=1"}, cut=True),
    "variable_frame_rate": Kind(".mkv", options={"g": "60"}, variable=True),
    "edit_list": Kind(options={"g": "60"}, lead=40),
    "late_start": Kind(options={"g": "60"}, start_sec=10.0),
    "negative_start": Kind(".mkv", options={"g": "60"}, start_sec=-0.05),
}


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
        return {name: _compare(KINDS[name], Path(folder) / name, opencv, rounds) for name in kinds}


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


def _compare(kind: Kind, stem: Path, opencv: ModuleType, rounds: int) -> Figures:
    path = stem.with_suffix(kind.suffix)
    write_video(kind, path)
    times_sec, everything = decode_everything(path)
    moments = _moments(kind, times_sec)
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


def _moments(kind: Kind, times_sec: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " T"]:
    sampler: Sampler = WindowSampler(NUM_WANTED) if kind.windowed else SegmentSampler(NUM_WANTED)
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
def clip_frames(num_frames: int) -> list[av.VideoFrame]:
    """The first frames of a real hand-held clip of 10 s; how an encoder stores drawn pictures says little."""
    if not CLIP.exists():
        raise InputError(f"the decoding benchmark needs {CLIP}, which is in the repository but not in the package")
    with av.open(str(CLIP)) as container:
        frames = itertools.islice(container.decode(video=0), num_frames)
        return [av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24") for frame in frames]


def write_video(kind: Kind, path: Path, num_frames: int = NUM_SECONDS * FRAME_RATE) -> None:
    """Encode the clip as one kind of file."""
    rng = np.random.default_rng(0)
    frames = clip_frames(num_frames)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(kind.codec, rate=FRAME_RATE, options={"threads": "1", **kind.options})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        tick = Fraction(1, 1000 if kind.variable else FRAME_RATE)
        stream.codec_context.time_base = tick
        num_keys = 0
        for place, picture in enumerate([*frames, None]):
            if picture is not None:
                jitter = int(rng.integers(-12, 13)) + 500 * (place > num_frames // 2) if kind.variable else 0
                at = (place - kind.lead) / FRAME_RATE + kind.start_sec
                picture.pts, picture.time_base = round(at / tick) + jitter, tick
            for packet in stream.encode(picture):
                num_keys += packet.is_keyframe
                if not kind.cut or num_keys > 1:
                    container.mux(packet)
