"""What the frame features of an experiment will cost, from a few of its videos that are decoded and encoded now."""

import os
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from data_modules.errors import InputError
from data_modules.features.encoder import FrameEncoder
from data_modules.features.shards import GONE, stamp
from data_modules.loading.frames import FrameChunks
from data_modules.loading.loaders import DECODERS
from data_modules.modules.base import VideoDataModule
from data_modules.modules.extraction import ExtractionTask, recipe_of
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.preflight.storage import shares_of

Bottleneck = Literal["decoding", "encoding"]


@dataclass(frozen=True)
class Measured:
    """What some videos took, one after another.

    Args:
        videos: that could be used.
        broken: that could not.
        frames: of them that are stored.
        decode_sec: of one process.
        encode_sec: of the device, and until features were in the store.
        source_bytes: of their files.
        stored_bytes: of their features.
    """

    videos: int
    broken: int
    frames: int
    decode_sec: float
    encode_sec: float
    source_bytes: int
    stored_bytes: int


@dataclass(frozen=True)
class Plan:
    """The cost of what is still to be computed.

    Args:
        measured: of the sample.
        todo: videos that are still to be computed, those of each crop and data set counted apart.
        stored: that are there already.
        workers: processes that decode.
        cores: of this machine.
        device: that encodes.
    """

    measured: Measured
    todo: int
    stored: int
    workers: int
    cores: int
    device: str

    @property
    def factor(self) -> float:
        """Videos to compute for each measured one."""
        return self.todo / self.measured.videos

    @property
    def decode_sec(self) -> float:
        """Seconds of decoding, by all processes beside each other."""
        return self.factor * self.measured.decode_sec / max(1, min(self.workers, self.cores))

    @property
    def encode_sec(self) -> float:
        """Seconds of encoding; on a CPU the decoders take their part of the cores."""
        own = self.measured.encode_sec
        if self.workers and self.device == "cpu":
            own += self.measured.decode_sec / self.cores
        return self.factor * own

    @property
    def total_sec(self) -> float:
        """Seconds of all: one after the other in one process, else beside each other."""
        if not self.workers:
            return self.decode_sec + self.encode_sec
        return max(self.decode_sec, self.encode_sec)

    @property
    def bottleneck(self) -> Bottleneck:
        """What the other waits for."""
        return "decoding" if self.decode_sec > self.encode_sec else "encoding"

    @property
    def stored_bytes(self) -> int:
        """Of the features that are still to come."""
        return round(self.factor * self.measured.stored_bytes)

    @property
    def advice(self) -> str:
        """What would make it faster."""
        if self.bottleneck == "encoding":
            return (
                "a GPU, or a smaller --backbone"
                if self.device == "cpu"
                else "more GPUs (--trainer.devices), or a smaller --backbone"
            )
        if self.workers < self.cores:
            return f"more processes that decode: --data.num_workers {self.cores}"
        return "more cores or machines, which share a store, or a lower --data.frame_rate"

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        derived = ("decode_sec", "encode_sec", "total_sec", "bottleneck", "stored_bytes", "advice")
        return {**asdict(self), **{name: getattr(self, name) for name in derived}}


def plan(data: VideoDataModule, backbone: FrozenBackbone, samples: int, seed: int = 0) -> Plan:
    """Measure, and reckon with it.

    Args:
        data: of the experiment.
        backbone: on its device.
        samples: videos to decode and encode, chosen at random among those that are there.
        seed: of the choice.

    Raises:
        InputError: when nothing is to be stored, or none of the chosen videos can be used.
    """
    if data.features != "auto":
        raise InputError(f"nothing is to be computed: data.features is {data.features}.")
    for module in (data, *data.test_on):
        module.prepare_data()
    shares = shares_of(data, backbone)
    records = {record.path: record for share in shares for record in share.todo}
    there = [record for path, record in sorted(records.items()) if stamp(path) != GONE]
    stored = sum(len(share.stored) for share in shares)
    if not there:
        raise InputError(
            f"nothing is to be computed: features of {stored:,} videos are stored, and of the {len(records):,} others "
            "no file is there."
        )
    chosen = random.Random(seed).sample(there, min(samples, len(there)))
    lost = {path for path in records if stamp(path) == GONE}
    todo = sum(record.path not in lost for share in shares for record in share.todo)
    workers = DECODERS if data.num_workers is None else data.num_workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Plan(_measure(data, backbone, chosen), todo, stored, workers, cores, backbone.mean.device.type)


def _measure(data: VideoDataModule, backbone: FrozenBackbone, chosen: Sequence[Any]) -> Measured:
    """Decode and encode some videos into a store that is thrown away."""
    chunks = FrameChunks(chosen, data.crops[0], data.frame_rate)
    decode_sec = encode_sec = 0.0
    broken = frames = 0
    with TemporaryDirectory() as folder:
        task = ExtractionTask(backbone, Path(folder), recipe_of(backbone, data, data.crops[0]))
        _warm_up(backbone, data)
        task.on_predict_start()
        before = time.perf_counter()
        for number, chunk in enumerate(chunks):
            decoded = time.perf_counter()
            with torch.inference_mode():
                task.predict_step(task.transfer_batch_to_device(chunk, backbone.mean.device, 0), number)
            frames += sum(len(piece.times_sec) for piece in chunk.pieces)
            broken += len(chunk.broken)
            decode_sec += decoded - before
            before = time.perf_counter()
            encode_sec += before - decoded
        task.on_predict_end()
        encode_sec += time.perf_counter() - before
        stored_bytes = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    if broken == len(chosen):
        raise InputError(f"none of the {broken} videos that were chosen can be used; `prompt-video doctor` says why.")
    source_bytes = sum(record.path.stat().st_size for record in chosen)
    return Measured(len(chosen) - broken, broken, frames, decode_sec, encode_sec, source_bytes, stored_bytes)


def _warm_up(encoder: FrameEncoder, data: VideoDataModule) -> None:
    """The first pass of a device takes longer than all others."""
    frames = data.crops[0](torch.zeros(2, 3, 64, 64, dtype=torch.uint8))
    assert isinstance(encoder, FrozenBackbone)
    with torch.inference_mode():
        encoder.encode_frames(frames.to(encoder.mean.device))
