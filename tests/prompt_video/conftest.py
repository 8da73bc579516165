"""A tiny random CLIP, transformers' own computation as its reference, and a small run of each task, trained once."""

import copy
import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import transformers
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor, nn

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import PromptedText
from tests.small_experiments import LOCALIZATION, RECOGNITION, RETRIEVAL
from tests.small_runs import run

IMAGE_SIZE = 16


def _tokenizer() -> transformers.CLIPTokenizer:
    """CLIP's own rules over bytes and a handful of merges."""
    symbols = sorted(ByteLevel.alphabet())
    merges: Any = [("s", "t"), ("st", "a"), ("sta", "r</w>"), ("r", "e"), ("re", "d</w>"), ("t", "h"), ("th", "e</w>")]
    entries = [*symbols, *(f"{symbol}</w>" for symbol in symbols), *(left + right for left, right in merges)]
    vocab = {entry: index for index, entry in enumerate([*entries, "<|startoftext|>", "<|endoftext|>"])}
    return transformers.CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)


def _model(hidden_act: str, eos_token_id: int, vocab_size: int) -> transformers.CLIPModel:
    tower = {"num_attention_heads": 4, "num_hidden_layers": 3, "hidden_act": hidden_act}
    config = transformers.CLIPConfig(
        text_config={
            **tower,
            "hidden_size": 32,
            "intermediate_size": 64,
            "vocab_size": vocab_size,
            "bos_token_id": vocab_size - 2,
            "eos_token_id": eos_token_id,
            "pad_token_id": vocab_size - 1,
        },
        vision_config={
            **tower,
            "hidden_size": 40,
            "intermediate_size": 80,
            "image_size": IMAGE_SIZE,
            "patch_size": 8,
        },
        projection_dim=24,
    )
    torch.manual_seed(0)
    model = transformers.CLIPModel(config)
    with torch.no_grad():
        for weight in model.parameters():
            # As initialised all offsets are zero and all gains one: errors in them would not be seen.
            weight.add_(torch.randn_like(weight) * 0.1)
    return model


@pytest.fixture(scope="session")
def make_clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    @cache
    def make(hidden_act: str = "quick_gelu", old_eos: bool = False) -> Path:
        folder = tmp_path_factory.mktemp("backbone")
        tokenizer = _tokenizer()
        tokenizer.save_pretrained(folder)
        model = _model(hidden_act, 2 if old_eos else tokenizer.eos_token_id, len(tokenizer))
        model.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session", autouse=True)
def loaded_once(clip_folder: Path) -> Iterator[None]:
    """Two CLIPs stay loaded: whoever asks for one shares its weights, and would else read them anew in every test."""
    kept = [FrozenBackbone("tiny"), FrozenBackbone(str(clip_folder))]
    yield
    kept.clear()


@pytest.fixture(scope="session")
def clip_folder(make_clip_folder: Callable[..., Path]) -> Path:
    return make_clip_folder()


@pytest.fixture(scope="session")
def metaclip2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random MetaCLIP 2 with a vocabulary of its kind, letters and a few words; frames are squashed."""
    words = [f"▁{word}" for word in ("star", "red", "the", "ring", "moving", "")]
    signs = [*words, *"abcdefghijklmnopqrstuvwxyz0123456789.,'-éüñ漢字"]
    special: Any = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    scored = [*special, *((sign, -3.0 - place / 10) for place, sign in enumerate(signs))]
    tokenizer = transformers.XLMRobertaTokenizer(vocab=scored)
    tower = {"num_attention_heads": 2, "num_hidden_layers": 2, "hidden_act": "gelu"}
    text = {**tower, "hidden_size": 32, "intermediate_size": 64, "vocab_size": len(tokenizer) + 3}
    vision = {**tower, "hidden_size": 40, "intermediate_size": 80, "image_size": IMAGE_SIZE, "patch_size": 8}
    config = transformers.MetaClip2Config(
        text_config={**text, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2},
        vision_config=vision,
        projection_dim=48,
    )
    torch.manual_seed(1)
    model = transformers.MetaClip2Model(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    folder = tmp_path_factory.mktemp("metaclip2")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    processor = transformers.CLIPImageProcessor(size=size, do_center_crop=False, resample=2)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def backbone(clip_folder: Path) -> FrozenBackbone:
    return FrozenBackbone(str(clip_folder))


@pytest.fixture
def double_backbone(backbone: FrozenBackbone) -> FrozenBackbone:
    return copy.deepcopy(backbone).double()


@cache
def _plain(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """Transformers' own model and tokenizer."""
    model: Any = transformers.CLIPModel.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa")
    return model.requires_grad_(False), transformers.AutoTokenizer.from_pretrained(folder)


