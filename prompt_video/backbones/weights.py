"""The weights of a checkpoint by their names, handed out as frozen modules until none is left over."""

import hashlib
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from data_modules.errors import InputError

HARMLESS = ("position_ids",)  # endings of names that are no weights: counted from 0 up, in files of old versions
_NUM_TOLD = 3
_MOST = 1 << 31  # numbers of one weight: what is missing is not made larger


class Weights:
    """What a checkpoint holds.

    A module is asked for by its name in the file and by its sizes, which the checkpoint's config says; `check` then
    refuses what was missing, of another shape, or never asked for.

    Args:
        name: of the checkpoint, for messages.
        tensors: float32, by their names in the file.

    Raises:
        InputError: when one of them is not finite.
    """

    def __init__(self, name: str, tensors: dict[str, Tensor]) -> None:
        self.name = name
        self._tensors = {key: tensor for key, tensor in tensors.items() if not key.endswith(HARMLESS)}
        self._missing: list[str] = []
        self._misshapen: list[str] = []
        bad = next((key for key, tensor in self._tensors.items() if not _is_finite(tensor)), None)
        if bad is not None:
            raise InputError(f"'{name}' is damaged: its {bad} is not finite.")
        self.fingerprint = _fingerprint(self._tensors)

    def prefixes(self) -> set[str]:
        """The first parts of all names, which tell what there is."""
        return {key.partition(".")[0] for key in self._tensors}

    def parameter(self, name: str, *shape: int) -> nn.Parameter:
        """One weight; any values where it is missing or of another shape, which `check` tells."""
        tensor = self._tensors.pop(name, None)
        if tensor is None:
            self._missing.append(name)
        elif tuple(tensor.shape) != shape:
            self._misshapen.append(f"{name} is {tuple(tensor.shape)} instead of {shape}")
            tensor = None
        if tensor is None and math.prod(shape) > _MOST:
            self.check()
        return nn.Parameter(torch.empty(shape) if tensor is None else tensor, requires_grad=False)

    def linear(self, name: str, inputs: int, outputs: int, *, bias: bool = True) -> nn.Linear:
        """A product."""
        module = nn.Linear(inputs, outputs, bias=bias, device="meta")
        module.weight = self.parameter(f"{name}.weight", outputs, inputs)
        if bias:
            module.bias = self.parameter(f"{name}.bias", outputs)
        return module

    def norm(self, name: str, width: int, eps: float) -> nn.LayerNorm:
        """A normalisation."""
        module = nn.LayerNorm(width, eps, device="meta")
        module.weight, module.bias = self.parameter(f"{name}.weight", width), self.parameter(f"{name}.bias", width)
        return module

    def embedding(self, name: str, rows: int, width: int) -> nn.Embedding:
        """A table."""
        # To draw values, even those of "meta" that are none, would load torch's compiler.
        table = self.parameter(f"{name}.weight", rows, width).data
        module: nn.Embedding = nn.Embedding.from_pretrained(table)  # type: ignore[no-untyped-call]
        return module

    def patches(self, name: str, width: int, size: int, *, bias: bool = False) -> nn.Conv2d:
        """Squares of pixels to vectors."""
        module = nn.Conv2d(3, width, size, size, bias=bias, device="meta")
        module.weight = self.parameter(f"{name}.weight", width, 3, size, size)
        if bias:
            module.bias = self.parameter(f"{name}.bias", width)
        return module

    def check(self) -> None:
        """Refuse weights that are not those of the config, all of them and no others.

        Raises:
            InputError: when they are.
        """
        for problem, names in self._problems():
            if names:
                more = f" ({len(names)} in all)" if len(names) > _NUM_TOLD else ""
                raise InputError(
                    f"the weights of '{self.name}' are not those that its config.json describes: {problem} "
                    f"{', '.join(names[:_NUM_TOLD])}{more}."
                )

    def _problems(self) -> Iterator[tuple[str, Sequence[str]]]:
        yield "they lack", sorted(self._missing)
        yield "in shape", self._misshapen
        yield "unexpected is", sorted(self._tensors)


def _is_finite(tensor: Tensor) -> bool:
    """Whether all of it are numbers, told without a copy: that of a vocabulary can be gigabytes."""
    return not tensor.numel() or all(extreme.isfinite() for extreme in tensor.aminmax())


def _fingerprint(tensors: dict[str, Tensor]) -> str:
    """A hash of the values, the same whatever the file, its precision of storage apart, and its place."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()[:32]
