"""How many kernels a training pass of the text path starts, counted on a device without arithmetic."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import data_modules
from data_modules.annotations.class_names import read_class_names
from prompt_video.backbones.frozen_block import text_parts
from prompt_video.backbones.text_grid import Surroundings
from prompt_video.backbones.text_tower import TextTower
from prompt_video.backbones.weights import Weights
from prompt_video.model.prompt import PromptLearner

K400 = Path(data_modules.__file__).parent / "annotations" / "lists" / "kinetics" / "label_map_k400.txt"
CEILING = 1.6  # times the kernels of the plain padded encoder
WIDTH, ROWS = 512, 77
# Calls that hand out memory or look at it in another way, and compute nothing.
NO_KERNEL = re.compile(r"^aten\.(new_)?empty|^aten\.(detach|alias|lift_fresh|_reshape_alias|_unsafe_view)")


class CountKernels(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the calls that start a kernel; attention counts as its plain parts, for all encoders alike."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count: int = 0

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - torch's own
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - as above
        if not func.is_view and not NO_KERNEL.match(str(func)):
            self.count += 1
        return func(*args, **(kwargs or {}))


def kernels(encode: Callable[[], Tensor]) -> int:
    """Of a forward and a backward pass."""
    mode = CountKernels()
    with mode:
        torch.autograd.backward(encode().sum())
    return mode.count


@pytest.fixture(scope="module")
def model() -> Any:  # noqa: ANN401 - transformers is untyped
    """CLIP's text encoder in ViT-B/16's shape, without numbers."""
    config = transformers.CLIPTextConfig(
        hidden_size=WIDTH, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=8, projection_dim=WIDTH
    )
    with torch.device("meta"):
        return transformers.CLIPTextModelWithProjection(config).requires_grad_(False)


@pytest.fixture(scope="module")
def tower(model: Any) -> TextTower:  # noqa: ANN401
    weights = Weights("zeros", {name: torch.zeros(weight.shape) for name, weight in model.named_parameters()})
    projection = weights.linear("text_projection", WIDTH, WIDTH, bias=False)
    around = Surroundings((49406,), (49407,), 49407, reads_last=False)
    return TextTower(*text_parts(weights, model.config.to_dict()), projection, around).to("meta")


class _Given(torch.nn.Module):
    """Stands in for the token embedding."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.rows


@pytest.fixture(scope="module")
def plain(model: Any) -> int:  # noqa: ANN401
    """Kernels of transformers' encoder, whatever the number of texts: rows of 77 are given to it."""
    rows = torch.empty(51, ROWS, WIDTH, device="meta", requires_grad=True)
    embedding = model.text_model.embeddings.token_embedding
    model.text_model.embeddings.token_embedding = _Given(rows)
    try:
        return kernels(lambda: model(input_ids=torch.zeros(51, ROWS, dtype=torch.long, device="meta")).text_embeds)
    finally:
        model.text_model.embeddings.token_embedding = embedding


def step(tower: TextTower, tokens: list[list[int]], layout: str = "shared") -> Callable[[], Tensor]:
    """A pass over texts with learned vectors around them."""
    prompt = PromptLearner(WIDTH, 16, 16, layout=layout).to("meta")  # type: ignore[arg-type]
    return lambda: tower(prompt.surround(tokens).to(tower.positions.weight), None)


def class_names(num_texts: int) -> list[list[int]]:
    """Texts as long as Kinetics-400's class names, a token for every word; over again where there are not enough."""
    lengths = [len(name.split()) for name in read_class_names(K400)]
    return [[320] * lengths[text % len(lengths)] for text in range(num_texts)]


def many_lengths(num_texts: int) -> list[list[int]]:
    """Texts of 1 to 40 tokens, as captions are."""
    return [[320] * (1 + text % 40) for text in range(num_texts)]


@pytest.mark.parametrize("layout", ["shared", "by_position"])
@pytest.mark.parametrize("num_texts", [5, 51, 400, pytest.param(5000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("tokens", [class_names, many_lengths])
def test_a_pass_starts_few_kernels(
    tower: TextTower, plain: int, tokens: Callable[[int], list[list[int]]], num_texts: int, layout: str
) -> None:
    assert kernels(step(tower, tokens(num_texts), layout)) <= CEILING * plain


def test_the_number_does_not_grow(tower: TextTower) -> None:
    numbers = {kernels(step(tower, many_lengths(num_texts))) for num_texts in (800, 1600, 3200)}
    assert len(numbers) == 1


def test_few_texts_share_no_prefix(tower: TextTower) -> None:
    """Where the arithmetic saved is less than the kernels that it costs, fewer kernels win."""
    assert kernels(step(tower, class_names(5))) < kernels(step(tower, class_names(5000)))


@pytest.mark.slow
def test_the_packed_way_starts_many(tower: TextTower, plain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The count sees what it is for: a kernel for each length of text."""
    monkeypatch.setattr(TextTower, "way", "packed")
    assert kernels(step(tower, many_lengths(51))) > 3 * plain
