import pytest
import torch

from prompt_video.bench.plan import Setting
from prompt_video.bench.vit_b16 import write_vit_b16


@pytest.fixture(scope="session")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """A tiny CLIP, whose times say nothing, in the place of the large one; with as many tokens."""
    folder = tmp_path_factory.mktemp("bench")
    sizes = {"text_width": 32, "vision_width": 48, "embed_dim": 24, "num_layers": 2, "image_size": 32}
    write_vit_b16(folder / "vit_b16", **sizes)
    return Setting(torch.device("cpu"), folder)
