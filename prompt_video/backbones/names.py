"""Short names of well-known frozen image-text models; others are ids of the hub, folders, or ``open_clip:...``."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from data_modules.errors import InputError
from prompt_video.io.former_settings import is_settings_file
from prompt_video.io.suggest import nearest


class Named(NamedTuple):
    """A model that has a short name.

    Args:
        full: id on the hub, or a model of open_clip.
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
    "metaclip2_h14": Named("facebook/metaclip-2-worldwide-huge-quickgelu", "MetaCLIP 2 H/14, texts of any language"),
    "siglip_b16": Named("google/siglip-base-patch16-224", "SigLIP B/16"),
    "siglip2_b16": Named("google/siglip2-base-patch16-224", "SigLIP 2 B/16, texts of many languages"),
    "siglip2_so400m": Named("google/siglip2-so400m-patch14-384", "SigLIP 2 So400m/14 at 384 pixels"),
    "siglip2_naflex_b16": Named("google/siglip2-base-patch16-naflex", "SigLIP 2 B/16 of frames of any aspect"),
    "dfn_h14": Named("open_clip:ViT-H-14-quickgelu:dfn5b", "Apple's DFN5B CLIP ViT-H/14"),
    "pe_core_b16": Named("open_clip:PE-Core-B-16:meta", "Meta's Perception Encoder B/16"),
    "eva02_b16": Named("open_clip:EVA02-B-16:merged2b_s8b_b131k", "BAAI's EVA02-CLIP B/16"),
    "mobileclip2_s0": Named("open_clip:MobileCLIP2-S0:dfndr2b", "Apple's MobileCLIP2 S0, small and fast"),
}


def check_name(name: str) -> None:
    """Refuse what is most likely a mistyped short name: ids of the hub have a slash, and folders are there.

    Raises:
        InputError: with the name that is near, or for a file of settings.
    """
    if is_settings_file(name):
        raise InputError(f"{name} is a file of settings, and a backbone is a frozen model: name the file with --scale.")
    if name not in SHORT_NAMES and "/" not in name and not Path(name).exists():
        near = nearest(name, SHORT_NAMES)
        if near != ".":
            raise InputError(f"there is no backbone '{name}'{near} `prompt-video list backbones` shows all.")


def full_name(name: str) -> str:
    """The id of a model that has a short name; any other name as it is."""
    return SHORT_NAMES[name].full if name in SHORT_NAMES else name
