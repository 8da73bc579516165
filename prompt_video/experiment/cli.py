"""The one LightningCLI: an experiment YAML in, a run folder with results out."""

import copy
import errno
import logging
import signal
from collections.abc import Collection, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, cast

from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from data_modules.errors import InputError
from data_modules.files.atomic import WriteError
from data_modules.modules.base import VideoDataModule
from data_modules.protocols.trial import SPLITS, Split
from prompt_video.backbones.precision import device_type
from prompt_video.experiment.building import build
from prompt_video.experiment.checkpoint_files import WholeCheckpoints
from prompt_video.experiment.claim import Claim
from prompt_video.experiment.config_errors import making_trainer
from prompt_video.experiment.folder import RunRecord, TrialFiles, settle_run_folder
from prompt_video.experiment.loggers import close_loggers, log_trials, make_loggers
from prompt_video.experiment.progress import DataWait, ProgressBar
from prompt_video.experiment.settings import ExperimentSettings, parse
from prompt_video.experiment.stopping import Stopped
from prompt_video.experiment.summary import commands_for, print_summary
from prompt_video.io import console
from prompt_video.io.run_files import BEST, CHECKPOINTS, LAST, LEARNED, NO_CHECKPOINT, TRAINED, TRIALS
from prompt_video.reports.results import write_predictions
from prompt_video.reports.run_report import write_run_report
from prompt_video.tasks.base import VideoTextTask, learned_weights
from prompt_video.tasks.finite import StopAtNotFinite
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.trials.choosing import Choosing, Values, points, with_values
from prompt_video.trials.journal import summarise, write_table
from prompt_video.trials.one_trial import TrialTraining
from prompt_video.trials.progress import LossCurve
from prompt_video.trials.runner import run_trials
from prompt_video.trials.stacked_trials import at_a_time, why_not_stacked