class _Given(nn.Module):
    """Stands in for the token embedding, and gives what it was told to."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.rows


def plain_features(
    inner: Any,  # noqa: ANN401 - libraries are untyped
    read: Callable[[Tensor], Tensor],
    around: tuple[Sequence[int], Sequence[int], int],
    length: int,
    texts: PromptedText,
) -> Tensor:
    """A library's own features of prompted texts: every text in all positions, padding and all.

    Args:
        inner: the module of it that embeds tokens.
        read: numbers of tokens to features.
        around: tokens in front of a text, behind it, and the token of all other positions.
        length: how many positions there are.
        texts: prompted.
    """
    embedding, (start, end, padding) = inner.token_embedding, around
    ids, rows = torch.full((len(texts.tokens), length), padding), []
    for row, tokens in zip(ids, texts.tokens, strict=True):
        # 5 is an ordinary token; its embedding is replaced by a learned vector.
        own = [*start, *[5] * len(texts.prefix), *tokens, *[5] * texts.num_suffix, *end]
        row[: len(own)] = torch.tensor(own)
        table, front = embedding.weight[row], len(start) + len(texts.prefix)
        first = len(tokens) if texts.by_position else 0
        suffix, behind = texts.suffix[first : first + texts.num_suffix], front + len(tokens)
        parts = table[: len(start)], texts.prefix, table[front:behind], suffix, table[behind + len(suffix) :]
        rows.append(torch.cat(parts))
    inner.token_embedding = _Given(torch.stack(rows))
    try:
        return read(ids)
    finally:
        inner.token_embedding = embedding


@pytest.fixture(scope="session")
def plain_text() -> Callable[..., Tensor]:
    """See `plain_features`."""
    return plain_features


@pytest.fixture
def reference() -> Callable[[Path, PromptedText, torch.dtype], Tensor]:
    """Transformers' features of prompted texts."""

    def encode(folder: Path, texts: PromptedText, dtype: torch.dtype) -> Tensor:
        model, tokenizer = _plain(folder, dtype)
        around = [tokenizer.bos_token_id], [tokenizer.eos_token_id], tokenizer.pad_token_id
        read: Callable[[Tensor], Tensor] = lambda ids: model.get_text_features(input_ids=ids).pooler_output  # noqa: E731
        return plain_features(model.text_model.embeddings, read, around, 77, texts)

    return encode


@pytest.fixture
def small_training() -> list[str]:
    """Options of six epochs on a folder of videos, for runs that are killed and go on; the folders are to be added."""
    return [
        "--data=VideoFolder",
        "--data.val_fraction=0.25",
        "--data.test_fraction=0.25",
        "--data.batch_size=2",
        "--data.num_workers=0",
        "--model=RecognitionTask",
        "--model.prompt.num_prefix=2",
        "--model.prompt.num_suffix=2",
        "--model.temporal.num_heads=4",
        "--model.schedule=cosine",
        "--model.optimizer=torch.optim.AdamW",
        "--model.optimizer.lr=0.01",
        "--trainer.max_epochs=6",
        "--trainer.accelerator=cpu",
        "--trainer.num_sanity_val_steps=0",
        "--wandb=disabled",
        "--quiet=true",
    ]


@pytest.fixture
def make_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a disk of some size, such as ``4m``."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(size: str) -> Path:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False).returncode:
            pytest.skip("this user cannot mount a disk")
        return folder

    yield make
    subprocess.run(["umount", "--lazy", folder], check=folder.is_mount())  # shards stay open for a while


class Run(NamedTuple):
    """A trained run: its experiment, its folder, and the videos that it learned from."""

    config: Path
    folder: Path
    root: Path

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoints" / "last.ckpt"

    def again(self, verb: str, folder: Path) -> None:
        """Run another verb with what was learned."""
        run(self.config, verb, folder, "--ckpt", str(self.checkpoint))


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Fills a folder of this name, once for all workers: the others wait for the first one, and read it only."""
    own = tmp_path_factory.getbasetemp()
    everyone = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def once(name: str, fill: Callable[[Path], object]) -> Path:
        folder = everyone / f"shared_{name}"
        with (everyone / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "filled").exists():
                folder.mkdir()
                fill(folder)
                (folder / "filled").touch()
        return folder

    return once


@pytest.fixture(scope="session")
def train(once: Callable[..., Path]) -> Callable[..., Run]:
    """Trains a small run of an experiment in YAML, on videos that are there or that its data set renders."""

    def train(name: str, experiment: str, *options: str, root: Path | None = None) -> Run:
        def fill(folder: Path) -> None:
            text = experiment.format(root=root or folder / "videos", features=folder / "features")
            (folder / "small.yaml").write_text(text)
            run(folder / "small.yaml", "fit", folder / "run", *options)

        folder = once(name, fill)
        return Run(folder / "small.yaml", folder / "run", root or folder / "videos")

    return train


@pytest.fixture(scope="session")
def trimmed_videos(once: Callable[..., Path], make_videos: Callable[[Path, int], Path]) -> Path:
    """Two classes of eight videos."""
    return once("trimmed", lambda folder: make_videos(folder / "videos", 8)) / "videos"


@pytest.fixture(scope="session")
def few_clips(once: Callable[..., Path], make_videos: Callable[[Path, int], Path]) -> Path:
    """Two classes of two videos, which are taught in seconds."""
    return once("few", lambda folder: make_videos(folder / "videos", 2)) / "videos"


@pytest.fixture(scope="session")
def recognition(train: Callable[..., Run], trimmed_videos: Path) -> Run:
    return train("recognition", RECOGNITION, root=trimmed_videos)


@pytest.fixture(scope="session")
def probe(train: Callable[..., Run], trimmed_videos: Path) -> Run:
    """Recognition by a linear probe of the frozen features."""
    options = ("--model.prompt=LinearProbe", "--model.temporal.num_layers=0", "--model.frozen_share=0")
    return train("probe", RECOGNITION, *options, root=trimmed_videos)


@pytest.fixture(scope="session")
def localization(train: Callable[..., Run]) -> Run:
    return train("localization", LOCALIZATION)


@pytest.fixture(scope="session")
def retrieval(train: Callable[..., Run]) -> Run:
    return train("retrieval", RETRIEVAL)
