"""What a test has to show, as wandb shows it; written once, when the test is over."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
from lightning.pytorch.loggers import WandbLogger
from PIL import Image

from data_modules.errors import BrokenVideoError
from prompt_video.reports.media import Cell, Confusion, MediaItem, Table, VideoCell
from prompt_video.reports.video_previews import write_preview

log = logging.getLogger(__name__)

MOST_CELLS = 10_000  # of a confusion matrix that is written with its empty cells: wandb draws no more rows
CONFUSION_CHART = "wandb/confusion_matrix/v1"
CONFUSION_COLUMNS = ("Actual", "Predicted", "nPredictions")  # as that chart names them
_DATA_DIR = "WANDB_DATA_DIR"


def log_items(loggers: Sequence[object], media: Callable[[], Mapping[str, MediaItem]]) -> None:
    """Tables and charts on the dashboard; loggers of figures take none.

    Args:
        loggers: of the run.
        media: makes them, by name; only called where there is a dashboard.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            with TemporaryDirectory() as folder, _kept_with(logger):
                clips = _Clips(Path(folder))
                items = {name: _wandb_value(name, item, clips) for name, item in media().items()}
                if items:
                    logger.experiment.log(items)
            if clips.lost:
                log.info("%d videos cannot be shown on the dashboard, one of them: %s", len(clips.lost), clips.lost[0])


@contextmanager
def _kept_with(logger: WandbLogger) -> Iterator[None]:
    """Files that tables hold are copied into the run's folder, not into the user's home, until they are uploaded."""
    if _DATA_DIR in os.environ:
        yield
        return
    os.environ[_DATA_DIR] = str(Path(logger.experiment.dir).parent)
    try:
        yield
    finally:
        del os.environ[_DATA_DIR]


class _Clips:
    """Clips of the videos of all tables, each made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lost: list[str] = []
        self._made: dict[VideoCell, Path | None] = {}

    def of(self, cell: VideoCell) -> Path | None:
        """The clip's file; None where the video cannot be read."""
        if cell not in self._made:
            path = self.folder / f"{len(self._made)}.mp4"
            try:
                write_preview(cell.path, path, cell.start_sec)
                self._made[cell] = path
            except (BrokenVideoError, OSError, av.FFmpegError) as error:
                self.lost.append(str(error))
                self._made[cell] = None
        return self._made[cell]


def _wandb_value(name: str, item: MediaItem, clips: _Clips) -> Any:  # noqa: ANN401 - wandb is untyped
    import wandb

    if isinstance(item, Table):
        rows = [[_cell(cell, clips) for cell in row] for row in item.rows]
        return wandb.Table(columns=list(item.columns), data=rows)
    fields = {column: column for column in CONFUSION_COLUMNS}
    table = wandb.Table(columns=list(CONFUSION_COLUMNS), data=confusion_rows(item))
    return wandb.plot_table(CONFUSION_CHART, table, fields, {"title": name})


def _cell(cell: Cell, clips: _Clips) -> Any:  # noqa: ANN401 - as above
    import wandb

    if isinstance(cell, VideoCell):
        path = clips.of(cell)
        return None if path is None else wandb.Video(str(path), format="mp4")
    return wandb.Image(cell) if isinstance(cell, Image.Image) else cell


def confusion_rows(confusion: Confusion) -> list[list[str | int]]:
    """Truth, guess and count of every cell; of a large matrix, of those that are not zero."""
    names = confusion.class_names
    is_large = confusion.counts.numel() > MOST_CELLS
    return [
        [truth, guess, count]
        for truth, counts in zip(names, confusion.counts.tolist(), strict=True)
        for guess, count in zip(names, counts, strict=True)
        if count or not is_large
    ]