log = logging.getLogger(__name__)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class ExperimentCLI(ExperimentSettings):
    """An experiment as it runs: with a run folder, a feature store, and a test after training."""

    model: VideoTextTask
    datamodule: VideoDataModule
    run_folder: Path
    record: RunRecord
    claim: Claim | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Lightning's, which does all of a run
        try:
            super().__init__(*args, **kwargs)
        except Stopped as stopped:
            stopped.how_to_go_on = self._how_to_go_on()
            self._stop_others()
            raise
        except Exception as error:
            if self.claim is not None:
                self.claim.fail(error)
            if not isinstance(error, WriteError) and not (isinstance(error, OSError) and error.errno in NO_ROOM):
                raise
            where = error.filename or (self.claim.folder if self.claim else "the run")
            said = error if isinstance(error, WriteError) else f"{where} cannot be written: {error.strerror}."
            raise InputError(f"{said} Make room; then {self._how_to_go_on()}") from None
        finally:
            close_loggers()
            if self.claim is not None:
                self.claim.leave()

    def instantiate_classes(self) -> None:
        """Take a folder before anything is built, so that two runs never share one."""
        settings = self.settings
        folder = Path(settings["run_folder"]) if settings["run_folder"] else None
        refused = {"fit": (*TRAINED, "results.json"), "predict": ()}.get(str(self.subcommand), TRAINED)
        if self.subcommand == "fit" and folder and settings["ckpt_path"]:
            goes_on = Path(settings["ckpt_path"]).resolve().is_relative_to(folder.resolve())
            refused = () if goes_on else refused
        self.run_folder, self.claim = settle_run_folder(
            Path(settings["runs"]),
            self.name,
            folder,
            verb=str(self.subcommand),
            refused=refused,
            writes=not settings.get("features_only"),
        )
        try:
            super().instantiate_classes()
        except InputError as error:
            # Where both the videos and the backbone are missing, a person fetches the videos first.
            if (missing := _why_no_data(settings)) is not None:
                raise InputError(missing) from None
            raise error
        if self.claim is not None:
            self.record.begin(anew=self.subcommand != "predict")

    @making_trainer()
    def instantiate_trainer(self, **kwargs: Any) -> Trainer:  # noqa: ANN401 - Lightning's signature
        """Add what every run has: its record, its checkpoints, its loggers, its progress bar."""
        settings = self.settings
        options = self.config_init[self.subcommand]["trainer"]
        dump = self.verb_parser.dump(settings, skip_none=False)
        self.record = RunRecord(self.run_folder, dump, int(settings["seed_everything"]), self.typed)
        callbacks: list[Callback] = [self.record, StopAtNotFinite()]
        if options.get("enable_checkpointing") is not False and self.subcommand == "fit":
            callbacks += self._checkpoints()
        if settings["quiet"]:
            options["enable_progress_bar"] = False
        options["enable_model_summary"] = bool(options.get("enable_model_summary"))
        if options.get("enable_progress_bar") is not False:
            callbacks.append(ProgressBar(self.settings["monitor"] or self.model.monitor))
        logger = options.get("logger")
        if logger is None:
            logger = make_loggers(self.run_folder, f"{self.name}/{self.run_folder.name}", settings["wandb"])
        if logger and self.subcommand == "fit":
            callbacks.append(DataWait())
        self._own_callbacks: list[Callback] = list(options.get("callbacks") or [])
        options["callbacks"] = [*self._own_callbacks, *callbacks]
        options["plugins"] = _with_whole_checkpoints(options.get("plugins"))
        return super().instantiate_trainer(logger=logger, default_root_dir=self.run_folder, **kwargs)

    def _checkpoints(self) -> list[Callback]:
        folder = self.run_folder / CHECKPOINTS
        monitor: str = self.settings["monitor"] or self.model.monitor
        # The best holds the learned weights alone; the last also what is needed to go on.
        best = ModelCheckpoint(
            folder, "best", monitor=monitor, mode="max", save_weights_only=True, enable_version_counter=False
        )
        last = ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
        callbacks: list[Callback] = [best, last]
        if (steps := self.settings["save_every_n_steps"]) is not None:
            callbacks.append(ModelCheckpoint(folder, "last", every_n_train_steps=steps, enable_version_counter=False))
        return callbacks

    def fit(self, model: LightningModule, datamodule: LightningDataModule, **kwargs: Any) -> None:  # noqa: ANN401
        """Train if there is anything to train, then test."""
        if not self.settings["features_only"]:  # what a method lacks of the classes is told before frames are encoded
            self.model.set_class_names(self.datamodule.trials[0].train.class_names)
        self._open_features()
        if self.settings["features_only"]:
            return
        if len(self.datamodule.trials) > 1:
            self._fit_trials(resume=kwargs.get("ckpt_path") is not None)
            return
        model = self._with_chosen()
        if self.model.has_weights:
            weights = f"{learned_weights(self.model):,} weights" if learned_weights(self.model) else "a vector a class"
            log.info("training %s on frozen backbone '%s'", weights, self.model.model.backbone.name)
            if self._tests_last:
                self._keep_last()
            self.trainer.fit(model, datamodule=datamodule, **kwargs)
        elif self.model.model.needs_examples:
            log.info("nothing to train by steps: the training videos are looked through")
            self.model.collect_examples(self.datamodule)
        else:
            log.info("nothing to train: the frozen CLIP is tested as it is")
        if self.settings["test_after_fit"]:
            # The record's folder is that of the first process, on all of them.
            if (best := self.record.folder / CHECKPOINTS / BEST).is_file():
                self.model.load_checkpoint(best)
            self.trainer.test(model, datamodule=datamodule, verbose=False)
        if self.model.model.needs_examples and not self.model.has_weights and self.settings["test_after_fit"]:
            self.trainer.save_checkpoint(self.record.folder / CHECKPOINTS / LAST, weights_only=True)
        self._summarize()

    def _fit_trials(self, *, resume: bool) -> None:
        """Train and test all trials of the protocol: small ones several at a time, others one by one."""
        task, data = self.model, self.datamodule
        data.setup("fit")
        self.record.note_losses(data)
        count = self._trials_at_a_time()
        if count > 1 and not self.trainer.is_global_zero:
            return  # trials that are trained together are the first process's, not shared out over devices
        training = TrialTraining(
            lambda: cast(VideoTextTask, build(VideoTextTask, self.settings["model"])),
            data,
            self.run_folder,
            partial(self._trainer_of_a_trial, count > 1),
            self.settings["save_every_n_steps"],
            self.settings["monitor"],
            tests_best=not self._tests_last,
            choosing=self._choosing(side_by_side=count > 1),
        )
        bar = self.config_init[self.subcommand]["trainer"].get("enable_progress_bar") is not False
        curve = LossCurve()
        results = run_trials(training, count, resume=resume, curve=curve, bar=bar)
        write_table(results, self.run_folder / "trials.csv")
        self.record.finish(data, task, {"epochs": self.trainer.max_epochs, **summarise(results)})
        if self.trainer.is_global_zero:
            write_run_report(self.run_folder)
        log_trials(self.trainer.loggers, results, self.record.results["metrics"], curve.means())
        self._summarize()

    def _with_chosen(self) -> LightningModule:
        """The model, with constants that were chosen on held-out training videos where the method has lists of them."""
        if (choosing := self._choosing(side_by_side=False)) is None:
            return self.model
        chosen = choosing.choose(self.datamodule, 0)
        seed_everything(int(self.settings["seed_everything"]), verbose=False)
        with_values(self.settings["model"], chosen.values)
        self.model = choosing.make_task({})
        self.record.results["chosen"] = chosen.summary()
        self.record.rewrite(self.verb_parser.dump(self.settings, skip_none=False))
        return self.model

    def _choosing(self, *, side_by_side: bool) -> Choosing | None:
        """How constants are chosen, where the method, or the command line, has lists of them."""
        if not (lists := self.settings["choose"]):
            return None
        if not isinstance(self.model, RecognitionTask):
            raise InputError(f"choose is for recognition, and this is {type(self.model).__name__}; say --choose null.")
        lists = dict(lists)
        with_values(copy.deepcopy(self.settings["model"]), points(lists)[0])  # a wrong name is told at once
        return Choosing(lists, self._task_with, partial(self._trainer_of_a_trial, side_by_side, [], None))

    def _task_with(self, values: Values) -> VideoTextTask:
        settings = copy.deepcopy(self.settings["model"])
        with_values(settings, values)
        return cast(VideoTextTask, build(VideoTextTask, settings))

    def _trials_at_a_time(self) -> int:
        """How many trials are trained together.

        Raises:
            InputError: when more than one is asked for, and they cannot be.
        """
        asked: int | None = self.settings["trials_at_a_time"]
        if asked == 1:
            return 1
        options = self.config_init[self.subcommand]["trainer"]
        reasons = {
            "constants of their method are chosen for each": bool(self.settings["choose"]),
            "the trainer has callbacks of its own": bool(self._own_callbacks),
            f"trainer.precision is {options['precision']}": options["precision"] == "16-mixed",
        }
        reason = why_not_stacked(self.model, self.datamodule)
        reason = reason or next((reason for reason, holds in reasons.items() if holds), None)
        if reason is None:
            device = device_type(options["accelerator"])
            return asked or at_a_time(self.model, self.datamodule, device)
        if asked is not None:
            raise InputError(f"--trials_at_a_time is {asked}, and these trials are trained one by one: {reason}.")
        return 1

    @property
    def _tests_last(self) -> bool:
        """Whether the last weights are tested, since there is nothing to choose better ones by.

        That is so without validation videos; and in trials of recognition, be they trained together or one alone: what
        is best on the few classes that one of them shows in training is not what is best on others.
        """
        data = self.datamodule
        is_one_of_several = len(data.trials) > 1 or data.trial is not None
        return data.trials[0].val is None or (isinstance(self.model, RecognitionTask) and is_one_of_several)

    def _trainer_of_a_trial(self, together: bool, callbacks: list[Callback], folder: Path | None) -> Trainer:
        """As the experiment's own; the trial's curves are in its own folder."""
        changes: dict[str, Any] = {"logger": CSVLogger(folder, name="", version="logs") if folder else False}
        if self._tests_last:
            changes["limit_val_batches"] = 0
        if together:
            changes |= {"devices": 1, "num_nodes": 1, "strategy": "auto", "enable_progress_bar": False}
        return self._trainer_like(callbacks, changes, [TrialFiles(folder)] if folder else [])

    def _trainer_like(self, callbacks: list[Callback], changes: dict[str, Any], files: Sequence[Callback]) -> Trainer:
        options = {**self.config_init[self.subcommand]["trainer"].as_dict(), **changes}
        own = [copy.deepcopy(callback) for callback in self._own_callbacks]
        if options.get("enable_checkpointing") is False or options.get("fast_dev_run"):
            callbacks = []
        if self.settings["quiet"]:
            options["enable_progress_bar"] = False
        elif options.get("enable_progress_bar") is not False:
            own.append(ProgressBar(self.settings["monitor"] or self.model.monitor))
        options["plugins"] = _with_whole_checkpoints(options.get("plugins"))
        options |= {"enable_model_summary": False, "default_root_dir": self.run_folder}
        return Trainer(**{**options, "callbacks": [*own, StopAtNotFinite(), *files, *callbacks]})

    def _keep_last(self) -> None:
        callbacks: list[Callback] = self.trainer.callbacks  # type: ignore[attr-defined]
        callbacks[:] = [c for c in callbacks if not (isinstance(c, ModelCheckpoint) and c.monitor)]

    def validate(self, model: LightningModule, datamodule: LightningDataModule, **kwargs: Any) -> None:  # noqa: ANN401
        """Score on the validation split."""
        self._load_checkpoint(kwargs)
        self.trainer.validate(model, datamodule=datamodule, **{**kwargs, "verbose": False})
        self._summarize()

    def test(self, model: LightningModule, datamodule: LightningDataModule, **kwargs: Any) -> None:  # noqa: ANN401
        """Score on the test split."""
        self._load_checkpoint(kwargs)
        self.trainer.test(model, datamodule=datamodule, **{**kwargs, "verbose": False})
        self._summarize()

    def predict(self, model: LightningModule, datamodule: LightningDataModule, **kwargs: Any) -> None:  # noqa: ANN401
        """Write what was found in each test video, or which videos each caption means, to the run folder."""
        self._load_checkpoint(kwargs)
        batches: list[Any] = self.trainer.predict(model, datamodule=datamodule, **kwargs) or []
        if len(self.datamodule.trials[0].tests) > 1:
            batches = list(chain.from_iterable(batches))  # one list for each test
        if self.trainer.is_global_zero:
            rows = [row for batch in batches for row in batch]
            told = write_predictions(self.run_folder, rows, self.model.tests, self.model.describe())
            log.info("wrote %s", told)

    def _load_checkpoint(self, options: dict[str, Any]) -> None:
        """Lightning loads only its own checkpoints; imported ones hold the learned weights alone."""
        path = options.pop("ckpt_path", None)
        self.record.results["tested"] = str(path or NO_CHECKPOINT)
        if path:
            self.model.load_checkpoint(Path(path))
        elif self.model.has_weights:
            log.info("no --ckpt: the learned weights are those of an untrained model")
        self._open_features()

    def _open_features(self) -> None:
        options = self.config_init[self.subcommand]["trainer"]
        wanted = {key: options[key] for key in ("accelerator", "devices", "num_nodes")}
        if isinstance(options["strategy"], str):
            wanted["strategy"] = options["strategy"]
        if options.get("enable_progress_bar") is False:
            wanted["enable_progress_bar"] = False
        else:
            wanted["callbacks"] = [ProgressBar()]
        splits: Collection[Split] = SPLITS
        if self.subcommand != "fit":
            bank: tuple[Split, ...] = ("train",) if getattr(self.model, "query_bank", 0) else ()
            splits = ("val",) if self.subcommand == "validate" else ("test", *bank)
        self.extractor = Trainer(logger=False, enable_checkpointing=False, enable_model_summary=False, **wanted)
        self.datamodule.extract(self.model.encoder, self.extractor, splits)

    def _summarize(self) -> None:
        if not self.trainer.is_global_zero or self.settings["quiet"]:
            return
        folder, tested = self.record.folder, self.settings.get("ckpt_path")
        trials = sorted(folder.glob(f"{TRIALS}/*/{LEARNED}"))
        own = [folder / CHECKPOINTS / BEST, folder / CHECKPOINTS / LAST, *trials]
        learned = next((path for path in own if path.is_file()), None)
        used = learned or (Path(tested) if tested else None)
        commands = commands_for(used, type(self.model).__name__, _test_video(self.datamodule)) if used else []
        dropped = self.datamodule.dropped_videos
        print_summary(folder, self.record.results, dropped, learned, commands if learned else commands[1:])

    def _how_to_go_on(self) -> str:
        """For a run that is stopped."""
        if self.subcommand == "fit" and self.claim is not None:
            folder = self.claim.folder
            if any((folder / trace).exists() for trace in TRAINED):
                return f"the same command with --run_folder {folder} --ckpt last goes on where it was."
        return "the same command starts it again; frame features that were computed are kept."

    def _stop_others(self) -> None:
        """End the processes that Lightning has started beside this one."""
        for trainer in (getattr(self, "trainer", None), getattr(self, "extractor", None)):
            if trainer is not None and trainer.strategy.launcher is not None:
                trainer.strategy.launcher.kill(signal.SIGTERM)


