"""Released checkpoints of the paper, made up here in their shape, and their forward computation written out plainly."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.cli import main
from prompt_video.model.checkpoints import CHECKPOINT_FORMAT
from prompt_video.model.model_spec import model_of_spec, spec_of_model
from prompt_video.model.official import BLOCK_KEYS, TOWER_KEYS, Imported, import_official
from prompt_video.model.video_text_model import VideoTextModel

TEXTS = ["star", "a red circle", "two squares"]
WIDTH = 32


def released(num_layers: int = 2, num_frames: int = 5, embed_dim: int = 24) -> dict[str, Tensor]:
    torch.manual_seed(0)
    block = {
        "attn.in_proj_weight": (3 * embed_dim, embed_dim),
        "attn.in_proj_bias": (3 * embed_dim,),
        "attn.out_proj.weight": (embed_dim, embed_dim),
        "attn.out_proj.bias": (embed_dim,),
        "ln_1.weight": (embed_dim,),
        "ln_1.bias": (embed_dim,),
        "mlp.c_fc.weight": (4 * embed_dim, embed_dim),
        "mlp.c_fc.bias": (4 * embed_dim,),
        "mlp.c_proj.weight": (embed_dim, 4 * embed_dim),
        "mlp.c_proj.bias": (embed_dim,),
        "ln_2.weight": (embed_dim,),
        "ln_2.bias": (embed_dim,),
    }
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.weight": (77, WIDTH),
        "temporalEmbedding.weight": (num_frames, embed_dim),
        **{
            f"temporalModelling.resblocks.{i}.{name}": shape for i in range(num_layers) for name, shape in block.items()
        },
    }
    return {name: torch.randn(shape) * 0.3 for name, shape in shapes.items()}


def released_video_feature(state: dict[str, Tensor], features: Tensor, num_heads: int) -> Tensor:
    """As src/model.py of ju-chen/Efficient-Prompt computes it: frames first, then torch's own attention."""
    x = features.transpose(0, 1) + state["temporalEmbedding.weight"][: features.shape[1], None]
    for number in range(2):
        part = {
            name.split(f"resblocks.{number}.")[1]: weight
            for name, weight in state.items()
            if f"blocks.{number}." in name
        }
        attention = nn.MultiheadAttention(x.shape[-1], num_heads)
        attention.load_state_dict({name[5:]: weight for name, weight in part.items() if name.startswith("attn.")})
        normed = F.layer_norm(x, x.shape[-1:], part["ln_1.weight"], part["ln_1.bias"])
        x = x + attention(normed, normed, normed, need_weights=False)[0]
        normed = F.layer_norm(x, x.shape[-1:], part["ln_2.weight"], part["ln_2.bias"])
        hidden = F.linear(normed, part["mlp.c_fc.weight"], part["mlp.c_fc.bias"])
        x = x + F.linear(hidden * torch.sigmoid(1.702 * hidden), part["mlp.c_proj.weight"], part["mlp.c_proj.bias"])
    return x.mean(0)


def load(path: Path) -> VideoTextModel:
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["prompt_video"]["format"] == CHECKPOINT_FORMAT
    model = model_of_spec(checkpoint["prompt_video"]["spec"])
    model.load_learned_state(checkpoint["state_dict"])
    return model


def clip_of(backbone: FrozenBackbone) -> dict[str, Tensor]:
    """The weights of a CLIP as the paper's code saves them beside its own, rounded as CLIP was released."""
    own = backbone.towers.state_dict()
    names = dict(TOWER_KEYS)
    for tower, place in (("text", ""), ("vision", "visual.")):
        names |= {
            f"{place}transformer.resblocks.{number}.{theirs}": f"{tower}.blocks.{number}.{ours}"
            for number in range(3)
            for theirs, ours in BLOCK_KEYS.items()
        }
    assert set(names.values()) == set(own)
    turned = ("visual.proj", "text_projection")
    state = {name: own[ours].T if name in turned else own[ours] for name, ours in names.items()}
    return {f"clipmodel.{name}": weight.half().float() for name, weight in state.items()}


