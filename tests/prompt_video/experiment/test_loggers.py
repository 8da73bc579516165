import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import WandbLogger
from PIL import Image

from prompt_video.experiment.loggers import close_loggers, make_loggers
from prompt_video.reports.dashboard.items import MOST_CELLS, confusion_rows, log_items
from prompt_video.reports.media import Cell, Confusion, MediaItem, Table, VideoCell, half_wrong


@pytest.mark.slow
def test_tables_go_to_wandb_and_to_no_other_logger(
    tmp_path: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    loggers = make_loggers(tmp_path, "tables", "offline")
    cells: list[list[Cell]] = [
        [VideoCell(tmp_path / "lost.mp4"), Image.new("RGB", (8, 4), "red"), "a", None],
        [VideoCell(videos / "audio_only.mp4"), None, "b", 0.5],
        [VideoCell(videos / "bframes_4frames.mov"), None, "c", 1],
    ]
    log_items(loggers, lambda: {"tables/some": Table(["video", "picture", "name", "figure"], cells)})
    for logger in loggers:
        logger.finalize("success")
    close_loggers()
    (table,) = (tmp_path / "wandb").glob("offline-run-*/files/media/table/tables/some*.json")
    assert [row[2:] for row in json.loads(table.read_text())["data"]] == [["a", None], ["b", 0.5], ["c", 1]]
    assert not (tmp_path / "logs" / "metrics.csv").exists()


def test_where_wandb_cannot_begin_the_run_goes_on_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun, run = [], object()

    def init(**options: Any) -> object:  # noqa: ANN401 - wandb's
        begun.append(options["mode"])
        if options["mode"] == "online":
            raise RuntimeError("no one is at home\nat all")
        return run

    monkeypatch.setattr("wandb.init", init)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr("prompt_video.experiment.loggers.offline_reason", lambda mode: None)
    caplog.set_level("INFO", "prompt_video")
    _, logger = make_loggers(tmp_path, "lost", "auto")
    assert isinstance(logger, WandbLogger)
    assert [logger.experiment, logger.experiment] == [run, run]
    assert begun == ["online", "offline"]
    assert f"wandb: offline (no one is at home); logs are in {tmp_path / 'wandb'}" in caplog.text


def test_without_a_dashboard_nothing_is_drawn(tmp_path: Path) -> None:
    def show() -> dict[str, MediaItem]:
        pytest.fail("drawn for nobody")

    log_items(make_loggers(tmp_path, "pictures", "disabled"), show)
    log_items([], show)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["logs"])


def test_a_large_confusion_matrix_is_written_without_its_zeros() -> None:
    few = Confusion(["a", "b"], torch.tensor([[2, 0], [1, 3]]))
    assert confusion_rows(few) == [["a", "a", 2], ["a", "b", 0], ["b", "a", 1], ["b", "b", 3]]
    size = int(MOST_CELLS**0.5) + 1
    many = Confusion([str(n) for n in range(size)], torch.eye(size, dtype=torch.long) * 5)
    assert confusion_rows(many) == [[str(n), str(n), 5] for n in range(size)]


def test_half_of_what_is_shown_went_wrong() -> None:
    assert half_wrong(range(100), range(100, 200), 4) == [100, 199, 0, 99]
    assert half_wrong(range(3), [100], 4) == [100, 0, 1, 2]
    assert half_wrong([], range(9), 4) == [0, 3, 5, 8]
    assert half_wrong([0], [], 4) == [0]
