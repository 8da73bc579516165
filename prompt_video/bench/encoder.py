"""The image encoder against transformers' with SDPA: frames a second, ViT-B/16's shape with random weights."""

import torch

from prompt_video.bench.measure import interleaved
from prompt_video.bench.vit_b16 import plain_model, random_vit_b16
from prompt_video.clip import FrozenCLIP

NUM_FRAMES = 32


def run() -> dict[str, float]:
    """The ratio of the two rates."""
    with random_vit_b16() as folder:
        clip, model = FrozenCLIP(str(folder)), plain_model(folder)
    pixels = torch.randint(0, 256, (NUM_FRAMES, 3, clip.image_size, clip.image_size), dtype=torch.uint8)

    @torch.no_grad()
    def plain() -> None:
        model.get_image_features((pixels / 255 - clip.mean) / clip.std)

    seconds = interleaved({"plain": plain, "ours": lambda: clip.encode_frames(pixels)}, rounds=5)
    return {"vs_transformers": seconds["plain"] / seconds["ours"]}
