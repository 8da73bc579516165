"""Feature extraction end to end, from video files to the store, against the bare image encoder: frames a second.

ViT-B/16's shape with random weights, real h264 files, the same number of frames on both sides. One loader worker; on a
GPU one a core, up to 16.
"""

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.utils.data import DataLoader

from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.features.store import Recipe
from data_modules.loading.frames import FrameChunks
from data_modules.modules.extraction import ExtractionTask
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.bench.measure import interleaved
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.bench.vit_b16 import fast_backbone

CLIP_FILE = Path(__file__).parents[2] / "tests" / "data_modules" / "videos" / "cleaning_pool_h264.mp4"


def run(setting: Setting, num_videos: int, frame_rate: float, num_workers: int, rounds: int) -> Figures:
    """The share of the encoder's own rate that is left when decoding, cropping and writing are added."""
    if not CLIP_FILE.exists():
        raise InputError(f"the extraction benchmark needs {CLIP_FILE}; run it from a checkout of the repository.")
    backbone = fast_backbone(setting.vit_b16(), setting.device)
    with TemporaryDirectory() as folder:
        records = []
        for number in range(num_videos):
            path = Path(folder, f"{number}.mp4")
            shutil.copy(CLIP_FILE, path)
            records.append(Record(path.name, path, 0))
        extraction = partial(extract, backbone, records, frame_rate, num_workers)
        num_frames = extraction()  # what is timed comes after this one
        size = (num_frames, 3, *backbone.frames.shape)
        pixels = torch.randint(0, 256, size, dtype=torch.uint8).to(setting.device)
        encoder = partial(backbone.encode_frames, pixels)
        ways: dict[str, Callable[[], object]] = {"extraction": extraction, "encoder": encoder}
        seconds = interleaved(ways, rounds, setting.device, warm_up=False)
    return {
        "share_of_encoder": seconds["encoder"] / seconds["extraction"],
        "frames_per_second": num_frames / seconds["extraction"].median,
    }


def _size(num_videos: int, frame_rate: float, num_workers: int, rounds: int, seconds: int, mib: int) -> Size:
    label = f"{num_videos} videos of 10 s at {frame_rate:g} frames a second"
    options = {"num_videos": num_videos, "frame_rate": frame_rate, "num_workers": num_workers, "rounds": rounds}
    return Size(label, mib, seconds, options, quick=num_videos < 3)


WORKERS = min(16, os.cpu_count() or 1)  # of a GPU, which waits for the decoders
MEASUREMENTS = (
    Measurement(run, (_size(3, 5.0, 1, 3, 100, 2500), _size(1, 3.0, 1, 2, 17, 2000)), on="cpu"),
    Measurement(run, (_size(64, 30.0, WORKERS, 3, 60, 8000), _size(2, 5.0, WORKERS, 3, 10, 3000)), on="cuda"),
)


def extract(backbone: FrozenBackbone, records: list[Record], frame_rate: float, num_workers: int) -> int:
    """One extraction, from opening the files to the closed store; the number of its frames comes back."""
    crop = backbone.frames
    recipe = Recipe(backbone.name, backbone.fingerprint, backbone.embed_dim, frame_rate, crop.recipe)
    with TemporaryDirectory() as folder:
        task = ExtractionTask(backbone, Path(folder, "store"), recipe)
        task.on_predict_start()
        loader = DataLoader(FrameChunks(records, crop, frame_rate), batch_size=None, num_workers=num_workers)
        num_frames = 0
        for index, chunk in enumerate(loader):
            num_frames += task.predict_step(task.transfer_batch_to_device(chunk, backbone.mean.device, 0), index)
        task.on_predict_end()
    return num_frames
