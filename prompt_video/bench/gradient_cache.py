"""One step of retrieval training some pairs at a time, as gradient caching takes it, against the plain way.

ViT-B/16's shape with random weights, prompts of 16 + X + 16, one temporal layer; stored features of 16 frames and
captions of about 12 tokens, fp32 on every device. Both give the same gradients.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.bench.measure import added_memory, interleaved
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.model.contrastive import symmetric_nce
from prompt_video.model.gradient_cache import in_chunks
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import TemporalEncoder

NUM_FRAMES, CHUNK_SIZE = 16, 64
NUM_PREFIX = NUM_SUFFIX = 16
FEWEST_TOKENS, MOST_TOKENS = 8, 16  # of a caption
TEMPERATURE = 0.07
# Of the largest gradient of a weight. Single precision adds so many rows in another order; in double precision the two
# are equal to 1e-12, as tests show.
TOLERANCE = 5e-5


def speed(setting: Setting, num_pairs: int, chunk_size: int, rounds: int) -> Figures:
    """Time of a step, each way.

    Args:
        setting: where.
        num_pairs: videos of a batch, each with a caption.
        chunk_size: videos and captions that are encoded at a time.
        rounds: in which the two are timed.

    Returns:
        ``cached_seconds`` and ``plain_seconds`` with their ratio, and ``largest_difference`` of gradients, relative to
        the largest gradient of the same weight.
    """
    found: dict[str, list[Tensor]] = {}
    calls = {
        name: partial(_keep, found, name, step(setting.vit_b16(), num_pairs, size, setting.device))
        for name, size in _ways(chunk_size)
    }
    seconds = interleaved(calls, rounds, setting.device, warm_up=False)  # a step is long, and a small one came before
    difference = max(
        float((own - plain).abs().max() / plain.abs().max())
        for own, plain in zip(found["cached"], found["plain"], strict=True)
    )
    assert difference <= TOLERANCE, f"the gradients differ by {difference:.1e} of the largest"
    return {
        "pairs": float(num_pairs),
        "cached_seconds": seconds["cached"],
        "plain_seconds": seconds["plain"],
        "time_ratio": seconds["cached"] / seconds["plain"],
        "largest_difference": difference,
    }


def memory(setting: Setting, num_pairs: int, chunk_size: int) -> Figures:
    """Memory that a step adds, each way; see `speed`."""
    folder, device = setting.vit_b16(), setting.device
    mib = {name: added_memory(device, step, folder, num_pairs, size, device) for name, size in _ways(chunk_size)}
    return {
        "memory_pairs": float(num_pairs),
        "cached_mib": mib["cached"],
        "plain_mib": mib["plain"],
        "memory_ratio": mib["cached"] / mib["plain"],
    }


def _size(num_pairs: int, chunk_size: int, seconds: int, *, quick: bool = False, **options: int) -> Size:
    label = f"{'' if 'rounds' in options else 'memory of '}{num_pairs} pairs, {chunk_size} at a time"
    choice = {"num_pairs": num_pairs, "chunk_size": chunk_size, **options}
    return Size(label, 1800 + 11 * num_pairs, seconds, choice, quick)


MEASUREMENTS = (
    Measurement(
        speed,
        (
            _size(512, CHUNK_SIZE, 80, rounds=3),
            _size(256, CHUNK_SIZE, 40, rounds=3),
            _size(32, 8, 12, rounds=3, quick=True),
        ),
    ),
    Measurement(
        memory, (_size(512, CHUNK_SIZE, 40), _size(256, CHUNK_SIZE, 25), _size(32, 8, 8, quick=True)), apart=False
    ),
)


def _ways(chunk_size: int) -> list[tuple[str, int | None]]:
    return [("cached", chunk_size), ("plain", None)]


def _keep(found: dict[str, list[Tensor]], name: str, call: Callable[[], list[Tensor]]) -> None:
    found[name] = call()


def step(folder: Path, num_pairs: int, chunk_size: int | None, device: torch.device) -> Callable[[], list[Tensor]]:
    """A step, ready to be taken; it gives the gradients of all weights.

    Args:
        folder: of the CLIP.
        num_pairs: see `speed`.
        chunk_size: None: all at once, the plain way.
        device: that computes.
    """
    backbone = FrozenBackbone(str(folder), "float32").to(device)
    torch.manual_seed(0)
    prompt = PromptLearner(backbone.width, NUM_PREFIX, NUM_SUFFIX).to(device)
    temporal = TemporalEncoder(backbone.embed_dim).to(device)
    frames = torch.randn(num_pairs, NUM_FRAMES, backbone.embed_dim).to(device)
    mask = torch.ones(num_pairs, NUM_FRAMES, dtype=torch.bool, device=device)
    lengths = torch.randint(FEWEST_TOKENS, MOST_TOKENS + 1, (num_pairs,)).tolist()
    vocabulary = backbone.towers.text.token_embedding.num_embeddings
    tokens = [torch.randint(2, vocabulary, (length,)).tolist() for length in lengths]
    weights = [*temporal.parameters(), *prompt.parameters()]

    def gradients(count: int) -> list[Tensor]:
        inputs = (frames[:count], mask[:count])
        videos = F.normalize(in_chunks(temporal, inputs, list(temporal.parameters()), chunk_size), dim=-1)
        texts = F.normalize(backbone.encode_text(prompt.surround(tokens[:count]), chunk_size), dim=-1)
        loss = symmetric_nce(videos @ texts.T / TEMPERATURE, torch.eye(count, dtype=torch.bool, device=device))
        return list(torch.autograd.grad(loss, weights))

    gradients(2)  # what the libraries allocate once, and the weights' own pages, are not the step's
    return partial(gradients, num_pairs)
