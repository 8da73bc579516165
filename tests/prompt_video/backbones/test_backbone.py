"""The frozen CLIP: loading, sharing, frames."""

import gc
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.clip import MEAN, STD
from prompt_video.backbones.prompted_text import PromptedText


def pixels(number: int = 5, size: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (number, 3, size, size), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("hidden_act", ["quick_gelu", "gelu"])
def test_frames_equal_transformers(make_clip_folder: Callable[..., Path], hidden_act: str) -> None:
    folder = make_clip_folder(hidden_act)
    backbone = FrozenBackbone(str(folder))
    model: Any = transformers.CLIPModel.from_pretrained(folder, attn_implementation="sdpa")
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        wanted = model.get_image_features((pixels() / 255 - mean) / std).pooler_output
    found = backbone.encode_frames(pixels())
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()
    assert found.norm(dim=1).sub(1).abs().max() > 0.1  # raw, not normalised


def test_frames_of_any_number(backbone: FrozenBackbone) -> None:
    many = backbone.encode_frames(pixels(40))
    torch.testing.assert_close(many[7:8], backbone.encode_frames(pixels(40)[7:8]))
    assert backbone.encode_frames(pixels(0)).shape == (0, backbone.embed_dim)


def test_frames_of_any_number_are_one_graph(backbone: FrozenBackbone) -> None:
    """What an export needs: no number of frames is written into it."""

    class OfVideos(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vision = backbone.towers.vision

        def forward(self, frames: Tensor) -> Tensor:
            return torch.unflatten(self.vision(frames.flatten(0, 1)), 0, frames.shape[:2])

    axes = {0: torch.export.Dim("videos", min=1), 1: torch.export.Dim("num_frames", min=1)}
    drawn = torch.Generator().manual_seed(0)
    few, many = (torch.randn(*size, 3, 16, 16, generator=drawn) for size in ((2, 3), (3, 5)))
    graph: Any = torch.export.export(OfVideos(), (few,), dynamic_shapes=(axes,)).module()
    assert (graph(many) - OfVideos()(many)).abs().max() < 1e-5


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 0.1), ("float16", 0.02)])
def test_frames_in_half_precision(backbone: FrozenBackbone, clip_folder: Path, dtype: str, tolerance: float) -> None:
    found = FrozenBackbone(str(clip_folder), dtype).encode_frames(pixels())  # type: ignore[arg-type]
    wanted = backbone.encode_frames(pixels())
    assert found.dtype == torch.float32
    assert (found - wanted).abs().max() <= tolerance * wanted.abs().max()


