"""What all tasks share: model, optimizer, training; with it the loop over tests, their controls, checkpoints."""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.features.encoder import FrameTransform
from data_modules.modules.base import VideoDataModule
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.precision import BackboneDtype, resolve_backbone_dtype
from prompt_video.backbones.prompted_text import TextShape
from prompt_video.model.calibration import Calibration
from prompt_video.model.examples import Examples
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.templates import DEFAULT
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.text_head import TextHead
from prompt_video.model.video_text_model import SMALLEST_TEMPERATURE, VideoTextModel
from prompt_video.tasks.checkpointed import Checkpointed
from prompt_video.tasks.controls import Controlled
from prompt_video.tasks.logged_loss import LoggedLoss, logged_since
from prompt_video.tasks.optimization import Decayed, Optimization, Schedule
from prompt_video.tasks.training_examples import examples_in, shots_of


class VideoTextTask(Checkpointed, Controlled):
    """Score videos against texts; a subclass adds its loss, and the results that it gathers.

    Args:
        backbone: the frozen image-text model: a short name (`prompt-video list backbones`), a HuggingFace hub id, or a
            local folder; ``tiny`` is built in.
        backbone_dtype: precision that it computes in; ``auto``: half precision on GPUs (bfloat16, or float16 on those
            without), float32 on CPUs.
        prompt: the text head: `PromptLearner` learns vectors around each text, `TemplatePrompt` is hand-crafted,
            `Descriptions` reads sentences of each class, `TextProbe` learns one vector a class that starts at its text,
            `LinearProbe` one that ignores the words, and `Cache` keeps the training videos.
        temporal: the temporal encoder over the frame features; with ``num_layers`` 0 frames are averaged.
            `LinearAdapter` learns one matrix, `OrderedParts` and `QueryWeighted` learn nothing.
        temperature: divides the cosine similarity; null: the paper's 0.07 where anything is learned, and the backbone's
            own where nothing is, or where training starts at the frozen backbone. The frozen backbone that every test
            is compared with has its own in any case.
        learn_temperature: learn it, starting there.
        frozen_templates: hand-crafted prompts of the frozen backbone that every test is compared with: sentences with
            ``{}`` where a name goes, the name of a set of them, or a text file with one a line; see `TemplatePrompt`.
        frozen_share: share of the frozen backbone's cosines in those of testing, from 0 to 1.
        text_chunk: texts that are encoded at a time in training, the rest being recomputed in the backward pass, so
            that memory does not grow with their number; null for all at once.
        optimizer: made for the learned weights.
        prompt_lr: learning rate of the prompts, where it is another than the optimizer's.
        decayed: which learned weights the optimizer's weight decay is for: ``matrices`` only, or ``all`` of them,
            prompts, positions, norms and biases too, which is what the paper's released code does.
        warmup_steps: steps over which the learning rate rises to its full value.
        schedule: learning rate after that: ``constant``, or ``cosine`` down to zero at the end of training.
        compile: use torch.compile for the text path of training and for the temporal encoder: on a GPU kernels are
            captured once and replayed. On a CPU it costs more than it saves.
        controls: test once more with frames in shuffled order, reversed, one frame alone, and made-up class names:
            ``controls/...`` in the results, and a table in the report.
        start_from: checkpoint, of any task, whose prompt and temporal encoder training starts from; null: random ones.
    """

    def __init__(
        self,
        backbone: str = "tiny",
        backbone_dtype: BackboneDtype = "auto",
        prompt: Callable[[TextShape], TextHead] = PromptLearner,
        temporal: Callable[[int], TemporalEncoder] = TemporalEncoder,
        temperature: float | None = None,
        learn_temperature: bool = False,
        frozen_templates: str | Sequence[str] = DEFAULT,
        frozen_share: float = 0.0,
        text_chunk: int | None = None,
        optimizer: OptimizerCallable = lambda params: torch.optim.AdamW(params, lr=1e-4, weight_decay=0.01),
        prompt_lr: float | None = None,
        decayed: Decayed = "matrices",
        warmup_steps: int = 0,
        schedule: Schedule = "constant",
        compile: bool = False,
        controls: bool = True,
        start_from: Path | None = None,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("temperature", temperature, SMALLEST_TEMPERATURE),
            ("text_chunk", text_chunk, 1),
            ("prompt_lr", prompt_lr, 0),
            ("warmup_steps", warmup_steps, 0),
        ):
            if value is not None and not least <= value < math.inf:
                raise InputError(f"model.{name} must be {least:g} or more, not {value}.")
        self.model = VideoTextModel(
            FrozenBackbone(backbone, resolve_backbone_dtype(backbone_dtype)),
            prompt,
            temporal,
            temperature,
            learn_temperature,
            text_chunk,
            frozen_templates,
            frozen_share,
        )
        self.optimizer = optimizer
        self.prompt_lr, self.decayed = prompt_lr, decayed
        self.warmup_steps = warmup_steps
        self.schedule = schedule
        self.start_from = start_from
        if compile:
            self.model.compile_parts()
        self.results = {}
        self.logged_loss = LoggedLoss()
        self.with_controls, self.control_results, self.overlaps = controls, {}, {}
        self.class_names = []
        self.trial_name = None
        self.data_config = {}
        self.calibration, self.rejection = Calibration(), None
        # The frozen backbone is not in the checkpoint; that nothing else lacks is seen to in `on_load_checkpoint`.
        self.strict_loading = False

    monitor: ClassVar[str] = "val/top1"  # what the best checkpoint is best in

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """The training loss of a batch with at least one video."""

    @property
    def encoder(self) -> FrozenBackbone:
        """What makes frame features, for `VideoDataModule.extract`."""
        return self.model.backbone

    @property
    def preprocessing(self) -> FrameTransform:
        """From a decoded frame to what the frozen model sees."""
        return self.model.backbone.frames

    @property
    def has_weights(self) -> bool:
        """Whether there is anything to learn."""
        return any(weight.requires_grad for weight in self.parameters())

    def set_class_names(self, class_names: Sequence[str]) -> None:
        """Say what the candidates are before training starts; a text head with a vector a class needs to know."""
        self.class_names = list(class_names)
        self.model.set_vocabulary(self.class_names)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step on the usable videos of a batch."""
        if not batch["video_id"]:
            # Every video of the batch was broken: a step of no effect keeps all processes in step.
            return torch.stack([weight.sum() * 0.0 for weight in self.parameters() if weight.requires_grad]).sum()
        loss = self.loss(batch) + self.model.penalty()
        self.log_loss(loss, len(batch["video_id"]))
        return loss

    def log_loss(self, loss: Tensor, count: int) -> None:
        """Log the mean over the videos since it was logged last.

        Args:
            loss: mean over the videos of a step.
            count: of them.
        """
        mean = self.logged_loss.add(loss, count, logged_since(self.trainer))
        self.log("train/loss", mean, prog_bar=True, batch_size=max(count, 1))

    @property
    def optimization(self) -> Optimization:
        """How the learned weights are changed."""
        return Optimization(self.optimizer, self.prompt_lr, self.warmup_steps, self.schedule, self.decayed)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimizer over the learned weights: what ``decayed`` says, and prompts at their own rate."""
        return self.optimization.configure(self, int(self.trainer.estimated_stepping_batches))

    def setup(self, stage: str) -> None:
        """Take the candidates from the data."""
        datamodule: VideoDataModule | None = getattr(self.trainer, "datamodule", None)
        if datamodule is None:
            raise InputError("a task needs a data module for its candidates: trainer.fit(task, data).")
        self.prepare_for(datamodule, stage)

    def prepare_for(self, datamodule: VideoDataModule, stage: str) -> None:
        """Take the candidates from data of one trial and, before training, the weights that it starts from.

        Args:
            datamodule: the data.
            stage: as Lightning names it: ``fit``, ``validate``, ``test`` or ``predict``.

        Raises:
            InputError: when the data have several trials, or frames of another size, or the weights do not fit.
        """
        if (count := len(datamodule.trials)) > 1:
            raise InputError(f"the protocol has {count} trials; name the one that is meant with --data.trial.")
        datamodule.check_preprocessing(self.encoder)
        self.check_trials(datamodule.trials)
        (trial,) = datamodule.trials
        self.data_config = datamodule.inference_config()
        self.trial_name = trial.name
        self.set_class_names(trial.train.class_names)
        self.make_results(trial)
        if stage == "fit":
            self.model.temporal.set_shots(shots_of(trial.train))
            if self.model.needs_examples:
                self.to(self.trainer.strategy.root_device)  # where it goes next in any case
                self.collect_examples(datamodule)
            if self.start_from is not None:
                self.model.load_learned_state(self.starting_weights())

    def collect_examples(self, data: VideoDataModule, known: Examples | None = None) -> Examples:
        """Look through the training videos once, for a method that keeps something of them; fitting does it by itself.

        Args:
            data: of one trial, with open feature stores. On several processes each looks through all of them.
            known: what another task with the same temporal encoder has found; None: look.

        Raises:
            InputError: when no training video could be read, or the task cannot do so.
        """
        self.set_class_names(data.trials[0].train.class_names)
        examples = examples_in(data, self.examples, self.device) if known is None else known
        self.model.learn_from(examples, self.class_names)
        return examples

    def examples(self, batch: Batch) -> Examples:
        """Vectors and classes of what a batch of training videos shows.

        Raises:
            InputError: when the task has no classes.
        """
        raise InputError(f"{type(self).__name__} has no classes of training videos, which this method needs.")

    def describe(self) -> str:
        """What is trained and how texts are written, in words."""
        return self.model.describe()


def learned_weights(module: nn.Module) -> int:
    """Number of weights that training changes."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
