"""A method of one's own takes a file and a YAML outside of the package: it trains, tests, and labels."""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.cli import main
from prompt_video.model.kinds import temporal_encoder

HERE = Path(__file__).parent


def test_a_method_of_ones_own_trains_tests_and_labels(
    tmp_path: Path,
    make_videos: Callable[[Path, int], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(HERE)
    videos = make_videos(tmp_path / "videos", 4)
    data = [f"--data.root={videos}", "--data.test_fraction=0.25", f"--data.features_root={tmp_path / 'features'}"]
    options = ["--backbone=tiny", "--wandb=disabled", "--quiet=true", "--trainer.max_epochs=1", "--data.num_workers=0"]
    method = f"--method={HERE / 'max_pooling.yaml'}"
    assert main(["fit", "--config=folder_closed", method, f"--run_folder={tmp_path / 'run'}", *data, *options]) == 0
    assert json.loads((tmp_path / "run" / "results.json").read_text())["metrics"].keys() >= {"test/top1"}
    capsys.readouterr()
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    video = next(videos.rglob("*.mp4"))
    assert main(["label", str(video), f"--ckpt={checkpoint}", f"--json={tmp_path / 'labels.json'}"]) == 0
    assert "moving" in capsys.readouterr().out


def test_padding_is_never_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HERE)
    pooling = import_module("max_pooling").MaxPooling(4)
    features = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, True], [True, False, False]])
    found = pooling(features, mask)
    unit = F.normalize(features, dim=-1)
    assert torch.allclose(found[0], F.normalize(unit[0].max(0).values, dim=0))
    assert torch.allclose(found[1], unit[1, 0])


@pytest.mark.parametrize("kind", ["nowhere.MaxPooling", "shutil.Error", "antigravity.fly", "../x.Y", 3, "Cache"])
def test_a_class_that_is_none_is_refused_and_not_imported(kind: object) -> None:
    with pytest.raises(InputError, match="temporal encoder"):
        temporal_encoder(kind)
    assert "antigravity" not in sys.modules