def test_mean_and_std_of_the_checkpoint(clip_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    settings = {"image_processor_type": "CLIPImageProcessor", "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    backbone = FrozenBackbone(str(folder))
    assert backbone.mean.flatten().tolist() == [0.5] * 3
    assert backbone.std.flatten().tolist() == [0.25] * 3


def test_sizes(backbone: FrozenBackbone) -> None:
    assert (backbone.width, backbone.embed_dim, backbone.context_length, backbone.frames.shape) == (
        32,
        24,
        77,
        (16, 16),
    )


def test_tokens_are_the_texts_own(backbone: FrozenBackbone, clip_folder: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip_folder)
    texts = ["a star", "", "the red star " * 40]
    assert backbone.tokenize(texts) == [tokenizer(text, verbose=False)["input_ids"][1:-1] for text in texts]
    assert backbone.tokenize([]) == []


def test_tokens_of_texts_without_end_are_forgotten(backbone: FrozenBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prompt_video.backbones.backbone.MOST_TOKENIZED", 10)
    expected = backbone.tokenize(["star"])
    for number in range(0, 60, 4):
        texts = ["star", *(f"star {k}" for k in range(number, number + 4))]
        assert backbone.tokenize(texts)[0] == expected[0]
        assert len(backbone._tokens) <= 10 + len(texts)
    many = [f"star {number}" for number in range(30)]
    assert backbone.tokenize(many) == [backbone.tokenize([text])[0] for text in many], "also more of them than are kept"


def test_always_frozen(backbone: FrozenBackbone) -> None:
    backbone.train()
    assert not any(module.training for module in backbone.modules())
    assert not any(weight.requires_grad for weight in backbone.parameters())
    assert not backbone.encode_frames(pixels()).requires_grad


def test_two_share_one_set_of_weights(clip_folder: Path) -> None:
    one, other = FrozenBackbone(str(clip_folder)), FrozenBackbone(str(clip_folder))
    addresses = [[weight.data_ptr() for weight in backbone.parameters()] for backbone in (one, other)]
    assert addresses[0] == addresses[1]
    half = FrozenBackbone(str(clip_folder), "float16")
    assert next(half.parameters()).dtype == torch.float16
    assert next(one.parameters()).dtype == torch.float32


def test_weights_go_when_nobody_uses_them(clip_folder: Path) -> None:
    import weakref

    backbone = FrozenBackbone(str(clip_folder), "float16")
    towers = weakref.ref(backbone.towers)
    del backbone
    gc.collect()
    assert towers() is None


def test_a_rewritten_folder_is_read_again(clip_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    before = FrozenBackbone(str(folder))
    weights = load_file(folder / "model.safetensors")
    weights["logit_scale"] += 1e-3
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert FrozenBackbone(str(folder)).fingerprint != before.fingerprint


def test_fingerprint_is_of_the_values(backbone: FrozenBackbone, clip_folder: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(clip_folder, tmp_path / "elsewhere")
    weights = load_file(elsewhere / "model.safetensors")
    (elsewhere / "model.safetensors").unlink()
    torch.save(weights, elsewhere / "pytorch_model.bin")
    assert FrozenBackbone(str(elsewhere)).fingerprint == backbone.fingerprint
    assert FrozenBackbone(str(clip_folder), "bfloat16").fingerprint == backbone.fingerprint


def test_plain_texts_equal_transformers(backbone: FrozenBackbone, clip_folder: Path) -> None:
    """With no learned vectors, transformers' own tokens and features."""
    model: Any = transformers.CLIPModel.from_pretrained(clip_folder, attn_implementation="sdpa")
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip_folder)
    texts = ["a star", "two red rings", "car"]
    tokens = tokenizer(texts, padding="max_length", max_length=77, return_tensors="pt")
    nothing = torch.empty(0, backbone.width)
    with torch.no_grad():
        wanted = model.get_text_features(**tokens).pooler_output
        found = backbone.encode_text(PromptedText(backbone.tokenize(texts), nothing, nothing, 0))
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_loading_is_silent(clip_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FrozenBackbone(str(folder)).tokenize(["star " * 100])
    assert capfd.readouterr() == ("", "")
    assert transformers.utils.logging.is_progress_bar_enabled()


def damage_nothing_there(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def damage_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])


def damage_one_layer(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop("text_model.encoder.layers.1.mlp.fc1.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def damage_an_unknown_layer(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["text_model.encoder.layers.9.mlp.fc1.weight"] = torch.zeros(2)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def damage_a_shape(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["text_projection.weight"] = torch.zeros(3, 32)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def damage_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def damage_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    config.update(changes)
    (folder / "config.json").write_text(json.dumps({name: part for name, part in config.items() if part != "nothing"}))


def damage_kind(folder: Path) -> None:
    change_config(folder, model_type="clpi")


def damage_to_another_kind(folder: Path) -> None:
    change_config(folder, model_type="bert")


def damage_to_vision_only(folder: Path) -> None:
    change_config(folder, text_config="nothing")


def damage_activation(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["hidden_act"] = "relu"
    (folder / "config.json").write_text(json.dumps(config))


def damage_no_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


def damage_words(folder: Path) -> None:
    change_vocabulary(folder, lambda model: (model["vocab"].pop("the</w>"), model["merges"].pop()))


def damage_signs(folder: Path) -> None:
    change_vocabulary(folder, lambda model: model["vocab"].update({"new": model["vocab"].pop("z")}))


def damage_merges(folder: Path) -> None:
    change_vocabulary(folder, lambda model: model["merges"].clear())


def change_vocabulary(folder: Path, change: Callable[[Any], object]) -> None:
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    change(content["model"])
    path.write_text(json.dumps(content))


def damage_temperature(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["logit_scale"] = torch.tensor(float("nan"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def damage_temperature_by_far(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["logit_scale"] = torch.tensor(-1000.0)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def damage_by_quantising(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["visual_projection.weight"] = weights["visual_projection.weight"].to(torch.int8)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def damage_by_wrapping(folder: Path) -> None:
    torch.save({"state_dict": load_file(folder / "model.safetensors")}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def damage_the_index(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": ["model-00001-of-00001.safetensors"]}')


def damage_a_number(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["visual_projection.weight"][0, 0] = torch.inf
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damage_no_tokenizer, "it has no tokenizer: fetch its tokenizer.json"),
        (damage_words, "has 520 tokens, and its weights are for 521"),
        (damage_signs, "lacks 1 of the 512 signs"),
        (damage_merges, "does not read the words of its own vocabulary: the merges are missing"),
        (damage_nothing_there, "local folder with a HuggingFace model"),
        (damage_weights, "local folder with a HuggingFace model"),
        (damage_one_layer, "they lack text_model.encoder.layers.1.mlp.fc1.weight"),
        (damage_activation, "activation 'relu'"),
        (damage_an_unknown_layer, r"unexpected is text_model\.encoder\.layers\.9\.mlp\.fc1\.weight"),
        (damage_a_shape, r"in shape text_projection\.weight is \(3, 32\) instead of \(24, 32\)"),
        (damage_no_weights, "it has no weights, model.safetensors or pytorch_model.bin"),
        (damage_config, "its config.json cannot be read"),
        (damage_kind, "says that it is a 'clpi'; did you mean 'clip'"),
        (damage_to_another_kind, "says that it is a 'bert', and models of images and texts are read of the kinds clip"),
        (damage_to_vision_only, "describes no text encoder: only models of images and texts"),
        (damage_temperature, "is damaged: its logit_scale is not finite"),
        (damage_temperature_by_far, r"is damaged: its logit_scale is -1000\.0"),
        (damage_a_number, "is damaged: its visual_projection.weight is not finite"),
        (damage_by_quantising, r"visual_projection.weight is of whole numbers \(int8\), as if quantised"),
        (damage_by_wrapping, "pytorch_model.bin holds something else than weights by their names"),
        (damage_the_index, "does not say in which file each weight is"),
    ],
)
def test_damaged_folder(clip_folder: Path, tmp_path: Path, damage: Callable[[Path], None], says: str) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    damage(folder)
    with pytest.raises(InputError, match=says) as caught:
        FrozenBackbone(str(folder))
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        (
            "config.json",
            {"projection_dim": "x"},
            'says that projection_dim is "x", which should be a whole number above 0',
        ),
        ("config.json", {"text_config": {"hidden_size": None}}, "says that text_config.hidden_size is null"),
        ("config.json", {"text_config": {"vocab_size": 1.5}}, "says that text_config.vocab_size is 1.5"),
        (
            "config.json",
            {"text_config": {"layer_norm_eps": float("nan")}},
            "layer_norm_eps is NaN, which should be a n",
        ),
        ("config.json", {"text_config": {"num_attention_heads": 7}}, "among 7 heads, which leaves a remainder"),
        ("config.json", {"text_config": {"hidden_act": ["gelu"]}}, "which should be a word"),
        (
            "config.json",
            {"vision_config": {"patch_size": 0}},
            "says that vision_config.patch_size is 0, which should be",
        ),
        ("config.json", {"vision_config": {"image_size": [16, 24]}}, "the image_size 16 x 24, and only squares"),
        ("preprocessor_config.json", {"image_mean": [float("nan"), 0.5, 0.5]}, "a deviation that is no three numbers"),
        ("preprocessor_config.json", {"image_std": [0.5, 0.5, 0]}, "has deviations that are not above 0"),
    ],
)
def test_what_files_say_that_cannot_be(
    clip_folder: Path, tmp_path: Path, file: str, change: dict[str, Any], says: str
) -> None:
    path = shutil.copytree(clip_folder, tmp_path / "clip") / file
    content = json.loads(path.read_text()) if path.is_file() else {}
    for name, value in change.items():
        content[name] = {**content[name], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=says):
        FrozenBackbone(str(path.parent))


def test_a_file_is_no_folder(clip_folder: Path) -> None:
    with pytest.raises(InputError, match="it is a file; name the folder that it is in"):
        FrozenBackbone(str(clip_folder / "model.safetensors"))


def test_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="cannot load backbone 'nobody/no-such-clip'"):
        FrozenBackbone("nobody/no-such-clip")
