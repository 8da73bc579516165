"""SigLIP, SigLIP 2 and NaFlex against transformers: texts, gradients, frames, and what goes wrong silently."""

import copy
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from data_modules.errors import InputError
from data_modules.video.decoding import VideoReader
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.prompted_text import PromptedText, TextShape
from prompt_video.backbones.siglip import load
from prompt_video.backbones.text_grid import Surroundings
from prompt_video.backbones.weights import Weights
from prompt_video.model.prompt import PromptLearner

Learner = Callable[..., PromptLearner]
Same = Callable[..., None]
POSITIONS = 64
TEXTS = ["star", "a red circle", "", "two squares moving left", "a video of the car", "ring"]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


class Siglip(NamedTuple):
    """One family: the folder of its small model, the tokens behind a text, and how a library computes one."""

    folder: Path
    end: int
    padding: int
    oracle: Callable[..., Tensor]

    def backbone(self, dtype: torch.dtype = torch.float32) -> FrozenBackbone:
        return backbone_of(self.folder, dtype)

    def plain(self, dtype: torch.dtype = torch.float32) -> Any:  # noqa: ANN401 - transformers is untyped
        """Transformers' own."""
        return plain_model(self.folder, dtype)

    def plain_text(self, model: Any, texts: PromptedText) -> Tensor:  # noqa: ANN401 - as above
        """Transformers' features of prompted texts: every text in 64 positions, without a mask."""
        read: Callable[[Tensor], Tensor] = lambda ids: model.get_text_features(input_ids=ids).pooler_output  # noqa: E731
        return self.oracle(model.text_model.embeddings, read, ([], [self.end], self.padding), POSITIONS, texts)


def backbone_of(folder: Path, dtype: torch.dtype) -> FrozenBackbone:
    own = FrozenBackbone(str(folder))
    return own if dtype == torch.float32 else copy.deepcopy(own).double()


@cache
def plain_model(folder: Path, dtype: torch.dtype) -> Any:  # noqa: ANN401 - as above
    reader: Any = transformers.AutoModel
    return reader.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").requires_grad_(False)


@pytest.fixture(params=["siglip", "siglip2", "naflex"])
def siglip(
    request: pytest.FixtureRequest, make_siglip_folder: Callable[[str], Path], plain_text: Callable[..., Tensor]
) -> Siglip:
    return Siglip(make_siglip_folder(request.param), 1, 1 if request.param == "siglip" else 0, plain_text)


