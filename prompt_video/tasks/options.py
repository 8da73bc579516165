"""The options that all tasks share, by name and type; their defaults and documentation stand in `VideoTextTask`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

from lightning.pytorch.cli import OptimizerCallable

from prompt_video.backbones.precision import BackboneDtype
from prompt_video.backbones.prompted_text import TextShape
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.text_head import TextHead
from prompt_video.tasks.optimization import Decayed, Schedule


class TaskOptions(TypedDict, total=False):
    """Those whose defaults are the same in every task."""

    backbone: str
    backbone_dtype: BackboneDtype
    temporal: Callable[[int], TemporalEncoder]
    temperature: float | None
    learn_temperature: bool
    frozen_share: float
    text_chunk: int | None
    optimizer: OptimizerCallable
    prompt_lr: float | None
    decayed: Decayed
    warmup_steps: int
    schedule: Schedule
    compile: bool
    controls: bool
    start_from: Path | None


class NamingOptions(TaskOptions, total=False):
    """Those of tasks that name classes: their texts are read as those of `VideoTextTask` are."""

    prompt: Callable[[TextShape], TextHead]
    frozen_templates: str | Sequence[str]
