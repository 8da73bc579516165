"""The exact fast text path against transformers' plain one: forward and backward of a training step on cached features.

ViT-B/16's shape with random weights, 16 + X + 16, Kinetics-400 class names, 64 videos, fp32.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional as F

from prompt_video.bench.measure import added_memory, interleaved, peak_product
from prompt_video.bench.vit_b16 import plain_model, plain_text_features, random_vit_b16
from prompt_video.clip import FrozenCLIP
from prompt_video.prompt import PromptLearner
from prompt_video.text_side import PromptedText

NUM_PREFIX = NUM_SUFFIX = 16
WIDTH, MLP_WIDTH, NUM_LAYERS, EMBED_DIM = 512, 2048, 12, 512
BATCH_SIZE = 64
CHUNK_SIZE = 50


def run() -> dict[str, float]:
    """Ratios of time, of the matmul peak, and of added memory; see the module."""
    results: dict[str, float] = {}
    with random_vit_b16() as folder:
        # Memory first: the plain step takes 15 GiB, and what timing it leaves behind here would come on top.
        ours_400 = added_memory(our_step, folder, 400)
        results["memory_ratio_400"] = ours_400 / added_memory(plain_step, folder, 400)
        results["memory_5000_over_400"] = added_memory(our_step, folder, 5000, CHUNK_SIZE) / ours_400
        peak, peak_flops = peak_product()
        for num_texts, rounds in ((51, 7), (400, 3)):
            steps = {"plain": plain_step(folder, num_texts), "ours": our_step(folder, num_texts), "peak": peak}
            seconds = interleaved(steps, rounds)
            rate = shared_flops([len(tokens) for tokens in class_tokens(num_texts)]) / seconds["ours"]
            results[f"speedup_{num_texts}"] = seconds["plain"] / seconds["ours"]
            results[f"flop_share_{num_texts}"] = rate / (peak_flops / seconds["peak"])
            del steps
    return results


def class_tokens(num_texts: int) -> list[list[int]]:
    """Token ids of Kinetics-400's class names, over again where there are not enough."""
    lines = (Path(__file__).parent / "k400_class_names.txt").read_text().splitlines()
    tokens = [[int(token) for token in line.split("\t")[1].split()] for line in lines if not line.startswith("#")]
    return [tokens[text % len(tokens)] for text in range(num_texts)]


def our_step(folder: Path, num_texts: int, chunk_size: int | None = None) -> Callable[[], None]:
    """A training step by this framework."""
    clip = FrozenCLIP(str(folder))
    return _step(num_texts, lambda texts: clip.encode_text(texts, chunk_size))


def plain_step(folder: Path, num_texts: int) -> Callable[[], None]:
    """The same by transformers."""
    model = plain_model(folder)
    return _step(num_texts, lambda texts: plain_text_features(model, texts))


def _step(num_texts: int, encode: Callable[[PromptedText], torch.Tensor]) -> Callable[[], None]:
    torch.manual_seed(0)
    prompt, tokens = PromptLearner(WIDTH, NUM_PREFIX, NUM_SUFFIX), class_tokens(num_texts)
    video_features = F.normalize(torch.randn(BATCH_SIZE, EMBED_DIM), dim=-1)
    target = torch.randint(num_texts, (BATCH_SIZE,))

    # What the libraries allocate once, and the weights' own pages, are not the step's.
    torch.autograd.backward(encode(prompt.surround(tokens[:2])).sum())

    def step() -> None:
        prompt.zero_grad()
        text_features = F.normalize(encode(prompt.surround(tokens)), dim=-1)
        torch.autograd.backward(F.cross_entropy(video_features @ text_features.T / 0.07, target))

    return step


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