def no_vectors(backbone: FrozenBackbone, tokens: list[list[int]]) -> PromptedText:
    nothing = torch.empty(0, backbone.width)
    return PromptedText(tokens, nothing, nothing, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", ["shared", "by_position"])
@pytest.mark.parametrize(("num_prefix", "num_suffix"), [(16, 16), (0, 5), (4, 0), (0, 0)])
def test_texts_equal_transformers(
    siglip: Siglip,
    dtype: torch.dtype,
    layout: str,
    num_prefix: int,
    num_suffix: int,
    learner: Learner,
    assert_same: Same,
) -> None:
    backbone, model = siglip.backbone(dtype), siglip.plain(dtype)
    prompt = learner(backbone, num_prefix=num_prefix, num_suffix=num_suffix, layout=layout)
    wanted = partial(siglip.plain_text, model)
    assert_same(backbone.encode_text, wanted, prompt, backbone.tokenize(TEXTS), TOLERANCE[dtype])


@pytest.mark.parametrize("chunk_size", [1, 4, 100])
def test_chunks_change_nothing(siglip: Siglip, chunk_size: int, learner: Learner, assert_same: Same) -> None:
    backbone = siglip.backbone(torch.float64)
    chunked, tokens = partial(backbone.encode_text, chunk_size=chunk_size), backbone.tokenize(TEXTS * 8)
    assert_same(chunked, backbone.encode_text, learner(backbone), tokens, 1e-12)


def test_whole_texts_equal_transformers(siglip: Siglip) -> None:
    """From words to features, with transformers' own tokenizer, padded as its documentation says."""
    backbone, reader = siglip.backbone(), cast(Any, transformers.AutoTokenizer)
    tokenizer = reader.from_pretrained(siglip.folder)
    ids = tokenizer(TEXTS, padding="max_length", max_length=POSITIONS, padding_side="right", return_tensors="pt")
    wanted = siglip.plain().get_text_features(input_ids=ids["input_ids"]).pooler_output
    found = backbone.encode_text(no_vectors(backbone, backbone.tokenize(TEXTS)))
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_all_64_positions_are_read(siglip: Siglip) -> None:
    """Silent fault 1: texts that are padded to the longest of them have other features."""
    backbone, model = siglip.backbone(), siglip.plain()
    tokens = backbone.tokenize(["a red circle"])
    short = model.get_text_features(input_ids=torch.tensor([[*tokens[0], siglip.end]])).pooler_output
    found = backbone.encode_text(no_vectors(backbone, tokens))
    assert (found - siglip.plain_text(model, no_vectors(backbone, tokens))).abs().max() < 1e-5
    assert (found - short).abs().max() > 1e-2


def test_padding_is_not_masked(siglip: Siglip) -> None:
    """Silent fault 2: with an attention mask the features are others."""
    backbone, model = siglip.backbone(), siglip.plain()
    (tokens,) = backbone.tokenize(["a red circle"])
    ids = torch.tensor([[*tokens, siglip.end, *[siglip.padding] * (POSITIONS - len(tokens) - 1)]])
    mask = (torch.arange(POSITIONS) <= len(tokens)).long()[None]
    found = backbone.encode_text(no_vectors(backbone, [tokens]))
    assert (found - model.get_text_features(input_ids=ids).pooler_output).abs().max() < 1e-5
    assert (found - model.get_text_features(input_ids=ids, attention_mask=mask).pooler_output).abs().max() > 1e-2


def test_texts_are_made_canonical(siglip: Siglip) -> None:
    """Silent fault 3: capitals and punctuation are other words to the tokenizer, and it says nothing."""
    backbone = siglip.backbone()
    plain, written = backbone.tokenize(["a red circle", "A Red, (circle)! \n"])
    assert written == plain
    assert backbone.tokenize(["moving_left  Star"]) == backbone.tokenize(["moving left star"])
    reader: Any = transformers.AutoTokenizer
    tokenizer = reader.from_pretrained(siglip.folder)
    if siglip.padding == 0:  # SigLIP 2's keeps the comma, which is the fault
        assert tokenizer("a red, circle", add_special_tokens=False)["input_ids"] != plain
    else:
        assert tokenizer("A Red, (circle)!", add_special_tokens=False)["input_ids"] == plain


def test_sizes_and_the_calibrated_score(siglip: Siglip) -> None:
    backbone = siglip.backbone()
    facts = backbone.facts
    assert backbone.text_shape == TextShape(32, POSITIONS, 1)
    assert backbone.embed_dim == 40
    assert facts.temperature == pytest.approx(torch.tensor(-3.0).exp().item())
    assert facts.bias == pytest.approx(-7.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["siglip", "siglip2"])
def test_frames_equal_transformers(make_siglip_folder: Callable[[str], Path], kind: str, dtype: torch.dtype) -> None:
    folder = make_siglip_folder(kind)
    pixels = torch.randint(0, 256, (5, 3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    wanted = plain_model(folder, dtype).get_image_features(((pixels / 255).to(dtype) - 0.5) / 0.5).pooler_output
    found = backbone_of(folder, dtype).encode_frames(pixels)
    assert (found - wanted).abs().max() <= TOLERANCE[dtype] * wanted.abs().max()
    assert found.norm(dim=1).sub(1).abs().max() > 0.1  # raw, not normalised


@pytest.fixture
def real_frames(videos: Path) -> list[Tensor]:
    """Of videos of several sizes and aspects."""
    names = ("cleaning_pool_h264.mp4", "odd_size_vp9.webm", "rotated_90.mov", "apply_eye_makeup_mpeg4.avi")
    frames = []
    for name in names:
        with VideoReader(videos / name) as reader:
            moment = np.array([reader.timeline.start_sec])
            frames.append(reader.decode(moment, lambda frame: frame)[0][0])
    return frames


def test_naflex_frames_equal_transformers(make_siglip_folder: Callable[[str], Path], real_frames: list[Tensor]) -> None:
    """One batch of frames of several aspects; fp32, as transformers resizes positions in it."""
    folder = make_siglip_folder("naflex")
    processor = transformers.Siglip2ImageProcessor.from_pretrained(folder)
    inputs = processor(real_frames, return_tensors="pt")
    assert len(inputs["spatial_shapes"].unique(dim=0)) > 1
    wanted = plain_model(folder, torch.float32).get_image_features(**inputs).pooler_output
    backbone = FrozenBackbone(str(folder))
    found = backbone.encode_frames(torch.stack([backbone.frames(frame) for frame in real_frames]))
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


@pytest.mark.parametrize("kind", ["siglip", "siglip2"])
def test_real_frames_are_squashed_as_transformers_does(
    make_siglip_folder: Callable[[str], Path], real_frames: list[Tensor], kind: str
) -> None:
    """The whole frame, with the filter of the checkpoint: bicubic of the first, bilinear of the second."""
    folder = make_siglip_folder(kind)
    backbone, processor = FrozenBackbone(str(folder)), cast(Any, SiglipImageProcessorPil).from_pretrained(folder)
    assert backbone.frames.recipe == f"squash24-{'bicubic' if kind == 'siglip' else 'bilinear'}-antialias"
    assert backbone.frames.places == ("center",)
    for frame in real_frames:
        (wanted,) = processor(frame.numpy(), return_tensors="pt", input_data_format="channels_first")["pixel_values"]
        found = (backbone.frames(frame) / 255 - backbone.mean) / backbone.std
        assert (found - wanted).abs().max() <= 3 / 127.5
        assert (found - wanted).abs().mean() <= 0.1 / 127.5


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 0.1), ("float16", 0.02)])
def test_half_precision(siglip: Siglip, dtype: str, tolerance: float, learner: Learner) -> None:
    plain, half = siglip.backbone(), FrozenBackbone(str(siglip.folder), dtype)  # type: ignore[arg-type]
    frames = torch.stack([plain.frames(torch.randint(0, 256, (3, 40, 60), dtype=torch.uint8)) for _ in range(3)])
    texts = learner(plain).surround(plain.tokenize(TEXTS))
    for found, wanted in (
        (half.encode_frames(frames), plain.encode_frames(frames)),
        (half.encode_text(texts), plain.encode_text(texts)),
    ):
        assert found.dtype == torch.float32
        assert (found - wanted).abs().max() <= tolerance * wanted.abs().max()


