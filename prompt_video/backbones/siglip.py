"""SigLIP, SigLIP 2 and SigLIP 2 NaFlex: bidirectional texts, pooled patches, a calibrated score of one text."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from data_modules.loading.patch_strip import PatchStrip
from data_modules.loading.transforms import Squash
from prompt_video.backbones.bidirectional_text import BidirectionalTextTower
from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.frozen_block import FrozenBlock, blocks, text_parts
from prompt_video.backbones.frozen_linear import linear_of
from prompt_video.backbones.naflex_vision import NaflexVisionTower
from prompt_video.backbones.pooling_vision import PoolingEncoder, PoolingVisionTower
from prompt_video.backbones.preprocessing import Preprocessing, normalisation, preprocessing_of
from prompt_video.backbones.siglip_tokenizer import tokenizer_of
from prompt_video.backbones.towers import BackboneFacts, FrozenTowers, temperature_of
from prompt_video.backbones.weights import Weights

HALF = (0.5, 0.5, 0.5)  # mean and deviation of the pixels where a checkpoint names no other
# What holds where a config says nothing; Google's base models say next to nothing.
# Source: configuration_siglip.py and configuration_siglip2.py of transformers.
TEXT = {
    "vocab_size": 32000,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 64,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
}
VISION = {**TEXT, "image_size": 224, "patch_size": 16, "num_patches": 256, "vision_use_head": True}


def load(files: CheckpointFiles) -> FrozenTowers:
    """Read a checkpoint; see `prompt_video.backbones.towers`."""
    text, vision = files.tower_config("text_config", TEXT), files.tower_config("vision_config", VISION)
    if not vision["vision_use_head"]:
        raise files.error("its image encoder has no pooling head, so that frames and texts share no space")
    tokenizer, surroundings = tokenizer_of(files, text["vocab_size"])
    is_naflex = files.config["model_type"] == "siglip2"
    preprocessing = _strips(files, vision) if is_naflex else _squares(files, vision["image_size"])
    weights, dim = files.weights(), text.get("projection_size") or text["hidden_size"]
    files.check_setting("text_config.projection_size", dim, 1)
    if dim != vision["hidden_size"]:
        raise files.error(f"its texts have {dim} features and its frames {vision['hidden_size']}")
    towers = (
        BidirectionalTextTower(
            *text_parts(weights, text), weights.linear("text_model.head", text["hidden_size"], dim), surroundings
        ),
        _naflex(weights, vision, preprocessing) if is_naflex else _vision(weights, vision),
    )
    logit_scale, bias = (float(weights.parameter(name, 1)) for name in ("logit_scale", "logit_bias"))
    weights.check()
    family, configured = "SigLIP 2 NaFlex" if is_naflex else "SigLIP", preprocessing.configured(vision)
    facts = BackboneFacts(family, *preprocessing, configured, temperature_of(files.name, logit_scale), bias)
    return FrozenTowers(*towers, tokenizer, facts, weights.fingerprint)


def _squares(files: CheckpointFiles, image_size: int) -> Preprocessing:
    return preprocessing_of(files, image_size, Preprocessing(Squash(image_size), HALF, HALF))


def _strips(files: CheckpointFiles, config: Mapping[str, Any]) -> Preprocessing:
    said = {"patch_size": config["patch_size"], "max_num_patches": 256, **files.preprocessor}
    for name in ("patch_size", "max_num_patches"):
        files.check_setting(name, said[name], 16, "preprocessor_config.json")
    frames = PatchStrip(said["patch_size"], said["max_num_patches"])
    if frames.patch != config["patch_size"]:
        raise files.error(
            f"its preprocessor_config.json makes patches of {frames.patch} pixels, not {config['patch_size']}"
        )
    return Preprocessing(frames, *normalisation(files, HALF, HALF))


def _vision(weights: Weights, config: Mapping[str, Any]) -> PoolingVisionTower:
    width, name = config["hidden_size"], "vision_model.embeddings"
    return PoolingVisionTower(
        weights.patches(f"{name}.patch_embedding", width, config["patch_size"], bias=True),
        weights.embedding(f"{name}.position_embedding", (config["image_size"] // config["patch_size"]) ** 2, width),
        _encoder(weights, config),
    )


def _naflex(weights: Weights, config: Mapping[str, Any], preprocessing: Preprocessing) -> NaflexVisionTower:
    width, name, patch = config["hidden_size"], "vision_model.embeddings", config["patch_size"]
    return NaflexVisionTower(
        weights.linear(f"{name}.patch_embedding", 3 * patch * patch, width),
        weights.embedding(f"{name}.position_embedding", config["num_patches"], width),
        _encoder(weights, config),
        preprocessing.mean,
        preprocessing.std,
        *preprocessing.frames.shape,
    )


def _encoder(weights: Weights, config: Mapping[str, Any]) -> PoolingEncoder:
    width, name = config["hidden_size"], "vision_model"
    return PoolingEncoder(
        blocks(weights, f"{name}.encoder.layers", config),
        weights.norm(f"{name}.post_layernorm", width, config["layer_norm_eps"]),
        weights.parameter(f"{name}.head.probe", 1, 1, width),
        _pooling(weights, f"{name}.head", config),
    )


def _pooling(weights: Weights, name: str, config: Mapping[str, Any]) -> FrozenBlock:
    width, inner = config["hidden_size"], config["intermediate_size"]
    qkv = linear_of(
        weights.parameter(f"{name}.attention.in_proj_weight", 3 * width, width),
        weights.parameter(f"{name}.attention.in_proj_bias", 3 * width),
    )
    return FrozenBlock(
        nn.Identity(),
        qkv,
        weights.linear(f"{name}.attention.out_proj", width, width),
        weights.norm(f"{name}.layernorm", width, config["layer_norm_eps"]),
        weights.linear(f"{name}.mlp.fc1", width, inner),
        weights.linear(f"{name}.mlp.fc2", inner, width),
        config["num_attention_heads"],
        config["hidden_act"],
    )
