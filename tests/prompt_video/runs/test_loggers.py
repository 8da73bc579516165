from pathlib import Path

import pytest
from PIL import Image

from prompt_video.runs.loggers import close_loggers, log_pictures, make_loggers


def test_pictures_go_to_wandb_and_to_no_other_logger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    loggers = make_loggers(tmp_path, "pictures", "offline")
    pictures = {"a/b, clip_only": Image.new("RGB", (8, 4), "red"), "c": Image.new("RGB", (8, 6))}
    log_pictures(loggers, lambda: pictures)
    for logger in loggers:
        logger.finalize("success")
    close_loggers()
    sizes = []
    for path in (tmp_path / "wandb").glob("offline-run-*/files/media/images/**/*.png"):
        with Image.open(path) as picture:
            sizes.append(picture.size)
    assert sorted(sizes) == [(8, 4), (8, 6)]
    assert not (tmp_path / "logs" / "metrics.csv").exists()


def test_without_a_dashboard_nothing_is_drawn(tmp_path: Path) -> None:
    def draw() -> dict[str, Image.Image]:
        pytest.fail("drawn for nobody")

    log_pictures(make_loggers(tmp_path, "pictures", "disabled"), draw)
    log_pictures([], draw)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["logs"])
