"""Feature extraction end to end, from video files to the store, against the bare image encoder: frames a second.

ViT-B/16's shape with random weights, real h264 files, one loader worker, the same number of frames on both sides.
"""

import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.utils.data import DataLoader

from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.feature_store import Recipe
from data_modules.frames import FrameChunks
from data_modules.transforms import ResizeCrop
from prompt_video.bench.vit_b16 import random_vit_b16
from prompt_video.clip import FrozenCLIP
from prompt_video.tasks.extraction import ExtractionTask

NUM_VIDEOS = 3
FRAME_RATE = 5.0
ROUNDS = 3
CLIP_FILE = Path(__file__).parents[2] / "tests" / "data_modules" / "videos" / "cleaning_pool_h264.mp4"


def run() -> dict[str, float]:
    """The share of the encoder's own rate that is left when decoding, cropping and writing are added."""
    if not CLIP_FILE.exists():
        raise InputError(f"the extraction benchmark needs {CLIP_FILE}; run it from a checkout of the repository.")
    with random_vit_b16() as folder:
        clip = FrozenCLIP(str(folder))
    shares = []
    for _ in range(ROUNDS):
        num_frames, seconds = extract(clip)
        pixels = torch.randint(0, 256, (num_frames, 3, clip.image_size, clip.image_size), dtype=torch.uint8)
        start = time.perf_counter()
        clip.encode_frames(pixels)
        shares.append((time.perf_counter() - start) / seconds)
    return {"share_of_encoder": sorted(shares)[ROUNDS // 2]}


def extract(clip: FrozenCLIP) -> tuple[int, float]:
    """Frames and seconds of one extraction, from opening the files to the closed store."""
    crop = ResizeCrop(clip.image_size)
    recipe = Recipe(clip.name, clip.fingerprint, clip.embed_dim, FRAME_RATE, crop.recipe)
    with TemporaryDirectory() as folder:
        records = []
        for number in range(NUM_VIDEOS):
            path = Path(folder, f"{number}.mp4")
            shutil.copy(CLIP_FILE, path)
            records.append(Record(path.name, path, 0))
        start = time.perf_counter()
        task = ExtractionTask(clip, Path(folder, "store"), recipe)
        task.on_predict_start()
        loader = DataLoader(FrameChunks(records, crop, FRAME_RATE), batch_size=None, num_workers=1)
        num_frames = sum(task.predict_step(chunk, index) for index, chunk in enumerate(loader))
        task.on_predict_end()
        return num_frames, time.perf_counter() - start
