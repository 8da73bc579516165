"""How large the demo's experiments are: small enough to be watched, or as they stand in their files."""

from collections.abc import Mapping
from typing import Literal

Size = Literal["small", "full"]

# Chosen on the validation split of each world. Three frames a second show every motion, and few learned vectors keep
# the text encoder, which reads all names at every step, short.
_MODEL = (
    "--model.prompt.num_prefix=4",
    "--model.prompt.num_suffix=4",
    "--model.prompt_lr=0.02",
    "--model.optimizer.lr=0.004",
    "--model.warmup_steps=10",
)
_FEW_VALIDATIONS = "--trainer.check_val_every_n_epoch=5"
_SHORT = (
    "--data.train_videos=8",
    "--data.val_videos=2",
    "--data.test_videos=5",
    "--data.frame_rate=3",
    "--data.sampler=SegmentSampler",
    "--data.sampler.num_frames=8",
    "--model.temporal.max_frames=8",
    _FEW_VALIDATIONS,
)
_SMALL: dict[str, tuple[str, ...]] = {
    "frozen_clip": _SHORT,
    "linear_probe": (*_SHORT, "--trainer.max_epochs=20"),
    "prompts": (*_SHORT, *_MODEL, "--trainer.max_epochs=20"),
    "prompts_temporal": (*_SHORT, *_MODEL, "--trainer.max_epochs=20"),
    "paper": (*_SHORT, *_MODEL, "--trainer.max_epochs=28"),
    "regularized": (*_SHORT, *_MODEL, "--trainer.max_epochs=28"),
    "localization": (
        *_MODEL,
        "--model.prompt_lr=0.01",
        "--model.temporal.max_frames=8",
        "--model.frames_inside=8",
        "--model.detector.num_scales=4",
        "--model.detector.num_proposals=16",
        "--data.train_videos=60",
        "--data.test_videos=20",
        "--data.frame_rate=3",
        "--data.windows.num_frames=32",
        "--trainer.max_epochs=8",
    ),
    "retrieval": (
        *_MODEL,
        "--data.train_videos=240",
        "--data.val_videos=30",
        "--data.test_videos=100",
        "--data.batch_size=48",
        "--trainer.max_epochs=18",
        _FEW_VALIDATIONS,
    ),
}
OPTIONS: Mapping[Size, Mapping[str, tuple[str, ...]]] = {"small": _SMALL, "full": dict.fromkeys(_SMALL, ())}
# What each run takes in a process of its own on two cores, to estimate the rest from; only their ratios matter.
SECONDS: Mapping[Size, Mapping[str, float]] = {
    "small": {
        "frozen_clip": 20.0,
        "linear_probe": 3.0,
        "prompts": 6.0,
        "prompts_temporal": 11.0,
        "paper": 15.0,
        "regularized": 17.0,
        "localization": 45.0,
        "retrieval": 45.0,
    },
    "full": {
        "frozen_clip": 90.0,
        "linear_probe": 8.0,
        "prompts": 20.0,
        "prompts_temporal": 35.0,
        "paper": 130.0,
        "regularized": 140.0,
        "localization": 400.0,
        "retrieval": 190.0,
    },
}
