"""Short names of well-known frozen image-text models; any other name is an id of the HuggingFace hub, or a folder."""

from collections.abc import Mapping
from typing import NamedTuple


class Named(NamedTuple):
    """A model that has a short name.

    Args:
        full: id on the hub.
        about: what it is, as a phrase.
    """

    full: str
    about: str


SHORT_NAMES: Mapping[str, Named] = {
    "tiny": Named("tiny", "built in, trained on drawn shapes; it knows nothing else"),
    "vit_b32": Named("openai/clip-vit-base-patch32", "OpenAI's CLIP ViT-B/32"),
    "vit_b16": Named("openai/clip-vit-base-patch16", "OpenAI's CLIP ViT-B/16, which the paper prompts"),
    "vit_l14": Named("openai/clip-vit-large-patch14", "OpenAI's CLIP ViT-L/14"),
    "vit_l14_336": Named("openai/clip-vit-large-patch14-336", "OpenAI's CLIP ViT-L/14 at 336 pixels"),
    "laion_h14": Named("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "LAION's CLIP ViT-H/14"),
    "laion_bigg14": Named("laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", "LAION's CLIP ViT-bigG/14"),
}


def full_name(name: str) -> str:
    """The id of a model that has a short name; any other name as it is."""
    return SHORT_NAMES[name].full if name in SHORT_NAMES else name
