"""Models as if they had learned, on the tiny random CLIP."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.model.checkpoints import CHECKPOINT_FORMAT
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.model.model_spec import spec_of_model
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel

NAMES = ["the star", "red", "a star that is red"]


@pytest.fixture
def learned(backbone: FrozenBackbone) -> Callable[..., VideoTextModel]:
    """A model whose weights are as far from where they start as training would bring them."""

    def make(probe: bool = False, num_layers: int = 2, seed: int = 3, **options: Any) -> VideoTextModel:  # noqa: ANN401
        temporal = partial(TemporalEncoder, num_layers=num_layers, num_heads=4, max_frames=8, start="frozen")
        options = {"frozen_templates": ["{}", "the {}"], **options}
        prompt = LinearProbe if probe else partial(PromptLearner, num_prefix=2, num_suffix=2)
        model = VideoTextModel(backbone, prompt, temporal, **options)
        model.set_vocabulary(NAMES)
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in model.learned_state().values():
                weight.add_(torch.randn(weight.shape, generator=random) * 0.2)
        return model.eval().requires_grad_(False)

    return make


@pytest.fixture
def save_checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Writes a model as a run would."""

    def write(model: VideoTextModel, class_names: list[str] | None = None) -> Path:
        path = tmp_path / "run" / "checkpoints" / "last.ckpt"
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {
            "format": CHECKPOINT_FORMAT,
            "spec": spec_of_model(model),
            "class_names": NAMES if class_names is None else class_names,
            "trial": None,
            "task": {"kind": "RecognitionTask", "frame_rate": None, "crops": ["center"]},
        }
        state = {f"model.{name}": weight for name, weight in model.learned_state().items()}
        torch.save({"prompt_video": about, "state_dict": state}, path)
        return path

    return write


@pytest.fixture
def trained(learned: Callable[..., VideoTextModel]) -> Callable[..., VideoTextModel]:
    """As `learned`, still with its weights to be learned, which `learned_state` names."""

    def make(**options: Any) -> VideoTextModel:  # noqa: ANN401
        model = learned(**options)
        for name, weight in model.named_parameters():
            weight.requires_grad_(name.startswith(("prompt.", "temporal.")))
        return model

    return make
