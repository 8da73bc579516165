"""Checkpoints of a task: its learned weights only, and what it takes to rebuild the model around them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from data_modules.errors import InputError
from prompt_video.model.calibration import Calibration
from prompt_video.model.checkpoints import CHECKPOINT_FORMAT, learned_of, read_learned
from prompt_video.model.hub_folder import Learned
from prompt_video.model.model_spec import check_spec, spec_of_model
from prompt_video.model.rejection import Rejection
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.tasks.logged_loss import LoggedLoss


class Checkpointed(LightningModule):
    """The half of a task that writes and reads checkpoints."""

    model: VideoTextModel
    class_names: list[str]
    trial_name: str | None
    data_config: Mapping[str, Any]  # which frames stand for a video, as the data say
    start_from: Path | None
    calibration: Calibration
    rejection: Rejection | None
    logged_loss: LoggedLoss
    extra_modules: ClassVar[tuple[str, ...]] = ()  # what learns besides the model

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # noqa: ANN401
        """The learned weights only: the frozen backbone stays where it came from."""
        learned = {name for name, weight in self.named_parameters() if weight.requires_grad}
        learned |= {f"model.{name}" for name in self.model.learned_state()}
        return {name: value for name, value in super().state_dict(*args, **kwargs).items() if name in learned}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what is needed to rebuild the model and to refuse a wrong backbone."""
        checkpoint["prompt_video"] = {
            "format": CHECKPOINT_FORMAT,
            "spec": spec_of_model(self.model),
            "class_names": self.class_names,
            "trial": self.trial_name,
            "task": self.inference_config(),
            "calibration": self.calibration.state(),
            "rejection": self.rejection.state() if self.rejection is not None else None,
        }
        if "optimizer_states" in checkpoint:  # it is one to go on from
            checkpoint["logged_loss"] = self.logged_loss.state()

    def inference_config(self) -> dict[str, Any]:
        """All that using the weights elsewhere takes, ready for JSON: the kind of task, and which frames it scores."""
        return {"kind": type(self).__name__, **self.data_config}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to go on from a checkpoint of another backbone or of other settings."""
        # Lightning loads by name and takes no notice of names that are missing: this does.
        self._take(learned_of(checkpoint))
        self.logged_loss.load(checkpoint.get("logged_loss"))

    def _take(self, learned: Learned) -> None:
        state = learned.state
        self.model.set_vocabulary(learned.spec["class_names"] or [])
        check_spec(self.model, learned.spec)
        extra = {name for name in state if name.split(".")[0] in self.extra_modules}
        self.model.load_learned_state({name: weight for name, weight in state.items() if name not in extra})
        self.load_extra_state({name: state[name] for name in extra})
        self.calibration = Calibration.of(learned.calibration)
        self.rejection = Rejection.of(learned.rejection)

    def load_extra_state(self, state: Mapping[str, Tensor]) -> None:
        """Take the learned weights of `extra_modules`.

        Raises:
            InputError: when they are of another shape.
        """
        own = {name: weight for name, weight in self.named_parameters() if name.split(".")[0] in self.extra_modules}
        shared = sorted(own.keys() & state.keys())
        wrong = [*sorted(own.keys() ^ state.keys()), *(n for n in shared if own[n].shape != state[n].shape)]
        if wrong:
            raise InputError(f"these learned weights belong to a task with other settings: {wrong[0]} does not fit.")
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(state[name])

    def load_checkpoint(self, path: Path) -> None:
        """Take the learned weights of a checkpoint of a run, an imported one, or a model on the hub or in its folder.

        Raises:
            InputError: when there is none of this framework, or it belongs to another backbone or other settings.
        """
        self._take(read_learned(path))

    def starting_weights(self) -> dict[str, Tensor]:
        """The learned weights of the model that training starts from, by their names in a `VideoTextModel`.

        Raises:
            InputError: when there are none in the file, or they belong to another backbone or to other settings.
        """
        assert self.start_from is not None
        learned = read_learned(self.start_from)
        try:
            check_spec(self.model, learned.spec)
        except InputError as error:
            raise InputError(f"model.start_from, {self.start_from}: {error}") from None
        return {name.removeprefix("model."): weight for name, weight in learned.of_model.items()}
