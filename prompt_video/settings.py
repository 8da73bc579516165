"""An experiment's settings, read as ``fit`` reads them but without running it; and its parts, built one by one."""

import copy
from pathlib import Path
from typing import Any, cast

from data_modules.base import VideoDataModule
from data_modules.errors import InputError
from prompt_video.config_errors import ExperimentParser
from prompt_video.experiment import ExperimentCLI, parse
from prompt_video.tasks.base import VideoTextTask


class SettingsCLI(ExperimentCLI):
    """The experiment's command line up to where it would build and run: same options, same messages."""

    def instantiate_classes(self) -> None:
        """Nothing is built."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Nothing is run."""

    @property
    def settings(self) -> Any:  # noqa: ANN401 - a namespace of the configuration
        """Everything as it was resolved."""
        return self._settings

    @property
    def runs(self) -> Path:
        """Folder for run folders."""
        return Path(self._settings["runs"])

    def task(self) -> VideoTextTask:
        """The experiment's model."""
        return cast(VideoTextTask, _build(VideoTextTask, self._settings["model"]))

    def data(self, **changes: Any) -> VideoDataModule:  # noqa: ANN401 - as the constructor's arguments
        """The experiment's data.

        Args:
            changes: constructor arguments that shall be others.
        """
        return cast(VideoDataModule, _build(VideoDataModule, self._settings["data"], **changes))


def read_settings(options: list[str]) -> SettingsCLI:
    """Read what ``prompt-video fit`` would be given.

    Args:
        options: as typed after the verb.

    Raises:
        InputError: as ``fit`` does, for an option or a file that is wrong.
    """
    return parse(["fit", *options], SettingsCLI)


def _build(base: type, settings: Any, **changes: Any) -> Any:  # noqa: ANN401 - what the settings name
    parser = ExperimentParser()
    parser.add_lightning_class_args(base, "part", subclass_mode=True)
    # The parser writes what it parsed into the very lists that it is given.
    arguments = {**settings["init_args"].as_dict(), **copy.deepcopy(changes)}
    described = {"class_path": settings["class_path"], "init_args": arguments}
    try:
        return parser.instantiate_classes(parser.parse_object({"part": described})).part
    except Exception as error:
        if (told := _told(error)) is None:
            raise
        raise InputError(told) from error


def _told(error: BaseException | None) -> str | None:
    """What a constructor said of the user's mistake, where the parser wrapped it."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__ or error.__context__
    return None if error is None else str(error)
