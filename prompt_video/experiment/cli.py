"""The one LightningCLI: an experiment YAML in, a run folder with results out."""

import errno
import logging
from collections.abc import Collection, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from data_modules.errors import InputError
from data_modules.files.atomic import WriteError
from data_modules.modules.base import VideoDataModule
from data_modules.protocols.trial import SPLITS, Split
from prompt_video.experiment.checkpoint_files import DAMAGED, is_of_restoring, with_whole_checkpoints
from prompt_video.experiment.claim import Claim
from prompt_video.experiment.config_errors import making_trainer
from prompt_video.experiment.folder import settle_run_folder
from prompt_video.experiment.loggers import close_loggers, log_trials, make_loggers
from prompt_video.experiment.missing_data import why_no_data
from prompt_video.experiment.progress import DataWait, ProgressBar
from prompt_video.experiment.run_record import RunRecord
from prompt_video.experiment.settings import ExperimentSettings, parse
from prompt_video.experiment.several_processes import LOST, StopTogether, end_others, has_lost_another
from prompt_video.experiment.stopping import Stopped
from prompt_video.experiment.summary import summarize
from prompt_video.experiment.trial_setup import TrialSetup
from prompt_video.io import console
from prompt_video.io.run_files import BEST, CHECKPOINTS, LAST, NO_CHECKPOINT, TRAINED
from prompt_video.model.checkpoints import keep_calibration
from prompt_video.reports.results import write_predictions
from prompt_video.reports.run_report import write_run_report
from prompt_video.tasks.base import VideoTextTask, learned_weights
from prompt_video.tasks.finite import StopAtNotFinite
from prompt_video.trials.calibrating import check_task
from prompt_video.trials.choosing import with_values
from prompt_video.trials.journal import summarise, write_table
from prompt_video.trials.progress import LossCurve
from prompt_video.trials.runner import run_trials

