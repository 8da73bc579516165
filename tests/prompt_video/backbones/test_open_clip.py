"""Models of open_clip against open_clip itself: texts with vectors, gradients, frames, tokens, and wrong names."""

import copy
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from data_modules.errors import InputError
from data_modules.video.decoding import VideoReader
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.families import source_of
from prompt_video.backbones.names import SHORT_NAMES
from prompt_video.backbones.open_clip_models import Undrawn
from prompt_video.backbones.open_clip_names import PREFIX, OpenClipModel
from prompt_video.backbones.open_clip_towers import OpenClipVisionTower, text_tower, vision_tower
from prompt_video.backbones.prompted_text import PromptedText, TextShape
from prompt_video.backbones.vision_tower import VisionTower
from prompt_video.model.prompt import PromptLearner
from tests.random_weights import fill

TEXTS = ["star", "a red circle", "", "two squares moving to the left", "A star!"]
OPEN_CLIP_TIMM = {"image_size": 32, "timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": None}
KINDS = ("laion", "dfn", "pe", "mobile")
Same = Callable[..., None]
Plain = Callable[[Any, Any], Callable[[PromptedText], Tensor]]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


@cache
def library_of(folder: Path) -> tuple[Any, Any, Any]:
    """open_clip's own model, what it does to frames, and its tokenizer."""
    import open_clip

    library: Any = open_clip
    name = f"local-dir:{folder}"
    model, _, transform = library.create_model_and_transforms(name)
    return model.eval().requires_grad_(False), transform, library.get_tokenizer(name)


def backbone_of(folder: Path, dtype: torch.dtype = torch.float32) -> FrozenBackbone:
    backbone = FrozenBackbone(f"open_clip:local-dir:{folder}")
    return backbone if dtype == torch.float32 else copy.deepcopy(backbone).double()


@pytest.fixture
def plain(plain_text: Callable[..., Tensor]) -> Plain:
    """How a model of open_clip, with its tokenizer, reads texts itself."""

    def reads(model: Any, tokenizer: Any) -> Callable[[PromptedText], Tensor]:  # noqa: ANN401 - open_clip is untyped
        inner, around = getattr(model, "text", model), ([tokenizer.sot_token_id], [tokenizer.eot_token_id], 0)
        return partial(plain_text, inner, model.encode_text, around, inner.context_length)

    return reads


