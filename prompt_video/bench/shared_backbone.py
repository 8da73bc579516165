"""Memory of three tasks in one process, which share one frozen CLIP, against one task, and three CLIPs of their own.

A CLIP of ViT-B/16's shape with random weights. Each task has its own prompt and temporal encoder.
"""

import copy
from functools import partial
from pathlib import Path

import torch

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.bench.measure import in_new_process, resident_memory
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.tasks.base import learned_weights

LAYERS = {"recognition": 2, "localization": 1, "retrieval": 2}  # of the temporal encoder


def run(setting: Setting) -> Figures:
    """MiB that stay resident, each in a process of its own; what the libraries take is subtracted."""
    folder = setting.vit_b16()
    one, three, apart = (
        in_new_process(_resident, folder, num_tasks, shared) for num_tasks, shared in ((1, True), (3, True), (3, False))
    )
    weights = in_new_process(_weights, folder)
    return {
        "one_task_mib": one,
        "three_tasks_mib": three,
        "two_more_tasks_mib": three - one,
        "three_backbones_mib": apart,
        "ratio_to_three_backbones": three / apart,
        **{f"{name}_weights_mib": size for name, size in weights.items()},
    }


MEASUREMENTS = (Measurement(run, (Size("one and three tasks", 4500, 20, quick=True),), on="host", apart=False),)


def _weights(folder: Path) -> dict[str, float]:
    return {name: learned_weights(_model(folder, name)) * 4 / 2**20 for name in LAYERS}


def _resident(folder: Path, num_tasks: int, shared: bool) -> float:
    """The libraries have been loaded by a small CLIP before."""
    FrozenBackbone("tiny").tokenize(["a text"])
    before = resident_memory()
    models = [_model(folder, name) for name in list(LAYERS)[:num_tasks]]
    if not shared:
        for model in models[1:]:
            model.backbone.towers = copy.deepcopy(model.backbone.towers)
    with torch.no_grad():
        for model in models:
            model.text_features(["a text"])
    return resident_memory() - before


def _model(folder: Path, task: str) -> VideoTextModel:
    temporal = partial(TemporalEncoder, num_layers=LAYERS[task])
    return VideoTextModel(FrozenBackbone(str(folder)), PromptLearner, temporal)
