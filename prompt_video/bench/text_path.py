"""The exact fast text path against transformers' plain one: forward and backward of a training step on cached features.

ViT-B/16's shape with random weights, 16 + X + 16, Kinetics-400 class names, 64 videos; fp32, on a GPU bf16.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.bench.measure import added_memory, interleaved, peak_product
from prompt_video.bench.plain_text import PlainText, of_transformers
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.bench.vit_b16 import FEATURE_TOLERANCE, fast_backbone, plain_model
from prompt_video.model.prompt import PromptLearner

NUM_PREFIX = NUM_SUFFIX = 16
WIDTH, MLP_WIDTH, NUM_LAYERS, EMBED_DIM = 512, 2048, 12, 512
BATCH_SIZE = 64

Encode = Callable[[PromptedText], Tensor]


def speed(setting: Setting, num_texts: int, rounds: int) -> Figures:
    """How many times faster ours is, and its share of the matmul peak; both give the same features."""
    folder, device = setting.vit_b16(), setting.device
    _assert_same(folder, num_texts, device)
    peak, peak_flops = peak_product(device, fast_backbone(folder, device).towers.text.token_embedding.weight.dtype)
    steps = {"plain": plain_step(folder, num_texts, device), "ours": our_step(folder, num_texts, device), "peak": peak}
    seconds = interleaved(steps, rounds, device)
    flops = shared_flops([len(tokens) for tokens in class_tokens(num_texts)])
    return {
        f"speedup_{num_texts}": seconds["plain"] / seconds["ours"],
        f"flop_share_{num_texts}": flops / peak_flops * (seconds["peak"] / seconds["ours"]),
        f"seconds_{num_texts}": seconds["ours"],
    }


def memory(setting: Setting, num_texts: int, many: int, chunk_size: int) -> Figures:
    """Memory that our step adds, over what the plain one adds; and with many more texts, in chunks, over the same."""
    folder, device = setting.vit_b16(), setting.device
    ours = added_memory(device, our_step, folder, num_texts, device)
    plain = added_memory(device, plain_step, folder, num_texts, device)
    chunked = added_memory(device, our_step, folder, many, device, chunk_size)
    return {f"memory_ratio_{num_texts}": ours / plain, f"memory_{many}_over_{num_texts}": chunked / ours}


def _mib(num_texts: int) -> int:
    """Of the plain step, in fp32; half of it, and more, is enough for bf16."""
    return 2000 + 38 * num_texts


MEASUREMENTS = (
    Measurement(
        speed,
        (
            Size("51 classes", _mib(51), 45, {"num_texts": 51, "rounds": 7}),
            Size("32 classes", _mib(32), 25, {"num_texts": 32, "rounds": 3}, quick=True),
            Size("16 classes", _mib(16), 10, {"num_texts": 16, "rounds": 3}, quick=True),
        ),
    ),
    Measurement(
        speed,
        tuple(
            Size(f"{count} classes", _mib(count), count // 4, {"num_texts": count, "rounds": 3})
            for count in (400, 200, 100)
        ),
    ),
    Measurement(
        speed,
        tuple(
            Size(f"{count:,} classes", _mib(count), count // 100, {"num_texts": count, "rounds": 5})
            for count in (5000, 2500, 1000)
        ),
        on="cuda",
    ),
    Measurement(
        memory,
        (
            *(
                Size(
                    f"memory of {count} and 5,000 classes",
                    _mib(count),
                    100,
                    {"num_texts": count, "many": 5000, "chunk_size": count // 8},
                )
                for count in (400, 200, 100)
            ),
            Size(
                "memory of 32 and 128 classes",
                _mib(32),
                12,
                {"num_texts": 32, "many": 128, "chunk_size": 4},
                quick=True,
            ),
        ),
        apart=False,
    ),
)


def class_tokens(num_texts: int) -> list[list[int]]:
    """Token ids of Kinetics-400's class names, over again where there are not enough."""
    lines = (Path(__file__).parent / "k400_class_names.txt").read_text().splitlines()
    tokens = [[int(token) for token in line.split("\t")[1].split()] for line in lines if not line.startswith("#")]
    return [tokens[text % len(tokens)] for text in range(num_texts)]


