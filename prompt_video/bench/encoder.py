"""The image encoder against transformers' with SDPA: frames a second, ViT-B/16's shape with random weights."""

import torch
from torch.nn import functional as F

from prompt_video.bench.measure import interleaved
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.bench.vit_b16 import FEATURE_TOLERANCE, fast_backbone, plain_model


def run(setting: Setting, num_frames: int, rounds: int) -> Figures:
    """The ratio of the two rates, and ours; both give the same features."""
    backbone, model = fast_backbone(setting.vit_b16(), setting.device), plain_model(setting.vit_b16(), setting.device)
    size = (num_frames, 3, *backbone.frames.shape)
    pixels = torch.randint(0, 256, size, dtype=torch.uint8).to(setting.device)
    features: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def plain() -> None:
        normalised = ((pixels / 255 - backbone.mean) / backbone.std).to(model.dtype)
        features["plain"] = model.get_image_features(normalised).pooler_output.float()

    def ours() -> None:
        features["ours"] = backbone.encode_frames(pixels)

    seconds = interleaved({"plain": plain, "ours": ours}, rounds, setting.device)
    apart = float(1 - F.cosine_similarity(features["ours"], features["plain"], dim=-1).min())
    assert apart <= FEATURE_TOLERANCE[model.dtype], f"the features are not the same: one minus their cosine is {apart}"
    return {
        "vs_transformers": seconds["plain"] / seconds["ours"],
        "frames_per_second": num_frames / seconds["ours"].median,
    }


MEASUREMENTS = (
    Measurement(
        run,
        (
            Size("32 frames", 2600, 50, {"num_frames": 32, "rounds": 5}),
            Size("4 frames", 1800, 8, {"num_frames": 4, "rounds": 3}, quick=True),
        ),
        on="cpu",
    ),
    Measurement(
        run,
        (
            Size("2,048 frames", 24000, 20, {"num_frames": 2048, "rounds": 7}),
            Size("256 frames", 4000, 10, {"num_frames": 256, "rounds": 7}, quick=True),
        ),
        on="cuda",
    ),
)
