"""Checkpoints are read from their own files: the same weights and tokens as transformers', without it."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone


def words(count: int) -> list[str]:
    """Texts of any letters, many of them in the small vocabulary of the tests."""
    draw = random.Random(0)
    signs = "abcdefghijklmnopqrstuvwxyz  '-,.!?0123456789éüßñ漢字🙂\t"
    known = ["star", "red", "the", "doesn't", "I'LL", "<|endoftext", "A&B", ""]
    pieces = [*known, *("".join(draw.choices(signs, k=draw.randint(1, 12))) for _ in range(300))]
    return [" ".join(draw.choices(pieces, k=draw.randint(1, 6))) for _ in range(count)]


def test_tokens_are_those_of_transformers(backbone: FrozenBackbone, clip_folder: Path) -> None:
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(clip_folder)
    texts = words(10_000)
    cleaned = [backbone.towers.tokenizer.clean(text) for text in texts]  # type: ignore[attr-defined]
    wanted = tokenizer(cleaned, add_special_tokens=False, verbose=False)["input_ids"]
    assert backbone.towers.tokenizer.tokenize(texts) == wanted


def test_vocabulary_and_merges_alone_are_a_tokenizer(
    backbone: FrozenBackbone, clip_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "old")
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    old, texts = FrozenBackbone(str(folder)), words(2_000)
    assert old.tokenize(texts) == backbone.tokenize(texts)
    assert old.towers.text.surroundings == backbone.towers.text.surroundings


def as_shards(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {f"model-0000{part + 1}-of-00002.safetensors": names[part::2] for part in range(2)}
    for file, own in parts.items():
        save_file({name: weights[name] for name in own}, folder / file)
    places = {name: file for file, own in parts.items() for name in own}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def as_old_file(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    weights["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    torch.save(weights, folder / "pytorch_model.bin")


def as_half_precision(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({name: weight.half() for name, weight in weights.items()}, folder / "model.safetensors")


def as_code(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"any": Path("x")}, folder / "pytorch_model.bin")


@pytest.mark.parametrize("change", [as_shards, as_old_file])
def test_weights_of_all_kinds_of_files(
    backbone: FrozenBackbone, clip_folder: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    change(folder := shutil.copytree(clip_folder, tmp_path / "clip"))
    assert FrozenBackbone(str(folder)).fingerprint == backbone.fingerprint


def test_weights_in_half_precision_are_read_as_numbers(clip_folder: Path, tmp_path: Path) -> None:
    as_half_precision(folder := shutil.copytree(clip_folder, tmp_path / "clip"))
    assert all(weight.dtype == torch.float32 for weight in FrozenBackbone(str(folder)).parameters())


def test_files_that_could_run_code_are_refused(clip_folder: Path, tmp_path: Path) -> None:
    as_code(folder := shutil.copytree(clip_folder, tmp_path / "clip"))
    with pytest.raises(InputError, match="its weights cannot be read"):
        FrozenBackbone(str(folder))


def test_a_shard_that_is_missing_is_named(clip_folder: Path, tmp_path: Path) -> None:
    as_shards(folder := shutil.copytree(clip_folder, tmp_path / "clip"))
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(InputError, match=r"its weights cannot be read.*model-00002"):
        FrozenBackbone(str(folder))


def test_what_a_config_leaves_out_is_transformers_default(clip_folder: Path, tmp_path: Path) -> None:
    """Old checkpoints say only what differs, and some of it a second time."""
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    config = json.loads((folder / "config.json").read_text())
    for part in ("text_config", "vision_config"):
        config[part].pop("layer_norm_eps")
        config[part].pop("hidden_act")
    config["text_config_dict"] = config.pop("text_config")
    (folder / "config.json").write_text(json.dumps(config))
    changed, own = FrozenBackbone(str(folder)), FrozenBackbone(str(clip_folder))
    assert changed.facts.configured == own.facts.configured
    assert (changed.width, changed.context_length) == (own.width, own.context_length)


def test_nothing_is_drawn(clip_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    FrozenBackbone(str(folder))
    assert torch.equal(torch.random.get_rng_state(), before)