@pytest.mark.parametrize(
    ("layout", "dtype"),
    [
        ("shared", torch.float64),
        pytest.param("by_position", torch.float64, marks=pytest.mark.slow),
        pytest.param("shared", torch.float32, marks=pytest.mark.slow),
        pytest.param("by_position", torch.float32, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_texts_equal_open_clip(
    make_open_clip_folder: Callable[[str], Path],
    kind: str,
    layout: str,
    dtype: torch.dtype,
    learner: Callable[..., PromptLearner],
    assert_same: Same,
    plain: Plain,
) -> None:
    backbone = backbone_of(make_open_clip_folder(kind), dtype)
    model, _, tokenizer = library_of(make_open_clip_folder(kind))
    wanted, tokens = plain(copy.deepcopy(model).to(dtype), tokenizer), backbone.tokenize(TEXTS)
    for num_prefix, num_suffix in ((4, 4), (0, 3), (0, 0)):
        prompt = learner(backbone, num_prefix=num_prefix, num_suffix=num_suffix, layout=layout)
        for encode in (backbone.encode_text, partial(backbone.encode_text, chunk_size=2)):
            assert_same(encode, wanted, prompt, tokens, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_frames_equal_open_clip(
    make_open_clip_folder: Callable[[str], Path], videos: Path, kind: str, dtype: torch.dtype
) -> None:
    """From the same pixels the same features; and from a video's frames the pixels of open_clip's own transform."""
    backbone, (model, transform, _) = (
        backbone_of(make_open_clip_folder(kind), dtype),
        library_of(make_open_clip_folder(kind)),
    )
    assert isinstance(backbone.towers.vision, VisionTower if kind in ("laion", "dfn") else OpenClipVisionTower)
    for video in ("cleaning_pool_h264.mp4", "rotated_90.mov"):
        with VideoReader(videos / video) as reader:
            frame = reader.decode(np.array([reader.timeline.start_sec]), lambda frame: frame)[0][0]
        pixels = backbone.frames(frame)
        normalised = ((pixels / 255).to(dtype) - backbone.mean) / backbone.std
        theirs = transform(Image.fromarray(frame.permute(1, 2, 0).numpy()))
        assert (normalised - theirs).abs().max() <= 3 / 255 / min(backbone.facts.std)
        wanted = copy.deepcopy(model).to(dtype).encode_image(normalised[None])
        found = backbone.encode_frames(pixels[None])
        assert (found - wanted).abs().max() <= TOLERANCE[dtype] * wanted.abs().max()


def test_facts_are_the_models(make_open_clip_folder: Callable[[str], Path]) -> None:
    backbone = backbone_of(make_open_clip_folder("pe"))
    facts = backbone.facts
    assert backbone.text_shape == TextShape(24, 32, 2)
    assert backbone.embed_dim == 64
    assert facts.frames.recipe == "squash32-bilinear-antialias"
    assert facts.temperature == pytest.approx(torch.tensor(-4.0).exp().item())
    assert facts.bias is None
    assert (
        backbone_of(make_open_clip_folder("laion")).facts.configured
        != backbone_of(make_open_clip_folder("dfn")).facts.configured
    )


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_tokens_are_open_clips(make_open_clip_folder: Callable[[str], Path], count: int) -> None:
    backbone, (_, _, tokenizer) = (
        backbone_of(make_open_clip_folder("laion")),
        library_of(make_open_clip_folder("laion")),
    )
    words = ["A", "dog's", "running", "ünïcödé", "42", "(left)", "it&amp;s", "JUMP!", "滑板", "😀", "e.g.", "x_y"]
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(words, size)) for size in generator.integers(0, 9, count)]
    wanted = tokenizer(texts)
    for text, tokens, row in zip(texts, backbone.tokenize(texts), wanted, strict=True):
        assert row[: len(tokens) + 2].tolist() == [tokenizer.sot_token_id, *tokens, tokenizer.eot_token_id], text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B-61", r"no architecture 'ViT-B-61'; did you mean 'ViT-B-16'\?"),
        ("ViT-B-16", "names no weights; write open_clip:ViT-B-16:<weights>, which is one of openai, "),
        ("ViT-B-16:laion2b_s34b_b88", "no file laion2b_s34b_b88.*did you mean 'laion2b_s34b_b88k'"),
        ("ViT-H-14-quickgelu:FILE", "differ in it; put the file into a folder with its open_clip_config.json"),
        ("ViT-B-16-plus:FILE", "are none; put the file into a folder"),
        ("ViT-H-14-quickgelu:laion2b_s32b_b79k", "no file laion2b_s32b_b79k"),
        ("MobileCLIP2-S0:FILE", "open_clip says: "),
        ("local-dir:FOLDER", "open_clip says: "),
    ],
)
def test_wrong_names_are_told_of_in_a_sentence(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "weights.pt").write_bytes(b"no weights")
    name = name.replace("FILE", str(tmp_path / "weights.pt")).replace("FOLDER", str(tmp_path))
    with pytest.raises(InputError, match=message) as told:
        FrozenBackbone(f"open_clip:{name}")
    assert "\n" not in str(told.value)


def test_a_folder_of_ones_own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert OpenClipModel.of("open_clip:local-dir:~/mine").architecture == f"local-dir:{tmp_path / 'mine'}"