def _test_video(data: VideoDataModule) -> Path | None:
    """One that is there to try a model on."""
    of_tests = (records for name, records in data.videos().items() if name not in ("train", "val"))
    return next((records[0].path for records in of_tests if records and records[0].path.is_file()), None)


def _why_no_data(settings: Any) -> str | None:  # noqa: ANN401 - a namespace of the configuration
    """What is wrong with the data of an experiment, found without its model; None where they can be used."""
    try:
        data = cast(VideoDataModule, build(VideoDataModule, settings["data"]))
        paths = {record.path for records in data.videos().values() for record in records}
    except InputError as error:
        return str(error)
    # A world that renders its videos need not have them yet, and stored features may have outlived theirs.
    if type(data).prepare_data is not VideoDataModule.prepare_data or data.features not in ("auto", "off"):
        return None
    lost = sorted(path for path in paths if not path.exists())
    if len(lost) <= data.dropped_videos.max_fraction * len(paths):
        return None
    return (
        f"{len(lost):,} of the {len(paths):,} videos of {type(data).__name__} are not there, the first being "
        f"{lost[0]}; `prompt-video doctor` names all, and data.root says where they are."
    )


def _with_whole_checkpoints(plugins: Any) -> list[Any]:  # noqa: ANN401 - what Lightning takes
    """Plugins of a trainer, one of which saves its checkpoints."""
    own = [] if plugins is None else list(plugins) if isinstance(plugins, list | tuple) else [plugins]
    return own if any(isinstance(plugin, CheckpointIO) for plugin in own) else [*own, WholeCheckpoints()]


def main(arguments: list[str]) -> ExperimentCLI:
    """Run one experiment.

    Args:
        arguments: the verb and its options, as typed after ``prompt-video``.
    """
    console.configure()
    return parse(arguments, ExperimentCLI)
