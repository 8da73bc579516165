"""MetaCLIP 2 against transformers: texts with and without vectors, gradients, frames, tokens."""

import copy
import json
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from data_modules.errors import InputError
from data_modules.loading.transforms import Squash
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.metaclip2 import SPECIAL
from prompt_video.backbones.tokenizer import file_tokenizer
from prompt_video.model.prompt import PromptLearner

TEXTS = ["a star", "the red ring", "", "moving 漢字 zebra, quickly", "x " * 20]


def plain(folder: Path, dtype: torch.dtype) -> Any:  # noqa: ANN401 - transformers is untyped
    model: Any = transformers.MetaClip2Model.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa")
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("way", ["packed", "padded"])
@pytest.mark.parametrize("layout", ["shared", "by_position"])
@pytest.mark.parametrize("sizes", [{"num_prefix": 3, "num_suffix": 2}, {"num_prefix": 0, "num_suffix": 0}])
def test_texts_equal_transformers(
    metaclip2_folder: Path,
    dtype: torch.dtype,
    tolerance: float,
    way: str,
    layout: str,
    sizes: dict[str, int],
    learner: Callable[..., PromptLearner],
    assert_same: Callable[..., None],
    plain_text: Callable[..., Tensor],
) -> None:
    backbone: Any = copy.deepcopy(FrozenBackbone(str(metaclip2_folder))).to(dtype)
    backbone.towers.text.way = way
    model, prompt = plain(metaclip2_folder, dtype), learner(backbone, **sizes, layout=layout)
    read: Callable[[Tensor], Tensor] = lambda ids: model.get_text_features(input_ids=ids).pooler_output  # noqa: E731
    wanted = partial(plain_text, model.text_model.embeddings, read, ([0], [2], 1), 77)
    assert_same(backbone.encode_text, wanted, prompt, backbone.tokenize(TEXTS), tolerance)


def test_frames_equal_transformers(metaclip2_folder: Path) -> None:
    backbone = FrozenBackbone(str(metaclip2_folder))
    pixels = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    normalised = (pixels / 255 - backbone.mean) / backbone.std
    wanted = plain(metaclip2_folder, torch.float32).get_image_features(normalised).pooler_output
    assert (backbone.encode_frames(pixels) - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_frames_are_made_as_its_files_say(metaclip2_folder: Path) -> None:
    backbone = FrozenBackbone(str(metaclip2_folder))
    assert isinstance(backbone.frames, Squash)
    frame = torch.randint(0, 256, (3, 40, 70), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    auto: Any = transformers.AutoImageProcessor
    processor = auto.from_pretrained(metaclip2_folder)
    wanted = processor(frame, return_tensors="pt")["pixel_values"][0]
    ours = (backbone.frames(frame) / 255 - backbone.mean) / backbone.std
    assert (ours - wanted).abs().max() <= 2 / 255 / backbone.std.min()


SCRIPTS = (
    "hello world star red ring moving",
    "привет мир звезда",
    "γειά σου κόσμε",  # noqa: RUF001 - Greek
    "مرحبا بالعالم",
    "שלום עולם",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "你好世界漢字",
    "こんにちは世界カタカナ",
    "안녕하세요 세계",
    "xin chào thế giới",
    "naïve café ß ẞ İı",
)
SIGNS = (
    "🙂",
    "👩‍👩‍👧‍👦",
    "👍🏽",
    "🏳️‍🌈",
    "e\u0301",
    "ﬁ",
    "\uff26\uff35",
    "½",
    "…",
    "▁",
    "<unk",
    "</s>",
    "<mask>",
    "x" * 50,
)
ODD = (*SIGNS, *"\u200b\u202e\ufeff\u00a0\u3000\t\x01")


def of_many_scripts(count: int) -> list[str]:
    """Random texts; before them none, blanks, each script, and one of thousands of signs."""
    draw = random.Random(0)
    letters, words = [*"".join(SCRIPTS).replace(" ", "")], [*" ".join(SCRIPTS).split(), *ODD]
    words += ["".join(draw.choices(letters, k=draw.randint(1, 9))) for _ in range(400)]
    many = [(" " * draw.randint(0, 2)).join(draw.choices(words, k=draw.randint(1, 8))) for _ in range(count)]
    return ["", " ", "\n\t ", *SCRIPTS, *ODD, " ".join(words) * 3, *many]


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_tokens_of_all_scripts_are_those_of_transformers(count: int, tmp_path: Path) -> None:
    """With SentencePiece's own file, as XLM-V has it, and with the tokenizer.json that transformers makes of it."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SCRIPTS * 20),
        model_prefix=str(tmp_path / "sentencepiece.bpe"),
        vocab_size=260,
        hard_vocab_limit=False,
        character_coverage=1.0,
        minloglevel=2,
    )
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "XLMRobertaTokenizer"}')
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path / "json")
    texts = of_many_scripts(count)
    wanted = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    assert len({token for tokens in wanted for token in tokens}) > 100
    for folder in (tmp_path, tmp_path / "json"):
        files = CheckpointFiles("xlm-v", folder)
        assert file_tokenizer(files, str, SPECIAL, len(tokenizer)).tokenize(texts) == wanted


def test_tokens_are_those_of_transformers(metaclip2_folder: Path) -> None:
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(metaclip2_folder)
    backbone = FrozenBackbone(str(metaclip2_folder))
    assert [[0, *own, 2] for own in backbone.tokenize(TEXTS)] == tokenizer(TEXTS)["input_ids"]
    assert backbone.facts.family == "MetaCLIP 2"


def test_capitals_count(metaclip2_folder: Path) -> None:
    """Unlike CLIP's vocabulary, which has none."""
    one, other = FrozenBackbone(str(metaclip2_folder)).tokenize(["red", "RED"])
    assert one != other


def damage_end(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 49407
    (folder / "config.json").write_text(json.dumps(config))


def damage_vocabulary(folder: Path) -> None:
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    content["model"]["vocab"] = content["model"]["vocab"][:8]
    content["added_tokens"] = [token for token in content["added_tokens"] if token["id"] < 8]
    file.write_text(json.dumps(content))


def damage_frames(folder: Path) -> None:
    path = next(
        file for file in (folder / "preprocessor_config.json", folder / "processor_config.json") if file.is_file()
    )
    path.write_text(path.read_text().replace(": 16", ": 32"))


def damage_filter(folder: Path) -> None:
    path = next(
        file for file in (folder / "preprocessor_config.json", folder / "processor_config.json") if file.is_file()
    )
    path.write_text(path.read_text().replace('"resample": 2', '"resample": 5'))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damage_end, "its features are read at the token 49407, and its tokenizer ends texts with 2"),
        (damage_vocabulary, "has 8 tokens, and its weights are for"),
        (damage_frames, "makes pictures of 32 x 32 pixels, and its image encoder sees 16 x 16"),
        (damage_filter, "asks for the filter 5; known: 2 bilinear, 3 bicubic"),
    ],
)
def test_damaged_folder(metaclip2_folder: Path, tmp_path: Path, damage: Any, says: str) -> None:  # noqa: ANN401
    folder = shutil.copytree(metaclip2_folder, tmp_path / "copy")
    damage(folder)
    with pytest.raises(InputError, match=says):
        FrozenBackbone(str(folder))
