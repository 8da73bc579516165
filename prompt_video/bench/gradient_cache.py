"""One step of retrieval training some pairs at a time, as gradient caching takes it, against the plain way.

ViT-B/16's shape with random weights, prompts of 16 + X + 16, one temporal layer; stored features of 16 frames and
captions of about 12 tokens, fp32. Both give the same gradients.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from prompt_video.bench.measure import added_memory
from prompt_video.bench.vit_b16 import random_vit_b16
from prompt_video.clip import FrozenCLIP
from prompt_video.contrastive import symmetric_nce
from prompt_video.gradient_cache import in_chunks
from prompt_video.prompt import PromptLearner
from prompt_video.temporal import TemporalEncoder

NUM_PAIRS, NUM_FRAMES, CHUNK_SIZE = 512, 16, 64
NUM_PREFIX = NUM_SUFFIX = 16
FEWEST_TOKENS, MOST_TOKENS = 8, 16  # of a caption
TEMPERATURE = 0.07
# Of the largest gradient of a weight. Single precision adds so many rows in another order; in double precision the two
# are equal to 1e-12, as tests show.
TOLERANCE = 5e-5


def run(num_pairs: int = NUM_PAIRS, chunk_size: int = CHUNK_SIZE) -> dict[str, float]:
    """Memory that a step adds, and its time, each way; a step is long enough to be timed once.

    Args:
        num_pairs: videos of a batch, each with a caption.
        chunk_size: videos and captions that are encoded at a time.

    Returns:
        ``cached_mib`` and ``plain_mib`` with their ratio, ``cached_seconds`` and ``plain_seconds`` with theirs, and
        ``largest_difference`` of gradients, relative to the largest gradient of the same weight.
    """
    with random_vit_b16() as folder:
        memory = {name: added_memory(step, folder, num_pairs, size) for name, size in _ways(chunk_size)}
        steps = {name: step(folder, num_pairs, size) for name, size in _ways(chunk_size)}
    seconds: dict[str, float] = {}
    found: dict[str, list[Tensor]] = {}
    for name, call in steps.items():
        start = time.perf_counter()
        found[name] = call()
        seconds[name] = time.perf_counter() - start
    difference = max(
        float((own - plain).abs().max() / plain.abs().max())
        for own, plain in zip(found["cached"], found["plain"], strict=True)
    )
    assert difference <= TOLERANCE, f"the gradients differ by {difference:.1e} of the largest"
    return {
        "pairs": float(num_pairs),
        "cached_mib": memory["cached"],
        "plain_mib": memory["plain"],
        "memory_ratio": memory["cached"] / memory["plain"],
        "cached_seconds": seconds["cached"],
        "plain_seconds": seconds["plain"],
        "time_ratio": seconds["cached"] / seconds["plain"],
        "largest_difference": difference,
    }


def _ways(chunk_size: int) -> list[tuple[str, int | None]]:
    return [("cached", chunk_size), ("plain", None)]


def step(folder: Path, num_pairs: int, chunk_size: int | None) -> Callable[[], list[Tensor]]:
    """A step, ready to be taken; it gives the gradients of all weights.

    Args:
        folder: of the CLIP.
        num_pairs: see `run`.
        chunk_size: None: all at once, the plain way.
    """
    clip = FrozenCLIP(str(folder))
    torch.manual_seed(0)
    prompt = PromptLearner(clip.width, NUM_PREFIX, NUM_SUFFIX)
    temporal = TemporalEncoder(clip.embed_dim)
    frames, mask = torch.randn(num_pairs, NUM_FRAMES, clip.embed_dim), torch.ones(num_pairs, NUM_FRAMES).bool()
    lengths = torch.randint(FEWEST_TOKENS, MOST_TOKENS + 1, (num_pairs,)).tolist()
    vocabulary = clip.towers.text.token_embedding.num_embeddings
    tokens = [torch.randint(2, vocabulary, (length,)).tolist() for length in lengths]
    weights = [*temporal.parameters(), *prompt.parameters()]

    def gradients(count: int) -> list[Tensor]:
        inputs = (frames[:count], mask[:count])
        videos = F.normalize(in_chunks(temporal, inputs, list(temporal.parameters()), chunk_size), dim=-1)
        texts = F.normalize(clip.encode_text(prompt.surround(tokens[:count]), chunk_size), dim=-1)
        loss = symmetric_nce(videos @ texts.T / TEMPERATURE, torch.eye(count, dtype=torch.bool))
        return list(torch.autograd.grad(loss, weights))

    gradients(2)  # what the libraries allocate once, and the weights' own pages, are not the step's
    return partial(gradients, num_pairs)
