"""What all tasks share: model, optimizer, one loop over validation and tests, checkpoints of learned weights only."""

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.features.encoder import FrameTransform
from data_modules.modules.base import VideoDataModule
from data_modules.protocols.trial import Subset, Trial
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.precision import BackboneDtype, resolve_backbone_dtype
from prompt_video.backbones.prompted_text import TextShape
from prompt_video.model.checkpoints import CHECKPOINT_FORMAT, read_checkpoint, read_learned, spec_of
from prompt_video.model.examples import Examples
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.templates import DEFAULT
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.text_head import TextHead
from prompt_video.model.video_text_model import SMALLEST_TEMPERATURE, VideoTextModel
from prompt_video.tasks.optimization import Decayed, Optimization, Schedule
from prompt_video.tasks.results import Results

log = logging.getLogger(__name__)


class VideoTextTask(LightningModule, ABC):
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
        self.results: Mapping[str, Results] = {}  # of validation and of each test
        self.class_names: list[str] = []
        self.trial_name: str | None = None
        self.data_config: Mapping[str, Any] = {}  # which frames stand for a video, as the data say
        # The frozen backbone is not in the checkpoint; that nothing else lacks is seen to in `on_load_checkpoint`.
        self.strict_loading = False

    monitor: ClassVar[str] = "val/top1"  # what the best checkpoint is best in
    progress: ClassVar[tuple[str, ...]] = ()  # figures of validation that stand beside the progress bar
    extra_modules: ClassVar[tuple[str, ...]] = ()  # what learns besides the model

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """The training loss of a batch with at least one video."""

    @abstractmethod
    def new_results(self, name: str, subset: Subset) -> Results:
        """What gathers the results of one subset.

        Args:
            name: ``val``, or that of a test.
            subset: its videos and candidates.
        """

    @abstractmethod
    def evaluate(self, batch: Batch) -> None:
        """Score a batch of validation or of a test, and update ``results`` of its subset."""

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
        return any(weight.requires_grad for weight in self.model.parameters())

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
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch["video_id"]))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score some validation videos."""
        self.evaluate(batch)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score some videos of a test."""
        self.evaluate(batch)

    def on_validation_epoch_start(self) -> None:
        """Forget an earlier validation."""
        self.reset_results()

    def on_test_epoch_start(self) -> None:
        """Forget an earlier test."""
        self.reset_results()

    def on_predict_epoch_start(self) -> None:
        """Forget earlier results.

        Raises:
            InputError: on several processes: each would only know, and write, its own share.
        """
        if self.trainer.world_size > 1:
            raise InputError("predict runs on one device; set --trainer.devices 1.")
        self.reset_results()

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """What is to be written of each video; a row each.

        Raises:
            InputError: when the task has none.
        """
        raise InputError(f"{type(self).__name__} can be trained and tested, but has no predictions to write.")

    def reset_results(self) -> None:
        """Forget earlier results."""
        for results in self.results.values():
            results.reset()
            if self.trainer.world_size > 1:
                results.to(self.device)  # where processes can gather what each of them has

    def on_validation_epoch_end(self) -> None:
        """Log the figures of validation."""
        for key, value in self.figures("val").items():
            self.log(f"val/{key}", value, prog_bar=key in self.progress, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        """Log the figures of every test."""
        figures = {name: self.figures(name) for name in self.tests}
        # Alike on all processes already, which Lightning cannot know.
        self.log_dict(self.named({name: own for name, own in figures.items() if own}), sync_dist=True)

    @property
    def tests(self) -> dict[str, Results]:
        """The results of each test."""
        return {name: results for name, results in self.results.items() if name != "val"}

    def figures(self, name: str) -> dict[str, float]:
        """What validation or a test came to on all processes, which all have to ask; none if nothing was scored."""
        self.results[name].gather()
        return self.results[name].compute()

    def named(self, figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """The figures of all tests as they are logged: those of the only one as ``test/...``, else ``test/<name>/...``.

        Args:
            figures: of each test that was scored.
        """
        places = {name: "test" if name == "test" else f"test/{name}" for name in figures}
        return {f"{places[name]}/{key}": value for name, own in figures.items() for key, value in own.items()}

    @property
    def optimization(self) -> Optimization:
        """How the learned weights are changed."""
        return Optimization(self.optimizer, self.prompt_lr, self.warmup_steps, self.schedule, self.decayed)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimizer over the learned weights: what ``decayed`` says, and prompts at their own rate."""
        return self.optimization.configure(self, int(self.trainer.estimated_stepping_batches))

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # noqa: ANN401
        """The learned weights only: the frozen backbone stays where it came from."""
        learned = {name for name, weight in self.named_parameters() if weight.requires_grad}
        learned |= {f"model.{name}" for name in self.model.learned_state()}
        return {name: value for name, value in super().state_dict(*args, **kwargs).items() if name in learned}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what is needed to rebuild the model and to refuse a wrong backbone."""
        checkpoint["prompt_video"] = {
            "format": CHECKPOINT_FORMAT,
            "spec": self.model.spec(),
            "class_names": self.class_names,
            "trial": self.trial_name,
            "task": self.inference_config(),
        }

    def inference_config(self) -> dict[str, Any]:
        """All that using the weights elsewhere takes, ready for JSON: the kind of task, and which frames it scores."""
        return {"kind": type(self).__name__, **self.data_config}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to go on from a checkpoint of another backbone or of other settings."""
        spec = spec_of(checkpoint)
        self.model.set_vocabulary(spec["class_names"] or [])
        self.model.check_spec(spec)
        # Lightning loads by name and takes no notice of names that are missing: this does.
        state: dict[str, Tensor] = checkpoint["state_dict"]
        extra = {name for name in state if name.split(".")[0] in self.extra_modules}
        self.model.load_learned_state({name: weight for name, weight in state.items() if name not in extra})
        self.load_extra_state({name: state[name] for name in extra})

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
        """Take the learned weights of a checkpoint, be it of a run or an imported one.

        Raises:
            InputError: when it is no checkpoint of this framework, or belongs to another backbone or other settings.
        """
        self.on_load_checkpoint(read_checkpoint(path))

    def starting_weights(self) -> dict[str, Tensor]:
        """The learned weights of the model that training starts from, by their names in a `VideoTextModel`.

        Raises:
            InputError: when there are none in the file, or they belong to another backbone or to other settings.
        """
        assert self.start_from is not None
        learned = read_learned(self.start_from)
        try:
            self.model.check_spec(learned.spec)
        except InputError as error:
            raise InputError(f"model.start_from, {self.start_from}: {error}") from None
        own = {name: weight for name, weight in learned.state.items() if name.startswith("model.")}
        return {name.removeprefix("model."): weight for name, weight in (own or learned.state).items()}

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
        examples = self._found_in(data) if known is None else known
        self.model.learn_from(examples, self.class_names)
        return examples

    def _found_in(self, data: VideoDataModule) -> Examples:
        started = time.monotonic()
        parts = []
        with torch.no_grad():
            for batch in data.examples_dataloader():
                data.dropped_videos.add("train", batch["broken"])
                if batch["video_id"]:
                    parts.append(self.examples(data.transfer_batch_to_device(batch, self.device, 0)))
        if not sum(len(part.target) for part in parts):
            raise InputError("none of the training videos, which this method keeps, could be read.")
        found = Examples(torch.cat([part.videos for part in parts]), torch.cat([part.target for part in parts]))
        log.info("looked through %d training examples in %.1f s", len(found.target), time.monotonic() - started)
        return found

    def examples(self, batch: Batch) -> Examples:
        """Vectors and classes of what a batch of training videos shows.

        Raises:
            InputError: when the task has no classes.
        """
        raise InputError(f"{type(self).__name__} has no classes of training videos, which this method needs.")

    def make_results(self, trial: Trial) -> None:
        """Get ready for validation and for the tests of a trial."""
        self.results = {name: self.new_results(name, part) for name, part in trial.subsets.items() if name != "train"}

    def describe(self) -> str:
        """What is trained and how texts are written, in words."""
        return self.model.describe()


def shots_of(train: Subset) -> float:
    """Training videos that show a class, on average; 1 where there are no classes."""
    total = sum(len(record.targets) for record in train.records)
    return total / len(train.class_names) if train.class_names else 1.0


def learned_weights(module: nn.Module) -> int:
    """Number of weights that training changes."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