@pytest.fixture
def convert(clip_folder: Path, tmp_path: Path) -> Callable[[object], VideoTextModel]:
    def convert(content: object) -> VideoTextModel:
        torch.save(content, tmp_path / "released.pth.tar")
        read = partial(import_official, num_prefix=4, num_suffix=3, num_heads=4)
        read(tmp_path / "released.pth.tar", tmp_path / "out" / "ours.ckpt", str(clip_folder))
        return load(tmp_path / "out" / "ours.ckpt")

    return convert


@pytest.mark.parametrize("wrapped", [False, True])
def test_same_forward_computation(
    convert: Callable[[object], VideoTextModel],
    backbone: FrozenBackbone,
    clip_folder: Path,
    reference: Callable[[Path, PromptedText, torch.dtype], Tensor],
    wrapped: bool,
) -> None:
    state = released()
    content = {f"module.{name}": weight for name, weight in state.items()}
    model = convert({"state_dict": content, "iteration": 1100, "optimizer": {"state": {}}} if wrapped else state)

    features = torch.randn(2, 5, backbone.embed_dim)
    wanted = released_video_feature(state, features, num_heads=4)
    torch.testing.assert_close(model.temporal(features, torch.ones(2, 5, dtype=torch.bool)), wanted)

    table, tokens = state["embedding.weight"], backbone.tokenize(TEXTS)
    # Row p of the table stands at position p, unless the start token, the name or the end token does.
    prompted = PromptedText(tokens, table[1:5], table[5:], 3, by_position=True)
    wanted = F.normalize(reference(clip_folder, prompted, torch.float32), dim=-1)
    torch.testing.assert_close(model.text_features(TEXTS), wanted, atol=1e-5, rtol=1e-5)


def test_without_temporal_module(convert: Callable[[object], VideoTextModel], backbone: FrozenBackbone) -> None:
    model = convert(released(num_layers=0))
    features = torch.randn(2, 5, backbone.embed_dim)
    torch.testing.assert_close(model.temporal(features, torch.ones(2, 5, dtype=torch.bool)), features.mean(1))


def test_unknown_keys_are_named(convert: Callable[[object], VideoTextModel]) -> None:
    with pytest.raises(InputError, match=r"unknown keys: surprise\.weight"):
        convert({**released(), "surprise.weight": torch.zeros(1)})


def test_lacking_keys(convert: Callable[[object], VideoTextModel]) -> None:
    with pytest.raises(InputError, match="lacks the tables"):
        convert({"clipmodel.other": torch.zeros(1)})


def test_a_clip_of_another_width(convert: Callable[[object], VideoTextModel]) -> None:
    with pytest.raises(InputError, match="does not fit backbone"):
        convert(released(embed_dim=32))


class Harmful:
    """Something that only unrestricted unpickling would make."""


@pytest.mark.parametrize("content", [Harmful(), {"state_dict": 3}, [1, 2]])
def test_anything_else(convert: Callable[[object], VideoTextModel], content: object) -> None:
    with pytest.raises(InputError, match=r"released\.pth\.tar"):
        convert(content)


@pytest.fixture
def read(clip_folder: Path, tmp_path: Path) -> Callable[..., Imported]:
    def read(content: object, prefix: int | None, suffix: int | None, heads: int) -> Imported:
        torch.save(content, tmp_path / "released.pth.tar")
        out, backbone_name = tmp_path / "ours.ckpt", str(clip_folder)
        return import_official(tmp_path / "released.pth.tar", out, backbone_name, prefix, suffix, heads)

    return read


def test_the_clip_in_the_file_is_compared(read: Callable[..., Imported], backbone: FrozenBackbone) -> None:
    inside = clip_of(backbone)
    assert read({**released(), **inside}, 4, 3, 4).has_backbone
    assert not read(released(), 4, 3, 4).has_backbone
    for name in (
        "visual.proj",
        "transformer.resblocks.1.attn.in_proj_bias",
        "visual.transformer.resblocks.2.ln_1.bias",
    ):
        key = f"clipmodel.{name}"
        with pytest.raises(InputError, match=rf"is another one than .*: {key} differs"):
            read({**released(), **inside, key: inside[key] + 0.01}, 4, 3, 4)
    with pytest.raises(InputError, match=r"clipmodel\.text_projection differs"):
        read({**released(), "clipmodel.text_projection": torch.zeros(512, 512)}, 4, 3, 4)


