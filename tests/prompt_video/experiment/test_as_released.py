"""The experiment that is the released code to the letter: its options, its steps, and a released checkpoint in it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data_modules.errors import InputError
from prompt_video.cli import main
from prompt_video.experiment.settings import SettingsCLI, read_settings
from prompt_video.model.official import import_official
from prompt_video.preflight.dry_run import make_miniature

EXPERIMENTS = Path(__file__).parents[3] / "experiments"
CONFIG = f"--config={EXPERIMENTS / 'hmdb51_as_released.yaml'}"


def flat(settings: Any, path: str = "") -> dict[str, Any]:  # noqa: ANN401 - a namespace or a value
    if not hasattr(settings, "as_dict"):
        return {path: settings}
    places = {name: value for name, value in vars(settings).items() if name != "__path__"}  # of the file it is from
    return {key: own for name, value in places.items() for key, own in flat(value, f"{path}.{name}").items()}


def read(experiment: str, *options: str) -> SettingsCLI:
    return read_settings([f"--config={EXPERIMENTS / experiment}.yaml", *options])


def test_five_options_and_no_more_differ_from_the_usual_experiment() -> None:
    usual, released = (flat(read(name).settings) for name in ("hmdb51_closed", "hmdb51_as_released"))
    differ = {
        name.rpartition("init_args.")[2]: (usual[name], released[name])
        for name in usual
        if name.startswith((".data", ".model", ".trainer")) and usual[name] != released[name]
    }
    differ.pop("backbone_dtype", None)  # on a GPU: the released code trains in float32
    assert differ == {
        "layout": ("shared", "by_position"),
        "spelling": ("natural", "official"),
        "decayed": ("matrices", "all"),
        "drop_last": (False, True),
        "moments": ("stride", "linspace"),
        "frame_rate": (30, None),  # the released code counts in the frames of a file, which are 30 a second
    }
    head = (EXPERIMENTS / "hmdb51_closed.yaml").read_text()
    assert all(option in head for option in ("layout", "spelling", "decayed", "drop_last", "moments"))


def test_an_epoch_has_55_steps(tmp_path: Path) -> None:
    settings = read("hmdb51_as_released")
    data = settings.data(root=tmp_path, features="off")
    assert len(data.train_dataloader()) == 55
    assert settings.settings["trainer"]["max_epochs"] * 55 == 1100
    (tests,) = data.test_dataloader()
    assert len(tests) == 24, "of 1,530 videos none is left out in testing"


def test_too_few_videos_for_one_batch_are_told(tmp_path: Path) -> None:
    options = ("--data.batch_size=4000", f"--data.root={tmp_path}", "--data.features=off")
    with pytest.raises(InputError, match=r"data\.drop_last leaves no batch: there are 3570 training videos"):
        read("hmdb51_as_released", *options).data().train_dataloader()


def released(width: int, embed_dim: int) -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.weight": (77, width),
        "temporalEmbedding.weight": (16, embed_dim),
    }
    for name, shape in (
        ("attn.in_proj", (3, 1)),
        ("attn.out_proj", (1, 1)),
        ("mlp.c_fc", (4, 1)),
        ("mlp.c_proj", (1, 4)),
    ):
        rows, columns = (part * embed_dim for part in shape)
        joint = "_" if "in_proj" in name else "."
        shapes |= {f"temporalModelling.resblocks.0.{name}{joint}weight": (rows, columns)}
        shapes |= {f"temporalModelling.resblocks.0.{name}{joint}bias": (rows,)}
    for name in ("ln_1", "ln_2"):
        shapes |= {f"temporalModelling.resblocks.0.{name}.{kind}": (embed_dim,) for kind in ("weight", "bias")}
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) * 0.3 for name, shape in shapes.items()}


def test_an_imported_checkpoint_needs_no_more_options(
    clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"state_dict": released(32, 24), "iteration": 1100}, tmp_path / "HMDB_best.pth.tar")
    import_official(tmp_path / "HMDB_best.pth.tar", tmp_path / "hmdb.ckpt", str(clip_folder))
    common = [CONFIG, f"--model.backbone={clip_folder}"]
    miniature = make_miniature(read_settings(common), tmp_path / "data")
    places = [f"--run_folder={tmp_path / 'run'}", f"--data.features_root={tmp_path / 'features'}", "--wandb=disabled"]
    command = ["test", *common, *miniature, *places, f"--ckpt={tmp_path / 'hmdb.ckpt'}", "--quiet=true"]
    assert main(command) == 0, capsys.readouterr().err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert "16 learned vectors (by_position)" in results["model"]
    assert 0 <= results["metrics"]["test/top1"] <= 1
    assert set(results["frozen"]) == {"backbone", "templates", "temperature"}
    assert results["frozen"]["templates"] == "video"
