"""CLIP: OpenAI's, LAION's, DataComp's, DFN's and MetaCLIP's first, in HuggingFace's layout."""

from collections.abc import Mapping
from typing import Any

from data_modules.loading.transforms import ResizeCrop
from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.clip_text import check_signs, cleaned
from prompt_video.backbones.frozen_block import blocks, text_parts
from prompt_video.backbones.preprocessing import Preprocessing, preprocessing_of
from prompt_video.backbones.text_grid import Surroundings
from prompt_video.backbones.text_tower import TextTower
from prompt_video.backbones.tokenizer import FileTokenizer, file_tokenizer
from prompt_video.backbones.towers import BackboneFacts, FrozenTowers, temperature_of
from prompt_video.backbones.vision_tower import VisionTower
from prompt_video.backbones.weights import Weights

MEAN = (0.48145466, 0.4578275, 0.40821073)  # used where a checkpoint names no other
STD = (0.26862954, 0.26130258, 0.27577711)
SPECIAL = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}

# What holds where a config says nothing. Source: configuration_clip.py of transformers.
TEXT = {
    "vocab_size": 49408,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
VISION = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_channels": 3,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}


def load(files: CheckpointFiles) -> FrozenTowers:
    """Read a checkpoint; see `prompt_video.backbones.towers`."""
    rows = files.tower_config("text_config", TEXT)["vocab_size"]
    tokenizer = file_tokenizer(files, cleaned, SPECIAL, rows, word_end="</w>")
    check_signs(tokenizer, files.name)
    # The end token is not the config's: old checkpoints give a wrong eos_token_id of 2 there, and features were always
    # read at the token that the tokenizer puts last.
    return towers_of(files, "CLIP", tokenizer, tokenizer.special_id("bos_token"), tokenizer.special_id("eos_token"))


def towers_of(files: CheckpointFiles, family: str, tokenizer: FileTokenizer, start: int, end: int) -> FrozenTowers:
    """Both encoders of CLIP's architecture, whose features of texts are read at the end token.

    Args:
        files: of the checkpoint.
        family: as people call it.
        tokenizer: of the checkpoint, looked through.
        start: token in front of every text.
        end: token behind every text.

    Raises:
        InputError: when the weights are not those of the config, damaged, or the frames cannot be made.
    """
    text, vision = files.tower_config("text_config", TEXT), files.tower_config("vision_config", VISION)
    image_size = vision["image_size"]
    preprocessing = preprocessing_of(files, image_size, Preprocessing(ResizeCrop(image_size), MEAN, STD))
    weights, dim = files.weights(), files.config.get("projection_dim", 512)
    files.check_setting("projection_dim", dim, 512)
    projection = weights.linear("text_projection", text["hidden_size"], dim, bias=False)
    around = Surroundings((start,), (end,), end, reads_last=False)
    towers = TextTower(*text_parts(weights, text), projection, around), _vision(files, weights, vision, dim)
    temperature = temperature_of(files.name, float(weights.parameter("logit_scale")))
    weights.check()
    facts = BackboneFacts(family, *preprocessing, preprocessing.configured(vision), temperature)
    return FrozenTowers(*towers, tokenizer, facts, weights.fingerprint)


def _vision(files: CheckpointFiles, weights: Weights, config: Mapping[str, Any], dim: int) -> VisionTower:
    width, eps = config["hidden_size"], config["layer_norm_eps"]
    if config["num_channels"] != 3:
        raise files.error(f"its image encoder sees {config['num_channels']} channels, and frames have 3")
    num_positions = (config["image_size"] // config["patch_size"]) ** 2 + 1
    return VisionTower(
        weights.parameter("vision_model.embeddings.class_embedding", width),
        weights.patches("vision_model.embeddings.patch_embedding", width, config["patch_size"]),
        weights.embedding("vision_model.embeddings.position_embedding", num_positions, width),
        weights.norm("vision_model.pre_layrnorm", width, eps),
        blocks(weights, "vision_model.encoder.layers", config),
        weights.norm("vision_model.post_layernorm", width, eps),
        weights.linear("visual_projection", width, dim, bias=False),
    )
