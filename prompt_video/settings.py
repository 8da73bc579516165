"""An experiment's settings, read as ``fit`` reads them but without running it; and its parts, built one by one."""

from pathlib import Path
from typing import Any, cast

from data_modules.base import VideoDataModule
from prompt_video.building import build
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
        return cast(VideoTextTask, build(VideoTextTask, self._settings["model"]))

    def data(self, **changes: Any) -> VideoDataModule:  # noqa: ANN401 - as the constructor's arguments
        """The experiment's data.

        Args:
            changes: constructor arguments that shall be others.
        """
        return cast(VideoDataModule, build(VideoDataModule, self._settings["data"], **changes))


def read_settings(options: list[str]) -> SettingsCLI:
    """Read what ``prompt-video fit`` would be given.

    Args:
        options: as typed after the verb.

    Raises:
        InputError: as ``fit`` does, for an option or a file that is wrong.
    """
    return parse(["fit", *options], SettingsCLI)