log = logging.getLogger(__name__)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class ExperimentCLI(ExperimentSettings):
    """An experiment as it runs: with a run folder, a feature store, and a test after training."""

    model: VideoTextTask
    datamodule: VideoDataModule
    run_folder: Path
    record: RunRecord
    claim: Claim | None = None
    watching: Sequence[Callback] = ()  # of whoever runs it: told of every extraction, training and test
    part: tuple[int, int] = (1, 1)  # of the videos, whose features are computed

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
            if (said := self._in_words(error)) is None:
                raise
            raise InputError(said) from None
        finally:
            close_loggers()
            if self.claim is not None:
                self.claim.leave()

    def _in_words(self, error: Exception) -> str | None:
        """What has ended the run and what to do, where the error itself says less."""
        if has_lost_another(error):
            self._stop_others()
            return f"{LOST}; {self._how_to_go_on()}"
        if isinstance(error, WriteError):
            return f"{error} Make room; then {self._how_to_go_on()}"
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            where = error.filename or (self.claim.folder if self.claim else "the run")
            return f"{where} cannot be written: {error.strerror}. Make room; then {self._how_to_go_on()}"
        if is_of_restoring(error) and not isinstance(error, InputError):
            return f"{self.settings['ckpt_path']} cannot be gone on from: {DAMAGED}"
        return None

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
            if (missing := why_no_data(settings)) is not None:
                raise InputError(missing) from None
            raise error
        if self.claim is not None:
            self.record.begin(anew=self.subcommand != "predict")

    @making_trainer()
    def instantiate_trainer(self, **kwargs: Any) -> Trainer:  # noqa: ANN401 - Lightning's signature
        """Add what every run has: its record, its checkpoints, its loggers, its progress bar."""
        settings = self.settings
        options = self.config_init[self.subcommand]["trainer"]
        dump = self.verb_parser.dump(settings, skip_none=False, skip_validation=True)
        self.record = RunRecord(self.run_folder, dump, int(settings["seed_everything"]), self.typed)
        callbacks: list[Callback] = [self.record, StopAtNotFinite(), StopTogether()]
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
        options["callbacks"] = [*self._own_callbacks, *self.watching, *callbacks]
        options["plugins"] = with_whole_checkpoints(options.get("plugins"))
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
            self._trial_setup.check()
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
            if self._trial_setup.tests_last:
                self._keep_last()
            self.trainer.fit(model, datamodule=datamodule, **kwargs)
        elif self.model.model.needs_examples:
            log.info("nothing to train by steps: the training videos are looked through")
            self.model.collect_examples(self.datamodule)
        else:
            log.info("nothing to train: the frozen model is tested as it is, zero-shot")
        # The record's folder is that of the first process, on all of them.
        best = self.record.folder / CHECKPOINTS / BEST
        if (self.settings["test_after_fit"] or self.settings["fit_temperature"]) and best.is_file():
            self.model.load_checkpoint(best)
        self._calibrate()
        if self.settings["test_after_fit"]:
            self.trainer.test(model, datamodule=datamodule, verbose=False)
        if self.model.model.needs_examples and not self.model.has_weights and self.settings["test_after_fit"]:
            self.trainer.save_checkpoint(self.record.folder / CHECKPOINTS / LAST, weights_only=True)
        self._summarize()

    def _calibrate(self) -> None:
        """Fit a temperature where one is asked for; the checkpoints of the run keep it."""
        if (calibrating := self._trial_setup.calibrating()) is None:
            return
        calibration = calibrating({}).calibrate(check_task(self.model), self.datamodule, 0)
        if self.trainer.is_global_zero:
            for path in (self.record.folder / CHECKPOINTS).glob("*.ckpt"):
                keep_calibration(path, calibration)
        self.trainer.strategy.barrier("calibration")

    def _fit_trials(self, *, resume: bool) -> None:
        """Train and test all trials of the protocol: small ones several at a time, others one by one."""
        task, data = self.model, self.datamodule
        data.setup("fit")
        self.record.note_losses(data)
        setup = self._trial_setup
        count = setup.count()
        if count > 1 and not self.trainer.is_global_zero:
            return  # trials that are trained together are the first process's, not shared out over devices
        curve, bar = LossCurve(), setup.trainer_options.get("enable_progress_bar") is not False
        results = run_trials(setup.training(count), count, resume=resume, curve=curve, bar=bar)
        write_table(results, self.run_folder / "trials.csv")
        about = {"epochs": self.trainer.max_epochs, **task.details(), **summarise(results)}
        if self.settings["fit_temperature"]:
            about["calibration"] = {"says": "a temperature was fitted in each trial; trials.csv has them"}
        self.record.finish(data, task, about)
        if self.trainer.is_global_zero:
            write_run_report(self.run_folder)
        log_trials(self.trainer.loggers, results, self.record.results["metrics"], curve.means())
        self._summarize()

    def _with_chosen(self) -> LightningModule:
        """The model, with constants that were chosen on held-out training videos where the method has lists of them."""
        if (choosing := self._trial_setup.choosing(together=False)) is None:
            return self.model
        chosen = choosing.choose(self.datamodule, 0)
        seed_everything(int(self.settings["seed_everything"]), verbose=False)
        with_values(self.settings["model"], chosen.values)
        self.model = choosing.make_task({})
        self.record.results["chosen"] = chosen.summary()
        self.record.rewrite(self.verb_parser.dump(self.settings, skip_none=False, skip_validation=True))
        return self.model

    @property
    def _trial_setup(self) -> TrialSetup:
        options = self.config_init[self.subcommand]["trainer"]
        return TrialSetup(
            self.settings, options, self._own_callbacks, self.model, self.datamodule, self.run_folder, self.watching
        )

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
        splits: Collection[Split] = SPLITS
        if self.subcommand != "fit":
            bank: tuple[Split, ...] = ("train",) if getattr(self.model, "query_bank", 0) else ()
            splits = ("val",) if self.subcommand == "validate" else ("test", *bank)
        self.datamodule.reads = splits  # before anything counts the videos of all
        if not self.settings.get("features_only"):
            self.model.check_trials(self.datamodule.trials)
        options = self.config_init[self.subcommand]["trainer"]
        wanted = {key: options[key] for key in ("accelerator", "devices", "num_nodes")}
        if isinstance(options["strategy"], str):
            wanted["strategy"] = options["strategy"]
        wanted["callbacks"] = [*self.watching, StopTogether()]
        if options.get("enable_progress_bar") is False:
            wanted["enable_progress_bar"] = False
        else:
            wanted["callbacks"].append(ProgressBar())
        self.extractor = Trainer(logger=False, enable_checkpointing=False, enable_model_summary=False, **wanted)
        self.datamodule.extract(self.model.encoder, self.extractor, splits, self.part)

    def _summarize(self) -> None:
        if self.trainer.is_global_zero and not self.settings["quiet"]:
            folder, tested = self.record.folder, self.settings.get("ckpt_path")
            summarize(folder, self.record.results, self.datamodule, type(self.model).__name__, tested)

    def _how_to_go_on(self) -> str:
        """For a run that is stopped."""
        folder: Path | None = getattr(self, "run_folder", None)  # unknown until options are read
        if self.subcommand == "fit" and folder is not None and any((folder / trace).exists() for trace in TRAINED):
            return f"the same command with --run_folder {folder} --ckpt last goes on where it was."
        return "the same command starts it again; frame features that were computed are kept."

    def _stop_others(self) -> None:
        """End the processes that Lightning has started beside this one."""
        for trainer in (getattr(self, "trainer", None), getattr(self, "extractor", None)):
            if trainer is not None:
                end_others(trainer)


def main(arguments: list[str], kind: type[ExperimentCLI] = ExperimentCLI) -> ExperimentCLI:
    """Run one experiment.

    Args:
        arguments: the verb and its options, as typed after ``prompt-video``.
        kind: what runs it.
    """
    console.configure()
    return parse(arguments, kind)
