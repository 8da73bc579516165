"""Numbers that are none: settings, weights, scores."""

import math
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from data_modules.errors import InputError
from prompt_video.model.finite_scores import check_scores
from prompt_video.tasks import RecognitionTask
from prompt_video.tasks.finite import StopAtNotFinite, check_settings
from prompt_video.tasks.optimization import Optimization


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_setting_that_is_not_finite_is_named(value: float) -> None:
    with pytest.raises(InputError, match=rf"--model.temperature is {value}"):
        check_settings({"seed": 0, "model": {"class_path": "RecognitionTask", "init_args": {"temperature": value}}})
    with pytest.raises(InputError, match=r"--data.sampler.strides.1 is"):
        check_settings({"data": {"init_args": {"sampler": {"init_args": {"strides": [1.0, value]}}}}})
    check_settings({"trainer": {"callbacks": [{"init_args": {"divergence_threshold": value}}]}, "model": None})


@pytest.mark.parametrize(
    ("name", "value"), [("lr", -1.0), ("gradient_clip_val", -1), ("frame_rate", 0.0), ("save_every_n_steps", -2)]
)
def test_a_setting_of_a_library_out_of_its_bounds_is_named(name: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"--some.{name} is {value}: "):
        check_settings({"some": {"init_args": {name: value}}})
    check_settings({"some": {"init_args": {name: abs(value) or 1.0}}, "trainer": {"max_epochs": -1}})


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.0},
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"prompt_lr": -1.0},
        {"text_chunk": 0},
        {"warmup_steps": -1},
        {"frozen_share": math.nan},
    ],
)
def test_a_setting_out_of_its_bounds_is_named(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(options))} must be"):
        RecognitionTask(**options)


def test_an_optimizer_that_does_not_take_its_settings_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"model.optimizer: Invalid learning rate: -1"):
        Optimization(lambda params: torch.optim.AdamW(params, lr=-1.0)).configure(nn.Linear(1, 1), 1)


def test_the_first_video_whose_scores_are_not_finite_is_named() -> None:
    scores = torch.ones(3, 2)
    check_scores(scores, ["a", "b", "c"])
    check_scores(scores[:0], [])
    scores[1, 1] = math.nan
    with pytest.raises(InputError, match="scores of video b are not finite"):
        check_scores(scores, ["a", "b", "c"])


class Line(LightningModule):
    """A weight that each step moves by what it is given."""

    def __init__(self, *moves: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))
        self.moves = moves

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self.weight * self.moves[batch_idx]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=10.0)

    def train_dataloader(self) -> DataLoader[int]:
        return DataLoader(range(len(self.moves)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        ((1.0, math.nan, 1.0), "the loss of step 2 is not finite"),
        ((0.0, 3e38, 1.0), "the weight weight after step 2 is not finite"),
        ((1.0, 1.0), None),
    ],
)
def test_training_stops_at_the_first_step_that_is_not_finite(moves: tuple[float, ...], said: str | None) -> None:
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        callbacks=[StopAtNotFinite()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    if said is None:
        trainer.fit(Line(*moves))
    else:
        with pytest.raises(InputError, match=said):
            trainer.fit(Line(*moves))
        assert trainer.global_step < len(moves)
