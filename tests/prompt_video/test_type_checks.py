"""Types and shapes in signatures are checked in every call while tests run."""

from typing import Any

import pytest
import torch

from prompt_video.model.losses import step_rng
from prompt_video.model.temporal import mean_frame

TEXT: Any = "a"


def test_shapes_are_checked() -> None:
    with pytest.raises(Exception, match=r"(?i)type-check"):
        mean_frame(torch.zeros(2, 3, 4), torch.zeros(2, 5, dtype=torch.bool))


def test_types_without_shapes_are_checked() -> None:
    with pytest.raises(Exception, match="violates"):
        step_rng(TEXT, 1)
