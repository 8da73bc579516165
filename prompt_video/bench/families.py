"""Every family but CLIP's own against its own library: a training step of texts, and frames; random weights.

Texts are 16 names of three tokens with as many learned vectors as fit: forward and backward, as in a training step on
stored features. CLIP has parts of its own, `text_path` and `encoder`.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.bench.family_models import ours, plain, write
from prompt_video.bench.measure import interleaved, resident_memory
from prompt_video.bench.plain_text import PlainText
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.bench.vit_b16 import FEATURE_TOLERANCE, precision
from prompt_video.model.prompt import PromptLearner

NUM_TEXTS, NUM_FRAMES = 16, 4
HEIGHT, WIDTH = 240, 320


def run(setting: Setting, name: str, rounds: int) -> Figures:
    """Ratios to the library, our rates, and the memory that our weights take; both ways give the same features."""
    device, folder = setting.device, setting.folder / name
    if not folder.exists():
        write(name, folder)
    before = resident_memory()
    backbone = ours(name, folder, device)
    mib = resident_memory() - before
    library = plain(name, folder, device, backbone)
    prompt = PromptLearner(backbone.text_shape).to(device)
    texts = prompt.surround([[100 + number, 7, 8] for number in range(NUM_TEXTS)])
    decoded = torch.randint(0, 256, (NUM_FRAMES, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    prepared, frames = library.prepare(decoded), torch.stack([backbone.frames(frame) for frame in decoded]).to(device)
    found: dict[str, Tensor] = {}

    def step(way: str, encode: Callable[[PromptedText], Tensor]) -> None:
        prompt.zero_grad()
        found[way] = encode(prompt.surround(texts.tokens))
        torch.autograd.backward(found[way].square().sum())
        found[way] = found[way].detach()

    @torch.no_grad()
    def look(way: str, encode: Callable[[], Tensor]) -> None:
        found[way] = encode()

    ways = {
        "texts": partial(step, "texts", backbone.encode_text),
        "plain texts": partial(step, "plain texts", PlainText(library.texts, texts)),
        "frames": partial(look, "frames", partial(backbone.encode_frames, frames)),
        "plain frames": partial(look, "plain frames", partial(library.frames, prepared)),
    }
    seconds = interleaved(ways, rounds, device)
    for way in ("texts", "frames"):
        apart = float(1 - F.cosine_similarity(found[way], found[f"plain {way}"].float(), dim=-1).min())
        assert apart <= FEATURE_TOLERANCE[precision(device)], f"the {way} are not the same: cosine 1 - {apart}"
    return {
        name: {
            "texts_vs_library": seconds["plain texts"] / seconds["texts"],
            "frames_vs_library": seconds["plain frames"] / seconds["frames"],
            "classes_per_second": NUM_TEXTS / seconds["texts"].median,
            "frames_per_second": NUM_FRAMES / seconds["frames"].median,
            "weights_mib": mib,
        }
    }


def _of(name: str, mib: int, seconds: int, *, quick: bool = False) -> Measurement:
    return Measurement(run, (Size(name.replace("_", " "), mib, seconds, {"name": name, "rounds": 5}, quick=quick),))


MEASUREMENTS = (
    _of("siglip_b16", 3500, 40, quick=True),
    _of("siglip2_naflex_b16", 3500, 40),
    _of("metaclip2_b32", 9000, 60),
    _of("pe_core_b16", 6000, 50),
    _of("eva02_b16", 3000, 30),
    _of("mobileclip2_s0", 2500, 25, quick=True),
)
