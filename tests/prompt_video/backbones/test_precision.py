"""What is computed in which precision, on GPUs that are not there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import prompt_video
from prompt_video.backbones.backbone import FrozenBackbone, bytes_per_pass
from prompt_video.backbones.precision import allow_tf32, device_type, exact_float32, resolve_backbone_dtype
from prompt_video.experiment.settings import read_settings
from prompt_video.model.model_spec import spec_of_model
from prompt_video.model.prompt import PromptLearner
from prompt_video.tasks.recognition import RecognitionTask

AMPERE, TURING = (8, 0), (7, 5)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The compute capabilities of the machine's GPUs; a test fills it."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: bool(found))
    monkeypatch.setattr("torch.cuda.device_count", lambda: len(found))
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda index: found[index])
    return found


@pytest.fixture
def products() -> Iterator[None]:
    """What a test allows for products is allowed for it alone."""
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(
    ("capabilities", "device", "expected"),
    [
        ([], None, "float32"),
        ([AMPERE], None, "bfloat16"),
        ([(9, 0), AMPERE], "cuda", "bfloat16"),
        ([TURING], "cuda:0", "float16"),
        ([AMPERE, TURING], None, "float16"),
        ([AMPERE], "cpu", "float32"),
        ([], "mps", "float32"),
    ],
)
def test_auto_by_device(
    gpus: list[tuple[int, int]], capabilities: list[tuple[int, int]], device: str | None, expected: str
) -> None:
    gpus.extend(capabilities)
    assert resolve_backbone_dtype("auto", device) == expected
    assert resolve_backbone_dtype("float16", device) == "float16", "what is asked for is kept"


@pytest.mark.parametrize(
    ("accelerator", "expected"), [("auto", "cuda"), ("gpu", "cuda"), ("cuda", "cuda"), ("cpu", "cpu"), ("mps", "cpu")]
)
def test_device_by_accelerator(gpus: list[tuple[int, int]], accelerator: str, expected: str) -> None:
    assert device_type(accelerator) == "cpu", "there is no GPU"
    gpus.append(AMPERE)
    assert device_type(accelerator) == expected
    assert device_type({"class_path": "MyAccelerator"}) == "cpu"


@pytest.mark.usefixtures("products")
def test_a_run_settles_it_by_its_accelerator(gpus: list[tuple[int, int]], tmp_path: Path) -> None:
    gpus.append(AMPERE)
    options = ["--config=experiments/demo_closed.yaml", f"--runs={tmp_path}"]
    torch.set_float32_matmul_precision("highest")
    for accelerator, expected, products in (("cpu", "float32", "highest"), ("auto", "bfloat16", "high")):
        settings = read_settings([*options, f"--trainer.accelerator={accelerator}"])
        assert settings.settings["model"]["init_args"]["backbone_dtype"] == expected
        assert torch.get_float32_matmul_precision() == products
        assert settings.task().model.backbone.dtype == expected
    named = read_settings([*options, "--model.backbone_dtype=float32"])
    assert spec_of_model(named.task().model)["backbone"]["dtype"] == "float32"


def test_a_checkpoint_is_read_in_any_precision(
    gpus: list[tuple[int, int]], clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus.append(AMPERE)
    task = RecognitionTask(backbone=str(clip_folder))
    assert next(task.model.backbone.parameters()).dtype == torch.bfloat16
    checkpoint: dict[str, Any] = {"state_dict": task.state_dict()}
    task.on_save_checkpoint(checkpoint)
    assert checkpoint["prompt_video"]["spec"]["backbone"]["dtype"] == "bfloat16"
    torch.save(checkpoint, tmp_path / "learned.ckpt")
    for dtype in ("float32", "float16"):
        other = RecognitionTask(backbone=str(clip_folder), backbone_dtype=dtype)
        other.load_checkpoint(tmp_path / "learned.ckpt")
        assert torch.equal(other.model.prompt.context, task.model.prompt.context)  # type: ignore[arg-type]
        assert other.model.backbone.dtype == dtype
    loaded = prompt_video.load(tmp_path / "learned.ckpt", device="cpu")
    assert loaded.model.backbone.dtype == "float32"
    assert prompt_video.load(backbone=str(clip_folder), device="cpu").model.backbone.dtype == "float32"
    half = prompt_video.load(tmp_path / "learned.ckpt", device="cpu", backbone_dtype="bfloat16")
    assert half.model.backbone.dtype == "bfloat16"
    one, other_one = (model.embed_text(["a star", "the ring"]) for model in (loaded, half))
    assert (one * other_one).sum(1).min() > 0.99


@pytest.mark.usefixtures("products")
def test_frames_are_encoded_in_float32_proper(backbone: FrozenBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bool]] = []
    tower = backbone.towers.vision.forward

    def spied_on(pixels: torch.Tensor) -> torch.Tensor:
        seen.append((torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32))
        return tower(pixels)

    monkeypatch.setattr(backbone.towers.vision, "forward", spied_on)
    allow_tf32()
    backbone.encode_frames(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
    assert seen == [("highest", False)]
    with pytest.raises(RuntimeError, match="in it"), exact_float32():
        raise RuntimeError("in it")
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == ("high", True)


@pytest.mark.parametrize(("free", "held", "expected"), [(64, 0, 8), (64, 64, 16), (1 << 20, 0, 1024)])
def test_frames_of_a_pass_by_free_memory(monkeypatch: pytest.MonkeyPatch, free: int, held: int, expected: int) -> None:
    """In MiB; what torch's allocator holds and nobody uses is free too."""
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (free << 20, 1 << 40))
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda device: (held << 20) + 1000)
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda device: 1000)
    assert bytes_per_pass(torch.device("cuda:0")) == expected << 20
    assert bytes_per_pass(torch.device("cpu")) == 20 << 20


def test_frames_of_a_pass_by_their_size(
    backbone: FrozenBackbone, clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "prompt_video.backbones.backbone.BYTES_IN_CACHE", 3 * 4 * 5 * 80
    )  # frames, bytes, tokens, widest
    assert backbone._frames_per_pass(backbone.towers.text.token_embedding.weight) == 3
    half = FrozenBackbone(str(clip_folder), "bfloat16")
    assert half._frames_per_pass(half.towers.text.token_embedding.weight) == 6


@pytest.mark.parametrize("chunk_size", [None, 1])
@pytest.mark.parametrize("weight", [1.0, 1e-7])
def test_small_gradients_pass_through_float16(
    backbone: FrozenBackbone, clip_folder: Path, chunk_size: int | None, weight: float
) -> None:
    """As they are late in training: a text encoder of float16 alone would give zeros."""
    half = FrozenBackbone(str(clip_folder), "float16")
    learner = PromptLearner(backbone.width, num_prefix=2, num_suffix=1, init_std=0.5)
    gradients = []
    for encoder in (backbone, half):
        features = encoder.encode_text(learner.surround(backbone.tokenize(["a star", "ring"])), chunk_size)
        loss = weight * features.square().sum()
        gradients.append(torch.autograd.grad(loss, learner.context)[0])
    assert (gradients[0] - gradients[1]).norm() < 0.02 * gradients[0].norm()
