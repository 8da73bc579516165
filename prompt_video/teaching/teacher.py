"""Gives a lesson: methods are tried on examples that are held out, and the best of them learns from all."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prompt_video.experiment.claim import claim_new
from prompt_video.experiment.cli import ExperimentCLI
from prompt_video.experiment.settings import parse
from prompt_video.experiment.stopping import Stopped
from prompt_video.inference.loading import load
from prompt_video.io.outputs import write_json
from prompt_video.io.run_files import CHECKPOINTS, LAST
from prompt_video.model.checkpoints import keep_rejection
from prompt_video.model.rejection import ChosenThreshold, Rejection, choose_threshold
from prompt_video.teaching.alike import Likeness, likeness
from prompt_video.teaching.examples import Examples
from prompt_video.teaching.held_out import Figures, read_held_out
from prompt_video.teaching.lesson import Lesson
from prompt_video.teaching.progress import LessonProgress, Tell
from prompt_video.teaching.report import write_lesson_report

EXPERIMENT = "folder_taught"
# A vector a class; one matrix; prompts and the order of frames. Behind each stands how long it takes beside the others.
METHODS = {"text_probe": 1.0, "linear_adapter": 1.0, "regularized": 2.0}
WITHOUT_TEST = "text_probe"  # of classes with one example each, of which none can be held out
FEATURES, FINAL = 1.0, 0.4  # how long these take
TINY = ("--scale=demo", "--data.frame_rate=null")  # of the built-in model: its clips are short, and frames cost little
FOLDS = 5  # as the experiment has them
CLIPS = "examples.json"  # in the folder of a lesson
AGAIN = "the same command gives the lesson again; frame features that were computed are kept."
NOISY = ("prompt_video.experiment", "prompt_video.tasks", "prompt_video.trials", "data_modules")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Teacher:
    """How lessons are given.

    Args:
        runs: folder for run folders.
        features_root: where frame features of clips are kept from lesson to lesson.
        backbone: the frozen model.
        seed: of all that is drawn.
        name: of what is taught, a folder in ``runs``.
    """

    runs: Path = Path("runs")
    features_root: Path = Path("features")
    backbone: str = "tiny"
    seed: int = 0
    name: str = "taught"

    def teach(self, examples: Examples, tell: Tell) -> Lesson:
        """Try each method on held-out examples, and let the best learn from all.

        Args:
            examples: to learn from.
            tell: hears how far it is; what it raises ends the lesson.

        Raises:
            InputError: when something cannot be read or written.
        """
        claim = claim_new(self.runs, self.name)
        folder = claim.folder
        try:
            examples.write(folder / CLIPS)
        finally:
            claim.leave()  # each run in it has a claim of its own
        methods = METHODS if max(examples.counts.values()) > 1 else {}
        progress = LessonProgress(FEATURES + sum(methods.values()) + FINAL, tell)
        progress.begin("looking at the clips", FEATURES)
        looked = self._run(progress, examples, folder, "--data.protocol=ClosedSet", "--features_only=true")
        (store,) = looked.datamodule.stores
        examples = examples.without({one.video_id: one.reason for one in store.broken.values()})
        examples.write(folder / CLIPS)
        names = sorted(examples.counts)
        alike = likeness(examples, store, looked.model.model.frozen_text_features(names))
        tried = {}
        for method, size in methods.items():
            tried[method] = self._try(progress, examples, folder, method, size)
        best = max(tried, key=lambda name: (tried[name].right, tried[name].sureness), default=WITHOUT_TEST)
        progress.begin("learning from all of them", FINAL)
        final = ("--data.protocol=ClosedSet", "--test_after_fit=false", f"--run_folder={folder}")
        self._run(progress, examples, folder, f"--method={best}", *final)
        none = _keep_none(folder / CHECKPOINTS / LAST, examples, tried[best]) if tried else None
        told = [*examples.told(), *_told_alike(tried.get(best), alike)]
        lesson = Lesson(folder, best, examples, tried, none, told)
        write_json(folder / "lesson.json", lesson.content())
        write_lesson_report(lesson)
        progress.begin("done", 0.0)
        return lesson

    def _try(self, progress: LessonProgress, examples: Examples, folder: Path, method: str, size: float) -> Figures:
        """How well a method knows examples that it did not see."""
        own = folder / "held_out" / method
        progress.begin(f"trying {method}", size, min(FOLDS, max(examples.counts.values())))
        cli = self._run(progress, examples, folder, f"--method={method}", f"--run_folder={own}")
        figures = read_held_out(own, len(cli.datamodule.trials))
        log.info("%s: %s", method, figures.describe())
        return figures

    def _run(self, progress: LessonProgress, examples: Examples, folder: Path, *options: str) -> ExperimentCLI:
        class Watched(ExperimentCLI):
            watching = (progress,)

        arguments = [
            "fit",
            f"--config={EXPERIMENT}",
            f"--backbone={self.backbone}",
            *(TINY if self.backbone == "tiny" else ()),
            f"--data.root={examples.root.absolute()}",
            f"--data.labels={(folder / CLIPS).absolute()}",
            f"--data.features_root={self.features_root}",
            f"--seed_everything={self.seed}",
            "--wandb=disabled",
            "--quiet=true",
            "--data.num_workers=0",
            *options,
        ]
        try:
            with _quiet():
                return parse(arguments, Watched)
        except Stopped as stopped:
            stopped.how_to_go_on = AGAIN  # not with the run alone
            raise


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing but warnings of what is run here, again and again."""
    levels = {logger: logger.level for logger in map(logging.getLogger, NOISY)}
    try:
        for logger in levels:
            logger.setLevel(logging.WARNING)
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _keep_none(checkpoint: Path, examples: Examples, figures: Figures) -> ChosenThreshold:
    """Write into a checkpoint when a video shows none of its classes: as held-out examples and other clips say."""
    model = load(checkpoint)
    model.rejection = None
    others = [model.score(path, model.class_names).confidence for path in examples.others]
    chosen = choose_threshold([one.probability for one in figures.examples], others)
    keep_rejection(checkpoint, Rejection(chosen.threshold, (), tuple(model.class_names)))
    return chosen


def _told_alike(figures: Figures | None, alike: Likeness) -> list[str]:
    return [alike.told(confusion) for confusion in figures.confusions() if confusion.is_often] if figures else []
