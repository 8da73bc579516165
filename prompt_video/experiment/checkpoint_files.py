"""How Lightning's trainer saves checkpoints: whole or not at all, the one before the last beside it."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.fabric.plugins import CheckpointIO, TorchCheckpointIO
from lightning.pytorch.trainer.connectors import checkpoint_connector

from prompt_video.io.run_files import BEFORE_LAST, LAST
from prompt_video.model.checkpoints import read_checkpoint, save_whole

DAMAGED = "what it knows of the optimizer, the schedule or the loops is damaged. Name another one, or train anew."


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that a kill or a full disk cannot tear.

    Lightning's own are written to the folder for temporary files and copied from there where that is on another file
    system, over the only good one.
    """

    def __init__(self) -> None:
        self._whole: set[Path] = set()  # only those are worth keeping beside a newer one

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:  # noqa: ANN401
        """Write a checkpoint beside its target, and rename it; the last one so far gets another name."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.with_name(BEFORE_LAST) if path.name == LAST and path in self._whole else None
        save_whole(path, checkpoint, before)
        self._whole.add(path)

    def load_checkpoint(
        self, path: str | Path, map_location: Callable[..., Any] | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint to the CPU, or say in one sentence why not."""
        checkpoint = read_checkpoint(Path(path), weights_only=weights_only is not False)
        self._whole.add(Path(path))
        return checkpoint


def with_whole_checkpoints(plugins: Any) -> list[Any]:  # noqa: ANN401 - what Lightning takes
    """Plugins of a trainer, one of which saves its checkpoints."""
    own = [] if plugins is None else list(plugins) if isinstance(plugins, list | tuple) else [plugins]
    return own if any(isinstance(plugin, CheckpointIO) for plugin in own) else [*own, WholeCheckpoints()]


def is_of_restoring(error: BaseException) -> bool:
    """Whether the state of a trainer could not be taken from a checkpoint: whoever takes a part of it raises anything.

    Args:
        error: that ended a run.
    """
    return any(
        frame.f_globals.get("__name__") == checkpoint_connector.__name__ and "restore" in frame.f_code.co_name
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )
