"""Banks of classes: what a model scores, and which model they are of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data_modules.errors import InputError
from prompt_video.export.bank import make_bank, model_fingerprint, read_bank
from prompt_video.model.embedding import video_vectors
from prompt_video.model.video_text_model import VideoTextModel

Make = Callable[..., VideoTextModel]
NAMES = ["red", "the star"]


def scores_of(model: VideoTextModel, features: Tensor, mask: Tensor) -> Tensor:
    given: Any = {"features": features, "mask": mask, "text": NAMES}
    with torch.no_grad():
        return model.test_scores(given)[0]


@pytest.mark.parametrize("settings", [{}, {"frozen_share": 0.3}, {"probe": True}, {"probe": True, "frozen_share": 0.3}])
def test_scores_are_those_of_a_test(learned: Make, tmp_path: Path, settings: dict[str, Any]) -> None:
    model = learned(**settings)
    make_bank(model, NAMES).write(tmp_path / "bank.safetensors")
    bank = read_bank(tmp_path / "bank.safetensors", model_fingerprint(model))
    features = torch.randn(3, 5, model.backbone.embed_dim)
    mask = torch.ones(3, 5, dtype=torch.bool)
    with torch.no_grad():
        found = bank.scores(video_vectors(model, features, mask))
    torch.testing.assert_close(found, scores_of(model, features, mask), rtol=1e-4, atol=1e-4)
    assert bank.names == NAMES


def test_a_bank_of_another_model_is_refused(learned: Make, tmp_path: Path) -> None:
    path = tmp_path / "bank.safetensors"
    make_bank(learned(), NAMES).write(path)
    with pytest.raises(InputError, match="was made with another model"):
        read_bank(path, model_fingerprint(learned(seed=4)))


def test_what_cannot_be_a_bank(learned: Make, tmp_path: Path) -> None:
    model, path = learned(), tmp_path / "bank.safetensors"
    with pytest.raises(InputError, match="named twice"):
        make_bank(model, ["red", "red"])
    with pytest.raises(InputError, match="none of them may be empty"):
        make_bank(model, ["red", " "])
    with pytest.raises(InputError, match="there is no class bank"):
        read_bank(path)
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match="cannot be read as a class bank"):
        read_bank(path)
    with pytest.raises(InputError, match="cannot be read as a class bank"):
        make_bank(model, NAMES).write(path)
    assert path.read_bytes() == b"something else"