def change_config(folder: Path, part: str, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    config[part].update(values)
    (folder / "config.json").write_text(json.dumps(config))


def no_pooling_head(folder: Path) -> None:
    change_config(folder, "vision_config", vision_use_head=False)


def no_texts(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    del config["text_config"]
    (folder / "config.json").write_text(json.dumps(config))


def one_weight_less(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["text_model.head.bias"]
    save_file(weights, folder / "model.safetensors")


def one_weight_more(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "text_model.extra": torch.zeros(1)}, folder / "model.safetensors")


def another_tokenizer(folder: Path) -> None:
    change_config(folder, "text_config", vocab_size=32000)


def no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "spiece.model"):
        (folder / name).unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_pooling_head, "no pooling head"),
        (no_texts, "describes no text encoder"),
        (one_weight_less, "lack text_model.head.bias"),
        (one_weight_more, "unexpected is text_model.extra"),
        (another_tokenizer, "weights are for 32,000"),
        (no_tokenizer, "no tokenizer"),
    ],
)
def test_what_is_no_whole_siglip_is_told_of_in_a_sentence(
    siglip: Siglip, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    folder = shutil.copytree(siglip.folder, tmp_path / "model")
    damage(folder)
    with pytest.raises(InputError, match=message) as told:
        FrozenBackbone(str(folder))
    assert "\n" not in str(told.value)


def test_a_missing_library_is_told_of_with_the_line_that_installs_it(
    make_siglip_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(make_siglip_folder("siglip"), tmp_path / "model")
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(InputError, match=r"pip install 'prompt-video\[siglip\]'"):
        FrozenBackbone(str(folder))


# What a model is on the hub: sizes of its towers, its tokens, and the patches of its frames.
# Of so400m six layers of 27, which are alike and take a minute.
SO400M = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 6, "num_attention_heads": 16}
REAL: dict[str, tuple[str, dict[str, int], dict[str, int]]] = {
    "siglip-base-patch16-224": ("siglip", {}, {}),
    "siglip2-base-patch16-256": ("siglip2", {"vocab_size": 256_000}, {"image_size": 256}),
    "siglip2-base-patch16-naflex": ("naflex", {"vocab_size": 256_000}, {}),
    "siglip-so400m-patch14-384": ("siglip", SO400M, {**SO400M, "image_size": 384, "patch_size": 14}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(REAL))
def test_real_shapes_equal_transformers(
    siglip_model: Callable[..., Any],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    assert_same: Same,
    plain_text: Callable[..., Tensor],
) -> None:
    """Towers of the models' own sizes, on the very weights of transformers' model; texts, gradients and frames."""
    kind, text, vision = REAL[name]
    model = siglip_model(kind, text, vision)
    (tmp_path / "config.json").write_text(json.dumps(model.config.to_dict()))
    monkeypatch.setattr(CheckpointFiles, "weights", lambda _: Weights(name, dict(model.state_dict())))
    around = Surroundings((), (1,), 0, reads_last=True)
    monkeypatch.setattr("prompt_video.backbones.siglip.tokenizer_of", lambda *_: (OfNumbers(), around))
    towers = load(CheckpointFiles(name, tmp_path))
    prompt, tokens = PromptLearner(towers.text.shape, 4, 4), [[], list(range(30, 50))]
    wanted = partial(Siglip(tmp_path, 1, 0, plain_text).plain_text, model)
    assert_same(partial(towers.text, chunk_size=None), wanted, prompt, tokens, 2e-5)
    frames = torch.randint(0, 256, (1, 3, 240, 426), dtype=torch.uint8)
    with torch.no_grad():
        if kind == "naflex":
            inputs: Any = transformers.Siglip2ImageProcessor()(list(frames), return_tensors="pt")
            found = towers.vision(towers.facts.frames(frames))
        else:
            pixels = (towers.facts.frames(frames) / 255 - 0.5) / 0.5
            inputs, found = {"pixel_values": pixels}, towers.vision(pixels)
        wanted_frames = model.get_image_features(**inputs).pooler_output
    assert (found - wanted_frames).abs().max() <= 2e-5 * wanted_frames.abs().max()


class OfNumbers:
    """A tokenizer that is not asked."""

    special_ids: frozenset[int] = frozenset()

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        raise AssertionError

    def token(self, number: int) -> str:
        raise AssertionError