def trained(num_prefix: int, num_suffix: int, backbone: FrozenBackbone) -> dict[str, object]:
    """As `src/train.py` saves it: the rows of the table that a name covers in all classes are never moved."""
    square = torch.zeros(77, WIDTH)
    for (tokens,) in map(backbone.tokenize, [["brush hairs"], ["hit"], ["swing baseball"], ["draw sword"]]):
        behind = num_prefix + 1 + len(tokens)
        square[1 : num_prefix + 1] = 1e-8
        square[behind : behind + num_suffix] = 1e-8
    empty = {"step": torch.tensor(1100.0), "exp_avg": square, "exp_avg_sq": square}
    return {"state_dict": released(), "optimizer": {"state": {150: empty}, "param_groups": []}, "iteration": 1100}


@pytest.mark.parametrize("counts", [(16, 16), (4, 3), (0, 2), (5, 0)])
def test_the_optimizer_tells_how_many_vectors_there_are(
    counts: tuple[int, int], read: Callable[..., Imported], backbone: FrozenBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {name: name for name in ("brush hairs", "hit", "swing baseball", "draw sword")}
    monkeypatch.setattr("prompt_video.model.official.hmdb51_of_paper", lambda: names)
    found = read(trained(*counts, backbone), None, None, 4)
    assert (found.num_prefix, found.num_suffix, found.counts_in_file) == (*counts, True)
    with pytest.raises(InputError, match=f"was trained with {counts[0]} prompt vectors before a name, not 7"):
        read(trained(*counts, backbone), 7, None, 4)


@pytest.mark.parametrize("square", [torch.ones(77, WIDTH), torch.zeros(77, WIDTH), torch.ones(3), "none"])
def test_another_optimizer_tells_nothing(square: object, read: Callable[..., Imported]) -> None:
    content = {"state_dict": released(), "optimizer": {"state": {0: {"exp_avg_sq": square}, 1: 3}}}
    assert read(content, None, None, 4)[:3] == (16, 16, 4)
    assert not read(content, 2, 1, 4).counts_in_file


def test_the_command_takes_the_numbers(clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(released(), tmp_path / "released.pth.tar")
    command = [
        "import-official",
        str(tmp_path / "released.pth.tar"),
        "--out",
        str(tmp_path / "a.ckpt"),
        f"--backbone={clip_folder}",
    ]
    assert main([*command, "--num_prefix=4", "--num_suffix=3", "--num_heads=2"]) == 0
    prompt = spec_of_model(load(tmp_path / "a.ckpt"))["prompt"]["settings"]
    assert (prompt["num_prefix"], prompt["num_suffix"], prompt["layout"]) == (4, 3, "by_position")
    assert load(tmp_path / "a.ckpt").temporal.num_heads == 2
    assert "4 prompt vectors before a name, 3 behind it (as given)" in capsys.readouterr().out
    assert main([*command, "--num_heads=4"]) == 0
    shown = capsys.readouterr().out
    assert "16 prompt vectors before a name, 16 behind it (the file does not tell" in shown
    assert "could not be compared" in shown
    for wrong, told in (
        ("--num_prefix=-1", "--num_prefix must be"),
        ("--num_heads=0", "--num_heads must be"),
        ("--num_heads=7", "divide"),
    ):
        assert main([*command, wrong]) == 1
        assert told in capsys.readouterr().err


def test_a_missing_clip_is_told_before_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "large.pth.tar").write_bytes(b"PK, and damaged, which only a reader would see")
    with pytest.raises(InputError, match="cannot load backbone"):
        import_official(tmp_path / "large.pth.tar", tmp_path / "out.ckpt", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="is a folder"):
        import_official(tmp_path / "large.pth.tar", tmp_path, "tiny")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        import_official(tmp_path / "none", tmp_path / "out", "tiny")
