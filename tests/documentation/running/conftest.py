"""A folder in which the commands of the READMEs find everything that they name."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.cli import main

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory, own_videos: Path, small_options: tuple[str, ...]) -> Path:
    """A folder in which everything that commands of the READMEs name is there; a run too."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "experiments").symlink_to(REPOSITORY / "experiments")
    (folder / "path").symlink_to(own_videos.parents[1])
    videos = REPOSITORY / "tests" / "data_modules" / "videos"
    (folder / "clips").mkdir()
    for name in ("holiday.mp4", "long.mp4"):
        shutil.copy(videos / "cleaning_pool_h264.mp4", folder / name)
    shutil.copy(videos / "bbb_vp8.webm", folder / "clips" / "rabbit.webm")
    (folder / "names.txt").write_text("cleaning a pool\njuggling balls\n")
    _figures(folder)
    names = [f"{part}/{number}.mp4" for part in ("morning", "evening") for number in range(5)]
    (folder / "data.csv").write_text("video,caption\n" + "".join(f"{name},pool {name}\n" for name in names))
    config = REPOSITORY / "experiments" / "folder_retrieval.yaml"
    data = [
        f"--data.root={own_videos}",
        f"--data.captions={folder / 'data.csv'}",
        f"--data.features_root={folder / 'f'}",
    ]
    options = [*small_options, *data, "--trainer.max_epochs=1", "--wandb=disabled", "--quiet=true"]
    threads = torch.get_num_threads()
    assert main(["fit", f"--config={config}", f"--run_folder={folder / 'runs' / 'small' / 'now'}", *options]) == 0
    torch.set_num_threads(threads)
    return folder


def _released(path: Path) -> None:
    """A checkpoint as the paper's code writes it, of the tiny backbone's sizes."""
    backbone = FrozenBackbone("tiny")
    width, inner = backbone.embed_dim, 4 * backbone.embed_dim
    mlp = nn.ModuleDict({"c_fc": nn.Linear(width, inner), "c_proj": nn.Linear(inner, width)})
    norms = {"ln_1": nn.LayerNorm(width), "ln_2": nn.LayerNorm(width)}
    block = nn.ModuleDict({"attn": nn.MultiheadAttention(width, 4), "mlp": mlp, **norms})
    state = {f"temporalModelling.resblocks.0.{name}": weight for name, weight in block.state_dict().items()}
    state["embedding.weight"] = torch.zeros(backbone.context_length, backbone.towers.text.token_embedding.embedding_dim)
    state["temporalEmbedding.weight"] = torch.zeros(16, width)
    torch.save(state, path)


def _figures(folder: Path) -> None:
    """What other programs would have written."""
    _released(folder / "FILE.pth.tar")
    rng = np.random.default_rng(0)
    np.save(folder / "SIM.npy", rng.normal(size=(6, 3)).astype(np.float32))
    (folder / "owners.txt").write_text("".join(f"{number // 2}\n" for number in range(6)))
    (folder / "pairs.csv").write_text("video,caption\n2,0\n")
    (folder / "NPY_FOLDER").mkdir()
    np.save(folder / "NPY_FOLDER" / "video_test_0000004.npy", rng.normal(size=(20, 128)).astype(np.float32))
    annotation = {"label": "jump", "segment": [1.0, 4.0]}
    truth = {"subset": "validation", "duration": 9.0, "annotations": [annotation]}
    (folder / "GT.json").write_text(json.dumps({"database": {"one": truth}}))
    (folder / "PRED.json").write_text(json.dumps({"results": {"one": [{**annotation, "score": 0.9}]}}))


@pytest.fixture
def in_workspace() -> Callable[[str], str]:
    """A command as it reads there: the run that was made stands for any."""
    return lambda text: re.sub(r"runs/\.\.\.(?:/checkpoints)?/", "runs/small/now/checkpoints/", text)
