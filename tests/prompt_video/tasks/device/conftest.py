"""A GPU that is none: tensors on it hold a real one of the CPU, and never meet a tensor that was left behind there.

Code sees ``cuda:0`` wherever it asks for a device, so that it takes the branches that it takes on a GPU; torch's C++
sees ``meta``, for which it needs no hardware. Every operation is computed on the CPU, backward passes too, so that what
depends on data really depends on it. As CUDA does, an operation refuses a tensor of the CPU unless it is a single
number, an index, or to be copied.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.accelerators.cpu import CPUAccelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

GPU = torch.device("cuda:0")
META = torch.device("meta")
CPU = torch.device("cpu")
BETWEEN_DEVICES = ("aten::copy_", "aten::_to_copy", "aten::to")
INDEXING = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")
FROM_DATA = (torch.tensor, torch.as_tensor)
REAL_GENERATOR = torch.Generator
Operator = Callable[..., Any]


class LeftBehindError(RuntimeError):
    """A tensor of the CPU met one of the GPU."""


class OnGpu(Tensor):
    """A tensor of the pretended GPU.

    Args:
        held: what it stands for, on the CPU.
    """

    held: Tensor
    is_cuda = True
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __new__(cls, held: Tensor) -> "OnGpu":
        made: OnGpu = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=META,
        )
        made.held = held
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return GPU

    def numpy(self, *, force: bool = False) -> NoReturn:
        raise TypeError(f"can't convert {GPU} device type tensor to numpy. Use Tensor.cpu() first.")

    def __array__(self, dtype: object = None, copy: object = None) -> NoReturn:
        self.numpy()

    def tolist(self) -> Any:  # noqa: ANN401 - numbers or lists of them
        return self.held.tolist()

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnGpu({self.held})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Operator, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - the operator's
        return compute(func, args, kwargs or {})


def compute(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - any operator
    """Run an operator on what its tensors hold."""
    values = list(_leaves([*args, *kwargs.values()]))
    operands = [value for value in values if isinstance(value, Tensor)]
    on_gpu = [value for value in operands if isinstance(value, OnGpu)]
    asked_for = [value for value in values if isinstance(value, torch.device)]
    if not on_gpu and not asked_for:
        return func(*args, **kwargs)
    name: str = func._schema.name
    if on_gpu and name not in BETWEEN_DEVICES:
        _refuse_left_behind(name, args, operands)
    to_gpu = asked_for[0].type != "cpu" if asked_for else bool(on_gpu)
    if name == "aten::to" and not asked_for:  # as the other tensor
        to_gpu = isinstance(operands[-1], OnGpu)
    origin = {id(value.held if isinstance(value, OnGpu) else value): value for value in operands}

    def wrapped(value: Any) -> Any:  # noqa: ANN401 - anything
        if not isinstance(value, Tensor):
            return value
        given = origin.get(id(value))
        if given is not None and (isinstance(given, OnGpu) is to_gpu or func._schema.is_mutable):
            return given
        if to_gpu:
            with torch.inference_mode(False):  # torch wants a view of an ordinary tensor to be an ordinary one
                return OnGpu(value)
        return value if given is None else value.clone()  # a copy to the CPU shares no memory

    result = func(*_mapped(_plain, args), **{key: _mapped(_plain, value) for key, value in kwargs.items()})
    return _mapped(wrapped, result)


def _refuse_left_behind(name: str, args: Sequence[Any], operands: Sequence[Tensor]) -> None:
    indices = _leaves(args[1]) if name in INDEXING and isinstance(args[0], OnGpu) else ()
    may_stay = {id(index) for index in indices}
    for value in operands:
        if value.ndim and not isinstance(value, OnGpu) and id(value) not in may_stay:
            raise LeftBehindError(f"{name}: {tuple(value.shape)} is on the CPU, another tensor on {GPU}")


def _plain(value: Any) -> Any:  # noqa: ANN401 - anything
    if isinstance(value, OnGpu):
        return value.held
    return CPU if isinstance(value, torch.device) else value


def _leaves(value: Any) -> Iterator[Any]:  # noqa: ANN401 - an operator's argument
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:  # noqa: ANN401 - an operator's argument
    if isinstance(value, (list, tuple)):
        return type(value)([_mapped(change, each) for each in value])
    return change(value)


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """For operators that are given no tensor of the GPU, but make one."""

    def __torch_dispatch__(
        self, func: Operator, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - the operator's
        return compute(func, args, kwargs or {})


class _Devices(TorchFunctionMode):
    """Where code names the GPU, C++ is told another device."""

    def __torch_function__(
        self, func: Operator, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - the function's
        kwargs = kwargs or {}
        if func is torch.device or not any(type(value) in (torch.device, str) for value in (*args, *kwargs.values())):
            return func(*args, **kwargs)
        args = [_for_cpp(value) for value in args]
        kwargs = {name: _for_cpp(value) for name, value in kwargs.items()}
        if func in FROM_DATA and kwargs.get("device") == META:  # of data on "meta", C++ would take the shape alone
            return func(*args, **{**kwargs, "device": CPU}).to(META)
        return func(*args, **kwargs)


def _for_cpp(value: Any) -> Any:  # noqa: ANN401 - anything
    if isinstance(value, torch.device) or (isinstance(value, str) and value.startswith("cuda")):
        return META if torch.device(value).type == "cuda" else value
    return value


class _Accelerator(CPUAccelerator):
    def setup_device(self, device: torch.device) -> None:
        """Nothing is to be set up."""


class PretendedGpu:
    """What a test does with it."""

    device = GPU

    def options(self) -> dict[str, Any]:
        """Of a trainer that computes on it."""
        return {
            "accelerator": _Accelerator(),
            "strategy": SingleDeviceStrategy(GPU),
            "devices": 1,
            "enable_progress_bar": False,
        }

    def trainer(self, **options: Any) -> Trainer:  # noqa: ANN401 - Lightning's
        """A trainer that computes on it."""
        quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, "max_epochs": 1}
        return Trainer(**{**quiet, **self.options(), **options})

    def everything(self, task: LightningModule, data: Any, **options: Any) -> Trainer:  # noqa: ANN401 - a data module
        """Training, validation and test."""
        trainer = self.trainer(num_sanity_val_steps=0, **options)
        trainer.fit(task, datamodule=data)
        trainer.test(task, datamodule=data, verbose=False)
        return trainer


class _IsGenerator(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, REAL_GENERATOR)


class _Generator(metaclass=_IsGenerator):
    """Stands in for torch's, which makes none for a GPU where there is none: chance on it comes from the CPU's."""

    def __new__(cls, device: torch.device | str = "cpu") -> torch.Generator:  # type: ignore[misc]
        return REAL_GENERATOR("cpu" if torch.device(device).type == "cuda" else device)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedGpu]:
    """The pretended GPU, with a gigabyte of memory."""
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device=None: (1 << 30, 1 << 30))
    monkeypatch.setattr("torch.Generator", _Generator)
    # A mode is off inside of what it is asked about, and the way back may run code that makes tensors.
    monkeypatch.setattr("torch._tensor.has_torch_function_unary", lambda tensor: False)
    monkeypatch.setattr("torch.autograd.has_torch_function", lambda tensors: False)
    with _Operators(), _Devices():  # type: ignore[no-untyped-call]
        yield PretendedGpu()