def our_step(folder: Path, num_texts: int, device: torch.device, chunk_size: int | None = None) -> Callable[[], None]:
    """A training step by this framework."""
    backbone = fast_backbone(folder, device)
    prompt = PromptLearner(backbone.width, NUM_PREFIX, NUM_SUFFIX).to(device)
    return _step(num_texts, prompt, backbone.embed_dim, lambda _: partial(backbone.encode_text, chunk_size=chunk_size))


def plain_step(folder: Path, num_texts: int, device: torch.device) -> Callable[[], None]:
    """The same by transformers."""
    model = plain_model(folder, device)
    prompt = PromptLearner(model.config.text_config.hidden_size, NUM_PREFIX, NUM_SUFFIX).to(device)
    return _step(num_texts, prompt, model.config.projection_dim, partial(PlainText, of_transformers(model)))


def _step(
    num_texts: int, prompt: PromptLearner, embed_dim: int, prepare: Callable[[PromptedText], Encode]
) -> Callable[[], None]:
    torch.manual_seed(0)
    device, tokens = prompt.context.device, class_tokens(num_texts)
    video_features = F.normalize(torch.randn(BATCH_SIZE, embed_dim), dim=-1).to(device)
    target = torch.randint(num_texts, (BATCH_SIZE,)).to(device)

    # What the libraries allocate once, and the weights' own pages, are not the step's.
    few = prompt.surround(tokens[:2])
    torch.autograd.backward(prepare(few)(few).sum())
    encode = prepare(prompt.surround(tokens))

    def step() -> None:
        prompt.zero_grad()
        text_features = F.normalize(encode(prompt.surround(tokens)), dim=-1)
        torch.autograd.backward(F.cross_entropy(video_features @ text_features.T / 0.07, target))

    return step


@torch.no_grad()
def _assert_same(folder: Path, num_texts: int, device: torch.device) -> None:
    """Both ways give the same features of the first texts."""
    backbone, model = fast_backbone(folder, device), plain_model(folder, device)
    prompt = PromptLearner(backbone.width, NUM_PREFIX, NUM_SUFFIX, init_std=0.1).to(device)
    texts = prompt.surround(class_tokens(min(num_texts, 16)))
    ours: Float[Tensor, "K D"] = backbone.encode_text(texts)
    apart = 1 - F.cosine_similarity(ours, PlainText(of_transformers(model), texts)(texts), dim=-1).min()
    tolerance = FEATURE_TOLERANCE[model.dtype]
    assert apart <= tolerance, f"the features are not the same: one minus their cosine is {float(apart):.1e}"


def shared_flops(lengths: list[int]) -> float:
    """Floating-point operations of a step that computes shared positions once and nothing in vain.

    Frozen weights have no gradients, so that the backward pass of a product costs as much as its forward pass, and that
    of attention twice as much: both of its factors have gradients.
    """
    first = 1 + NUM_PREFIX
    own = [length + NUM_SUFFIX + 1 for length in lengths]
    rows = first + sum(own)
    key_value, rest = 2 * WIDTH * 2 * WIDTH, 2 * WIDTH * 2 * WIDTH + 2 * 2 * WIDTH * MLP_WIDTH  # of a row and layer
    products = (NUM_LAYERS - 1) * rows * (key_value + rest) + rows * key_value
    products += len(own) * (rest + 2 * WIDTH * EMBED_DIM)
    seen = first * (first + 1) / 2 + sum(length * first + length * (length + 1) / 2 for length in own)
    attention = 2 * 2 * WIDTH * ((NUM_LAYERS - 1) * seen + sum(first + length for length in own))
    return 2.0 * products + 3.0 * attention
