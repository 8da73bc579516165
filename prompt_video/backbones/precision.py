"""What numbers are computed in: the frozen backbone by device, and TF32 for what stays in float32 on a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from data_modules.errors import InputError
from data_modules.features.manifest import Precision

BackboneDtype = Literal["auto", "float32", "bfloat16", "float16"]

NATIVE_BFLOAT16 = (8, 0)  # compute capability of Ampere, the first of NVIDIA's GPUs that multiply bfloat16
GPU_ACCELERATORS = ("auto", "gpu", "cuda")


def resolve_backbone_dtype(dtype: BackboneDtype, device: torch.device | str | None = None) -> Precision:
    """What the frozen backbone computes in.

    ``auto`` is bfloat16 on a GPU that computes it natively: matrix products are many times as fast there as in float32,
    and with float32's range nothing overflows and no gradient on its way through the text encoder vanishes. Older GPUs
    have fast products in float16 only. On CPUs it is float32: most are slower with half precision. So it is on Apple's
    GPUs, which gain little by it.

    Args:
        dtype: ``auto``, or what is asked for, which is kept.
        device: to compute on; None: a GPU if there is one, as Lightning chooses. Of several GPUs the oldest decides:
            all processes of a run must compute alike.
    """
    if dtype != "auto":
        return dtype
    kind = torch.device(device).type if device is not None else device_type("auto")
    if kind != "cuda":
        return "float32"
    capabilities = [torch.cuda.get_device_capability(index) for index in range(torch.cuda.device_count())]
    return "bfloat16" if min(capabilities) >= NATIVE_BFLOAT16 else "float16"


def device_type(accelerator: object) -> Literal["cuda", "cpu"]:
    """What a trainer with this ``accelerator`` computes on, as far as precision depends on it.

    Args:
        accelerator: as the trainer's option names it; one that is described as an object counts as a CPU.
    """
    return "cuda" if accelerator in GPU_ACCELERATORS and torch.cuda.is_available() else "cpu"


def place_of(device: str | torch.device | None) -> torch.device:
    """The device that is asked for, which must be there; None: a GPU if there is one.

    Raises:
        InputError: when there is none of that name here.
    """
    if device is None:
        return torch.device(device_type("auto"))
    try:
        place = torch.device(device)
        if place.type == "meta":  # which computes nothing
            raise ValueError
        torch.empty(1, device=place)  # AssertionError: this torch was built without the device
    except (RuntimeError, ValueError, AssertionError, NotImplementedError) as error:
        there = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
        raise InputError(f"there is no device '{device}' here to compute on; there is {', '.join(there)}.") from error
    return place


def refuse_half_precision(precision: str) -> None:
    """Refuse to hold what learns in half precision: a step of it is often less than the smallest difference there.

    Args:
        precision: of the trainer, in Lightning's words.

    Raises:
        InputError: for ``16-true``, ``bf16-true`` and the like.
    """
    if precision in ("16-true", "bf16-true") or precision.startswith("transformer-engine"):
        raise InputError(
            f"trainer.precision {precision} would hold the learned weights in half precision, which loses their small "
            "steps: set bf16-mixed, 16-mixed or 32-true. The backbone's precision is model.backbone_dtype."
        )


def allow_tf32() -> None:
    """Let the products that stay in float32 on a GPU, all of what learns, run in TF32: float32's range, fewer digits.

    A setting of the whole process: the command line makes it for its runs on GPUs, and nothing else does.
    """
    torch.set_float32_matmul_precision("high")


@contextmanager
def exact_float32() -> Iterator[None]:
    """Products and convolutions in float32 proper, whatever is allowed around them.

    Whoever asks for features in float32, to be stored, shall get those that every other device computes too.
    """
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions
