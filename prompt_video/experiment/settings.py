"""An experiment's settings, read from YAML files and the command line; and its parts, built one by one."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from lightning.pytorch import seed_everything
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

# Imported for their names: a YAML may then say MovingShapes rather than data_modules.MovingShapes.
import data_modules.registry
import prompt_video.tasks
from data_modules.errors import InputError
from data_modules.features.encoder import FrameTransform
from data_modules.loading.sample_keys import trial_seed
from data_modules.modules.base import VideoDataModule
from prompt_video.backbones.precision import allow_tf32, device_type, refuse_half_precision, resolve_backbone_dtype
from prompt_video.experiment.building import build
from prompt_video.experiment.composing_parser import ComposingParser
from prompt_video.experiment.config_errors import PARSER_MODE, check_devices, misconfigured, reading
from prompt_video.experiment.folder import checked_name, checkpoint_of, has_begun, newest_checkpoint
from prompt_video.experiment.option_names import MOST_SEED, RUN_OPTIONS
from prompt_video.experiment.run_settings import as_lightning_calls_them, with_settings_of_run
from prompt_video.io.parser_messages import ConfigError
from prompt_video.model.checkpoints import read_checkpoint, read_learned
from prompt_video.model.hub_source import is_hub_id
from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.finite import check_settings

__all__ = ["ExperimentSettings", "SettingsCLI", "data_modules", "parse", "prompt_video", "read_settings"]

log = logging.getLogger(__name__)

CLI = TypeVar("CLI", bound="ExperimentSettings")


class ExperimentSettings(LightningCLI):
    """Lightning's command line up to where it builds: the options of an experiment, and what is wrong with them."""

    def __init__(self, *, args: Sequence[str], **options: Any) -> None:  # noqa: ANN401 - Lightning's
        self.typed = args
        super().__init__(args=with_settings_of_run(as_lightning_calls_them(args)), **options)

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # Lightning's is static
        """The verb that was typed: to prepare the options of all four takes a start three times as long."""
        verbs = LightningCLI.subcommands()
        return {verb: verbs[verb] for verb in self.typed[:1] if verb in verbs} or verbs

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """What an experiment has besides model, data and trainer."""
        self.verb_parser = parser
        for option in RUN_OPTIONS:
            parser.add_argument(f"--{option.name}", type=option.kind, default=option.default, help=option.help)
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=int)
        parser.link_arguments("model", "data.init_args.preprocessing", compute_fn=preprocessing, apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:  # noqa: ANN401 - Lightning's signature
        """Read everything, or say in one sentence why it cannot be read."""
        with reading("one of the settings"):
            self.config = parser.parse_args(args)
        settings = self.config[self.config["subcommand"]]
        if not 0 <= int(seed := settings["seed_everything"]) <= MOST_SEED:
            raise InputError(f"--seed_everything must be from 0 to {MOST_SEED}, not {seed}.")
        # Out of Lightning's sight, which looks for settings in it: ours has none, and is read where it is needed.
        self._checkpoint = settings.get("ckpt_path")
        settings["ckpt_path"] = None

    def before_instantiate_classes(self) -> None:
        """Settle what the run is called and where it goes on, before anything is built."""
        settings = self.settings
        settings["ckpt_path"] = self._checkpoint
        check_settings(settings.as_dict())
        self.name = checked_name(settings["name"] or self._own_name())
        runs, folder = Path(settings["runs"]), settings["run_folder"]
        if settings.get("ckpt_path") == "last" and self.subcommand == "fit" and folder and not has_begun(Path(folder)):
            # So that a job which is put back into a queue is one command, wherever it was stopped.
            log.warning("%s has no checkpoint to go on from yet: the run begins", folder)
            settings["ckpt_path"] = None
        elif settings.get("ckpt_path") == "last":
            checkpoint = newest_checkpoint(runs, self.name) if folder is None else checkpoint_of(Path(folder))
            settings["ckpt_path"] = str(checkpoint)
            if self.subcommand == "fit":
                settings["run_folder"] = checkpoint.parent.parent
        elif (path := settings.get("ckpt_path")) is not None:
            self._check_checkpoint(Path(path))  # before anything is computed
        if (path := settings["model"]["init_args"].get("start_from")) and self.subcommand == "fit":
            read_learned(Path(path))
        if (trial := settings["data"]["init_args"].get("trial")) is not None:
            # Initial weights are drawn as they are where all trials run.
            seed_everything(trial_seed(int(settings["seed_everything"]), trial), verbose=False)
        self._settle_precision()
        check_devices(settings["trainer"]["accelerator"], settings["trainer"]["devices"])

    def _check_checkpoint(self, path: Path) -> None:
        if self.subcommand != "fit":
            read_learned(path)
        elif path.is_dir() or is_hub_id(path):
            raise InputError(
                f"fit --ckpt goes on where a run was stopped, and {path} has what was learned alone; "
                f"--model.start_from {path} begins a training with it."
            )
        else:
            read_checkpoint(path)

    def _own_name(self) -> str:
        """That of the first YAML, and of the method that was typed."""
        files = [Path(str(file)) for file in self.settings.get("config") or []]
        parser = cast(ComposingParser, self.verb_parser)
        if parser.typed and not parser.has_composed:
            raise ConfigError("--method takes the place of an experiment's model: name the experiment, with --config.")
        if self.settings.get("backbone"):
            raise ConfigError("the backbone in a file is that of its model: name the model there, or type --backbone.")
        typed = [Path(method).stem] if (method := parser.typed.get("method")) else []
        return "_".join([files[0].stem if files else "experiment", *typed])

    def _settle_precision(self) -> None:
        """What the device decides; the run's settings then name what was computed in."""
        place, task = device_type(self.settings["trainer"]["accelerator"]), self.settings["model"]["init_args"]
        if "backbone_dtype" in task:
            task["backbone_dtype"] = resolve_backbone_dtype(task["backbone_dtype"], place)
        if place == "cuda":
            allow_tf32()
        refuse_half_precision(str(self.settings["trainer"]["precision"]))

    @property
    def settings(self) -> Any:  # noqa: ANN401 - a namespace of the configuration
        """Everything as it was resolved."""
        return self.config[self.subcommand]


class SettingsCLI(ExperimentSettings):
    """The command line of an experiment that is not run: same options, same messages."""

    def instantiate_classes(self) -> None:
        """Nothing is built; a trainer is only asked for its verbs, which do nothing here."""
        self.config_init, self.model, self.datamodule, self.trainer = self.config, None, None, cast(Any, self)

    def fit(self, **settings: Any) -> None:  # noqa: ANN401 - what Lightning would hand to its trainer
        """Nothing is run."""

    validate = test = predict = fit

    @property
    def runs(self) -> Path:
        """Folder for run folders."""
        return Path(self.settings["runs"])

    def task(self) -> VideoTextTask:
        """The experiment's model."""
        return cast(VideoTextTask, build(VideoTextTask, self.settings["model"]))

    def data(self, **changes: Any) -> VideoDataModule:  # noqa: ANN401 - as the constructor's arguments
        """The experiment's data.

        Args:
            changes: constructor arguments that shall be others.
        """
        return cast(VideoDataModule, build(VideoDataModule, self.settings["data"], **changes))


@misconfigured()
def parse(arguments: list[str], kind: type[CLI]) -> CLI:
    """Hand a command line to what runs the experiment, or only reads it.

    Args:
        arguments: the verb and its options, as typed after ``prompt-video``.
        kind: the class.
    """
    return kind(
        args=arguments,
        model_class=VideoTextTask,
        datamodule_class=VideoDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        seed_everything_default=0,
        save_config_callback=None,
        auto_configure_optimizers=False,
        load_from_checkpoint_support=False,  # a checkpoint describes itself, see prompt_video.model.checkpoints
        parser_class=cast(Any, ComposingParser),
        parser_kwargs={"parser_mode": PARSER_MODE},
    )


def preprocessing(task: VideoTextTask) -> FrameTransform:
    """What the task's frozen model sees of a frame: the data has to make it."""
    return task.preprocessing


def read_settings(options: list[str]) -> SettingsCLI:
    """Read what ``prompt-video fit`` would be given.

    Args:
        options: as typed after the verb.

    Raises:
        InputError: as ``fit`` does, for an option or a file that is wrong.
    """
    return parse(["fit", *options], SettingsCLI)
