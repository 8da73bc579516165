"""Small random models of every family, and their own libraries' computation as the reference."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.model.prompt import PromptLearner
from tests.random_weights import made

WORDS = ("star", "red", "circle", "moving", "left", "the", "car", "ring", "two", "squares", "video", "of", "a", "top")


Encode = Callable[[PromptedText], Tensor]


def with_gradient(encode: Encode, prompt: PromptLearner, tokens: list[list[int]]) -> list[Tensor]:
    """Features of prompted texts, and the gradient of the learned vectors."""
    prompt.zero_grad()
    features = encode(prompt.surround(tokens))
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(2)).to(features.dtype)
    if features.requires_grad:  # without learned vectors there is none to be had
        torch.autograd.backward((features * weights).sum())
    gradient = torch.zeros_like(prompt.context) if prompt.context.grad is None else prompt.context.grad.clone()
    return [features.detach(), gradient]


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Encode, Encode, PromptLearner, list[list[int]], float], None]:
    """Asserts that two ways of encoding texts give the same features and gradients, within a share of the largest."""

    def check(ours: Encode, wanted: Encode, prompt: PromptLearner, tokens: list[list[int]], tolerance: float) -> None:
        pairs = zip(with_gradient(ours, prompt, tokens), with_gradient(wanted, prompt, tokens), strict=True)
        for one, other in pairs:
            assert one.shape == other.shape
            assert one.isfinite().all()
            if other.numel():
                assert (one - other).abs().max() <= tolerance * other.abs().max()

    return check


@pytest.fixture(scope="session")
def learner() -> Callable[..., PromptLearner]:
    """Makes a prompt for a backbone, in its precision; its vectors are not small, so that errors in them are seen."""

    def make(backbone: FrozenBackbone, **settings: Any) -> PromptLearner:  # noqa: ANN401 - its options
        torch.manual_seed(1)
        prompt = PromptLearner(backbone.text_shape, **settings, init_std=0.5)
        return prompt.to(backbone.towers.text.token_embedding.weight.dtype)

    return make


def gemma_like() -> Tokenizer:
    """SigLIP 2's rules: BPE over characters with bytes to fall back on, blanks as signs, one end token behind."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    vocab = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *map(chr, range(33, 127))]
    merges: list[tuple[str, str]] = []
    for word in (*WORDS, *(f"\u2581{word}" for word in WORDS)):
        for end in range(1, len(word)):
            pair = word[:end], word[end]
            if "".join(pair) not in vocab:
                vocab.append("".join(pair))
                merges.append(pair)
    numbers = {token: number for number, token in enumerate(vocab)}
    tokenizer = Tokenizer(
        models.BPE(vocab=numbers, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing("$A <eos>", special_tokens=[("<eos>", numbers["<eos>"])])
    tokenizer.add_special_tokens(special)
    return tokenizer


def write_sentencepiece(folder: Path) -> int:
    """SigLIP's own file, trained on a few words; returns how many tokens it has."""
    import sentencepiece

    sentences = [" ".join(WORDS[start:] + WORDS[:start]) for start in range(len(WORDS))] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*sentences, "abcdefghijklmnopqrstuvwxyz 0123456789"]),
        model_prefix=str(folder / "spiece"),
        vocab_size=80,
        hard_vocab_limit=False,
        pad_id=-1,
        bos_id=-1,
        eos_id=1,
        unk_id=2,
        control_symbols=["<pad>"],
        minloglevel=2,
    )
    (folder / "spiece.vocab").unlink()
    return int(sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model")).get_piece_size())


def random_siglip(kind: str, text: dict[str, int], vision: dict[str, int]) -> Any:  # noqa: ANN401 - transformers' own
    """One of transformers, with random weights."""
    text_config, vision_config = {"vocab_size": 32_000, **text}, dict(vision)
    if kind == "naflex":
        config: Any = transformers.Siglip2Config(text_config=text_config, vision_config=vision_config)
    else:
        config = transformers.SiglipConfig(text_config=text_config, vision_config=vision_config)
    for token in ("bos", "eos", "pad"):  # the defaults of transformers are CLIP's
        setattr(config.text_config, f"{token}_token_id", 1)
    maker: Any = transformers.AutoModel
    model = made(lambda: maker.from_config(config, attn_implementation="sdpa"))
    model.logit_scale.fill_(3.0)
    model.logit_bias.fill_(-7.0)
    return model


@pytest.fixture(scope="session")
def siglip_model() -> Callable[..., Any]:
    """Makes a random one."""
    return random_siglip


SMALL = {"num_attention_heads": 4, "num_hidden_layers": 3}
TEXT = {**SMALL, "hidden_size": 32, "intermediate_size": 64, "projection_size": 40}
VISION = {**SMALL, "hidden_size": 40, "intermediate_size": 80, "patch_size": 8}
SIZES = {"siglip": {"image_size": 24}, "siglip2": {"image_size": 24}, "naflex": {"num_patches": 16}}
PREPROCESSORS: dict[str, dict[str, Any]] = {
    "siglip": {"image_processor_type": "SiglipImageProcessor", "size": {"height": 24, "width": 24}, "resample": 3},
    "siglip2": {"image_processor_type": "SiglipImageProcessor", "size": {"height": 24, "width": 24}, "resample": 2},
    "naflex": {"image_processor_type": "Siglip2ImageProcessor", "patch_size": 8, "max_num_patches": 30, "resample": 2},
}


@pytest.fixture(scope="session")
def make_siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``siglip``: with SentencePiece; ``siglip2``: with a tokenizer.json; ``naflex``: of pictures of any aspect."""

    @cache
    def make(kind: str) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        settings = {"do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, **PREPROCESSORS[kind]}
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
        if kind == "siglip":
            num_tokens = write_sentencepiece(folder)
            names = {
                "tokenizer_class": "SiglipTokenizer",
                "eos_token": "</s>",
                "pad_token": "</s>",
                "unk_token": "<unk>",
            }
        else:
            tokenizer = gemma_like()
            tokenizer.save(str(folder / "tokenizer.json"))
            num_tokens = tokenizer.get_vocab_size()
            names = {
                "tokenizer_class": "GemmaTokenizer",
                "eos_token": "<eos>",
                "pad_token": "<pad>",
                "unk_token": "<unk>",
            }
        (folder / "tokenizer_config.json").write_text(json.dumps({**names, "padding_side": "right"}))
        model = random_siglip(kind, {**TEXT, "vocab_size": num_tokens}, {**VISION, **SIZES[kind]})
        model.save_pretrained(folder)
        return folder

    return make


OPEN_CLIP_VIT = {"image_size": 32, "layers": 2, "width": 32, "head_width": 8, "patch_size": 8}
OPEN_CLIP_TIMM = {"image_size": 32, "timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": None}
OPEN_CLIP_TEXT = {"vocab_size": 49408, "width": 24, "heads": 4, "layers": 3}
OPEN_CLIP_MODELS: dict[str, dict[str, Any]] = {
    "laion": {"embed_dim": 16, "vision_cfg": OPEN_CLIP_VIT, "text_cfg": OPEN_CLIP_TEXT},
    "dfn": {"embed_dim": 16, "vision_cfg": OPEN_CLIP_VIT, "text_cfg": OPEN_CLIP_TEXT, "quick_gelu": True},
    "pe": {
        "embed_dim": 64,
        "vision_cfg": OPEN_CLIP_TIMM,
        "text_cfg": {**OPEN_CLIP_TEXT, "context_length": 32},
        "custom_text": True,
    },
    "mobile": {
        "embed_dim": 64,
        "vision_cfg": OPEN_CLIP_TIMM,
        "text_cfg": {**OPEN_CLIP_TEXT, "no_causal_mask": True},
        "custom_text": True,
    },
}
OPEN_CLIP_FRAMES: dict[str, dict[str, Any]] = {
    "laion": {},
    "dfn": {"resize_mode": "squash"},
    "pe": {"resize_mode": "squash", "interpolation": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3},
    "mobile": {"interpolation": "bilinear"},
}


@pytest.fixture(scope="session")
def make_open_clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder as open_clip writes it, with random weights."""

    @cache
    def make(kind: str) -> Path:
        import open_clip

        folder = tmp_path_factory.mktemp(kind)
        about = {"model_cfg": OPEN_CLIP_MODELS[kind], "preprocess_cfg": OPEN_CLIP_FRAMES[kind]}
        (folder / "open_clip_config.json").write_text(json.dumps(about))
        torch.manual_seed(0)
        library: Any = open_clip
        model = library.create_model(f"local-dir:{folder}")
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight) * 0.1)
            model.logit_scale.fill_(4.0)
        torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
        return folder

    return make