def test_a_folder_without_weights_is_no_random_model(
    make_open_clip_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """open_clip would draw some, and say so in a line of its log."""
    text = (make_open_clip_folder("laion") / "open_clip_config.json").read_text()
    (tmp_path / "open_clip_config.json").write_text(text)
    with pytest.raises(InputError, match="could not be loaded"):
        FrozenBackbone(f"open_clip:local-dir:{tmp_path}")


def test_no_weights_are_drawn_where_those_of_a_file_come() -> None:
    """By torch's ways of drawing, and by timm's."""
    import timm.layers

    of_timm: Any = timm.layers
    ways = (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, nn.init.xavier_uniform_, nn.init.ones_)
    for draw in (*ways, nn.init.trunc_normal_, of_timm.trunc_normal_, of_timm.trunc_normal_tf_):
        weight = torch.full((4, 4), 7.0)
        before = torch.get_rng_state()
        with Undrawn():
            draw(weight)
            nn.Linear(4, 4)
        assert torch.equal(torch.get_rng_state(), before)


def test_weights_of_a_file_are_prepared_for_as_the_others_of_its_architecture(tmp_path: Path) -> None:
    """open_clip would take OpenAI's mean and crop for PE-Core, without a word."""
    path = tmp_path / "weights.pt"
    path.touch()
    found = OpenClipModel.of(f"open_clip:PE-Core-B-16:{path}")
    assert found.pixels == {
        "mean": (0.5,) * 3,
        "std": (0.5,) * 3,
        "interpolation": "bilinear",
        "resize_mode": "squash",
    }
    assert OpenClipModel.of("open_clip:PE-Core-B-16").weights == "meta"
    assert OpenClipModel.of("open_clip:ViT-B/16:openai").quick_gelu


@pytest.mark.parametrize("name", [short for short, named in SHORT_NAMES.items() if named.full.startswith(PREFIX)])
def test_short_names_are_models_of_open_clip(name: str) -> None:
    found = source_of(name)
    assert isinstance(found, OpenClipModel)
    assert found.repository is not None


def test_a_missing_extra_is_told_of_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(InputError, match=r"pip install 'prompt-video\[open-clip\]'"):
        FrozenBackbone("open_clip:ViT-B-16:openai")


def assert_same_texts(name: str, text: Any, tokenizer: Any, plain: Any, assert_same: Same) -> None:  # noqa: ANN401 - open_clip's
    """Features of two texts in learned vectors, by our tower and by the library."""
    tower = text_tower(name, text, tokenizer.sot_token_id, tokenizer.eot_token_id)
    tokens = map(tokenizer.encode, TEXTS[2:4])
    learner = PromptLearner(tower.shape, 4, 4, init_std=0.05)
    assert_same(partial(tower, chunk_size=None), plain, learner, list(tokens), 2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture",
    [
        "ViT-B-32",
        "ViT-B-16-quickgelu",
        "EVA02-B-16",
        "PE-Core-S-16-384",
        "PE-Core-B-16",
        "PE-Core-L-14-336",
        "MobileCLIP2-S0",
        "MobileCLIP2-S2",
        "MobileCLIP2-B",
        "MobileCLIP2-S3",
        "MobileCLIP2-S4",
        "MobileCLIP2-L-14",
    ],
)
def test_real_shapes_equal_open_clip(architecture: str, assert_same: Same, plain: Plain) -> None:
    import open_clip

    library: Any = open_clip
    torch.manual_seed(0)
    with Undrawn():
        model = library.create_model(architecture).eval().requires_grad_(False)
    fill(model)
    inner, tokenizer = getattr(model, "text", model), library.get_tokenizer(architecture)
    assert_same_texts(architecture, inner, tokenizer, plain(model, tokenizer), assert_same)
    if architecture == "PE-Core-L-14-336":
        return  # its frames, which timm encodes for both, take as long as all else, and B's are compared
    size = library.get_model_preprocess_cfg(model)["size"]
    size = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    frames = torch.randn(1, 3, *size)
    with torch.no_grad():
        found, wanted = vision_tower(model.visual, size)(frames), model.encode_image(frames)
    assert (found - wanted).abs().max() <= 2e-5 * wanted.abs().max()


@pytest.mark.slow
def test_texts_of_the_largest_pe_core_equal_open_clip(assert_same: Same, plain: Plain) -> None:
    """Six layers of its text encoder; its image encoder, which is timm's and called as it is, would take 8 GiB."""
    import open_clip

    library: Any = open_clip
    config = library.get_model_config("PE-Core-bigG-14-448")
    torch.manual_seed(0)
    with Undrawn():
        texts = {**config["text_cfg"], "layers": 6}
        model = library.CustomTextCLIP(config["embed_dim"], OPEN_CLIP_TIMM, texts).requires_grad_(False)
    fill(model)
    tokenizer = library.get_tokenizer("PE-Core-bigG-14-448")
    assert_same_texts("PE-Core G", model.text, tokenizer, plain(model, tokenizer), assert_same)
