"""Several small trials trained at a time: which can be, how many at once, and their training from start to test."""

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, cast

import torch
from lightning.pytorch import Callback
from torch import nn, optim

from data_modules.errors import InputError
from data_modules.modules.base import VideoDataModule
from prompt_video.io.run_files import CHECKPOINTS, LEARNED, TRIALS
from prompt_video.model.checkpoints import last_checkpoint, read_checkpoint
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.tasks.base import VideoTextTask, learned_weights
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.trials.journal import TrialResult
from prompt_video.trials.one_trial import TrialTraining, put_logs_aside
from prompt_video.trials.stacked_data import StackedData
from prompt_video.trials.stacked_task import StackedTask

Device = Literal["cuda", "cpu"]
STACK = "stack"  # folder, among those of the trials, of the ones in training
MOST_TRIALS = {"cpu": 8, "cuda": 64}  # of a stack: more are no faster
MOST_TEXTS = {"cpu": 256, "cuda": 1024}  # of a stack, likewise
# Texts of a trial: more fill a CPU or a GPU by themselves, and what a stack adds to them grows with their square.
GAINING = {"cpu": 16, "cuda": 64}
MOST_TEXTS_OF_A_TRIAL = 64
LAYERS = 24  # of a text encoder, the largest
# Each number is changed by itself: what trials share is nothing.
ELEMENTWISE = (
    optim.SGD, optim.Adam, optim.AdamW, optim.NAdam, optim.RAdam, optim.Adamax, optim.Adagrad, optim.RMSprop,
)  # fmt: skip


def why_not_stacked(task: VideoTextTask, data: VideoDataModule) -> str | None:
    """Why trials cannot be trained several at a time, in words; None: they can.

    Args:
        task: that is trained.
        data: whose trials they are.
    """
    steps = ("training_step", "loss", "classification_loss")
    own_step = any(getattr(type(task), step, None) is not getattr(RecognitionTask, step) for step in steps)
    if not isinstance(task, RecognitionTask) or own_step:
        return f"{type(task).__name__} has a loss of its own"
    texts = [len(trial.train.class_names) for trial in data.trials]
    backbone, head, optimizer = task.model.backbone, type(task.model.prompt), type(task.optimizer(_one_weight()))
    reasons = {
        "nothing is learned": not task.has_weights,
        "they are trained on frames, not on stored features": data.features == "off",
        "model.classes_per_step draws the candidates of each": (task.classes_per_step or max(texts)) < max(texts),
        f"they have more than {MOST_TEXTS_OF_A_TRIAL} class names": max(texts) > MOST_TEXTS_OF_A_TRIAL,
        "model.text_chunk bounds their texts": task.model.text_chunk is not None,
        f"texts of a {backbone.facts.family} in {backbone.dtype} are not encoded so": not backbone.encodes_rows,
        "model.compile is for one model": backbone.compiled,
        f"{head.__name__} does not say that it is stackable": not vars(head).get("stackable"),
        f"{type(task.model.temporal).__name__} is not known": type(task.model.temporal) is not TemporalEncoder,
        f"{optimizer.__name__} is not known to change each number by itself": optimizer not in ELEMENTWISE,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def at_a_time(task: VideoTextTask, data: VideoDataModule, device: Device) -> int:
    """How many trials gain by being trained together.

    Args:
        task: that is trained.
        data: whose trials they are.
        device: that is computed on.
    """
    texts = max(len(trial.train.class_names) for trial in data.trials)
    if texts > GAINING[device]:
        return 1
    most = min(MOST_TRIALS[device], MOST_TEXTS[device] // max(texts, 1))
    if device == "cuda":
        most = min(most, torch.cuda.mem_get_info()[0] // 2 // _bytes_of_a_trial(task, data, texts))
    return max(1, most)


def _bytes_of_a_trial(task: VideoTextTask, data: VideoDataModule, texts: int) -> int:
    """Of its weights with their optimizer's, and of the inner values of a step: some 20 of a layer."""
    backbone, temporal, prompt = task.model.backbone, task.model.temporal, task.model.prompt
    rows = texts * (backbone.context_length - prompt.room) + backbone.context_length
    in_text = rows * backbone.width * LAYERS * 4
    in_video: int = data.batch_size * temporal.max_frames * backbone.embed_dim * 4 * (1 + temporal.num_layers)
    return 16 * learned_weights(task) + 20 * (in_text + in_video)


def stacks(training: TrialTraining, wanted: Sequence[int], most: int) -> list[list[int]]:
    """Which trials are trained together: those with equally many class names and steps, in groups as even as can be.

    Args:
        training: of the trials.
        wanted: their numbers.
        most: trials of a group.
    """
    alike = defaultdict(list)
    for number in wanted:
        data = training.data.alone(number)
        alike[len(data.class_names), len(data.train_dataloader())].append(number)
    groups = []
    for numbers in alike.values():
        count = -(-len(numbers) // most)
        bounds = [len(numbers) * place // count for place in range(count + 1)]
        groups += [numbers[first:end] for first, end in pairwise(bounds)]
    return sorted(groups)


def run_stack(
    training: TrialTraining, numbers: Sequence[int], *, resume: bool, watching: Sequence[Callback] = ()
) -> Iterator[TrialResult]:
    """Train some trials together, and test one after another.

    Args:
        training: of the trials.
        numbers: of these.
        resume: go on from the checkpoint that is there.
        watching: more callbacks, of the training alone.
    """
    begun = [training.begin(number) for number in numbers]
    for number, (task, data) in zip(numbers, begun, strict=True):
        put_logs_aside(training.folder_of(number))
        task.prepare_for(data, "fit")
    folders = [training.folder_of(number) if training.keeps else None for number in numbers]
    trainers = [training.make_trainer([], folder) for folder in folders]
    tasks = cast("list[RecognitionTask]", [task for task, _ in begun])
    seeds = [training.data.seed_of(number) for number in numbers]
    stack = StackedTask(tasks, seeds, [trainer.loggers for trainer in trainers])
    own = training.folder / TRIALS / STACK
    kept = last_checkpoint(own) if resume else None
    trainer = training.make_trainer([training.last(own / CHECKPOINTS), *watching], None)
    data_of_all = StackedData([data for _, data in begun])
    try:
        trainer.fit(stack, datamodule=data_of_all, ckpt_path=str(kept) if kept else None, weights_only=True)
    except InputError as error:
        bad = ", ".join(stack.not_finite())
        raise (InputError(f"trial {bad}: {error}") if bad else error) from None
    stack.hand_over()
    for place, (number, (task, data)) in enumerate(zip(numbers, begun, strict=True)):
        if training.keeps:
            stack.save_one(place, training.folder_of(number) / LEARNED)
        yield training.test(number, task, data, trainers[place])
    shutil.rmtree(own, ignore_errors=True)


def stack_in_training(training: TrialTraining) -> list[int]:
    """The trials that a killed run was training together, if it has saved them."""
    kept = last_checkpoint(training.folder / TRIALS / STACK)
    seeds = read_checkpoint(kept).get("seeds", []) if kept else []
    return [number for number in range(len(training.data.trials)) if training.data.seed_of(number) in seeds]


def _one_weight() -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(1))]
