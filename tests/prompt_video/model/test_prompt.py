"""Prompts around texts: what fits, what does not, and what templates do."""

from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import PromptedText, TextShape
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.model.prompt import PromptLearner, TemplatePrompt

Number = int | Literal["auto"]
LONG = "x " * 44  # one token a letter


def test_initial_values() -> None:
    torch.manual_seed(0)
    prompt = PromptLearner(512)
    assert prompt.context.shape == (32, 512)
    assert prompt.context.std().item() == pytest.approx(0.01, rel=0.02)
    assert PromptLearner(512, layout="by_position").context.shape == (77, 512)


def test_shared_layout() -> None:
    prompt = PromptLearner(8, num_prefix=2, num_suffix=3)
    texts = prompt.surround([[5], [5, 6]])
    assert torch.equal(texts.prefix, prompt.context[:2])
    assert torch.equal(texts.suffix_after(1), prompt.context[2:])
    assert torch.equal(texts.suffix_after(2), prompt.context[2:])


def test_layout_by_position() -> None:
    """Row p of the table stands at position p: a name of n tokens covers rows k + 1 to k + n."""
    prompt = PromptLearner(8, num_prefix=2, num_suffix=3, layout="by_position")
    texts = prompt.surround([[5], [5, 6]])
    assert torch.equal(texts.prefix, prompt.context[1:3])
    assert torch.equal(texts.suffix_after(1), prompt.context[4:7])
    assert torch.equal(texts.suffix_after(2), prompt.context[5:8])


def test_any_texts_at_call_time(backbone: FrozenBackbone) -> None:
    prompt = PromptLearner(backbone.width)
    both = prompt(["star", "a ring"], backbone)
    torch.testing.assert_close(prompt(["a ring"], backbone), both[1:])
    torch.testing.assert_close(both.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("layout", ["shared", "by_position"])
def test_the_longest_text_that_fits(backbone: FrozenBackbone, layout: Literal["shared", "by_position"]) -> None:
    prompt = PromptLearner(backbone.width, layout=layout)
    assert prompt([LONG[:-2]], backbone).shape == (1, backbone.embed_dim)


def test_a_text_too_long_is_named(backbone: FrozenBackbone) -> None:
    with pytest.raises(InputError, match="has 44 tokens, and there is room for 43") as caught:
        PromptLearner(backbone.width)(["star", LONG], backbone)
    assert f"'{LONG[:77]}...'" in str(caught.value)


def test_truncation_is_counted(backbone: FrozenBackbone) -> None:
    prompt = PromptLearner(backbone.width, too_long="truncate")
    cut = prompt([LONG, "star", LONG], backbone)
    torch.testing.assert_close(cut[:1], prompt([LONG[:-2]], backbone))
    assert len(prompt.truncated) == 1


def test_no_room_at_all() -> None:
    says = "75 learned vectors leave no room .* num_prefix 16 and num_suffix 16, .* what auto takes, leave 43 tokens"
    with pytest.raises(InputError, match=says):
        PromptLearner(8, num_prefix=40, num_suffix=35)
    says = "32 learned vectors .* 32 positions .* 2 of which .* num_prefix 5 and num_suffix 5.* leave 20 tokens"
    with pytest.raises(InputError, match=says):
        PromptLearner(TextShape(8, 32), 16, 16)


@pytest.mark.parametrize(
    ("context_length", "own", "given", "wanted"),
    [
        (77, 2, ("auto", "auto"), (16, 16)),  # CLIP, MetaCLIP 2
        (64, 1, ("auto", "auto"), (16, 16)),  # SigLIP
        (32, 2, ("auto", "auto"), (5, 5)),  # PE-Core
        (55, 2, ("auto", "auto"), (16, 16)),
        (53, 2, ("auto", "auto"), (15, 15)),
        (32, 2, (2, "auto"), (2, 8)),
        (32, 2, ("auto", 20), (0, 20)),
        (32, 2, (8, 8), (8, 8)),
        (16, 2, ("auto", "auto"), (0, 0)),
    ],
)
def test_numbers_of_vectors_suit_the_positions(
    context_length: int, own: int, given: tuple[Number, Number], wanted: tuple[int, int]
) -> None:
    prompt = PromptLearner(TextShape(8, context_length, own), *given)
    assert (prompt.num_prefix, prompt.num_suffix) == wanted
    assert prompt.settings()["num_prefix"] == wanted[0], "what was chosen is saved"
    assert prompt.room == context_length - own - sum(wanted)


def test_no_texts(backbone: FrozenBackbone) -> None:
    assert PromptLearner(backbone.width)([], backbone).shape == (0, backbone.embed_dim)


def test_templates_are_averaged(backbone: FrozenBackbone) -> None:
    nothing = torch.empty(0, backbone.width)

    def unit(text: str) -> torch.Tensor:
        return F.normalize(backbone.encode_text(PromptedText(backbone.tokenize([text]), nothing, nothing, 0)), dim=-1)[
            0
        ]

    found = TemplatePrompt(backbone.width, ["a {}", "{} at the top"])(["star", "ring"], backbone)
    wanted = F.normalize(unit("a ring") + unit("ring at the top"), dim=0)
    torch.testing.assert_close(found[1], wanted)
    torch.testing.assert_close(TemplatePrompt(backbone.width, "names")(["star"], backbone)[0], unit("star"))


@pytest.mark.parametrize("templates", [[], ["a {}", "a star"]])
def test_templates_without_a_place(templates: list[str]) -> None:
    with pytest.raises(InputError, match="a template needs"):
        TemplatePrompt(8, templates)


def no_features(texts: Sequence[str]) -> Tensor:
    raise AssertionError("a linear probe asks for no features of texts")


def test_linear_probe_scores() -> None:
    probe = LinearProbe(8)
    probe.set_vocabulary(["star", "ring"], embed_dim=2)
    probe.weight.data, probe.bias.data = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0.5, -0.5])
    scorer = probe.classifier(["ring", "star", "ring"], no_features, torch.tensor(0.07))
    assert scorer.scores(torch.tensor([[1.0, 1.0]])).tolist() == [[6.5, 3.5, 6.5]]


def test_linear_probe_keeps_what_it_learned() -> None:
    probe = LinearProbe(8)
    probe.set_vocabulary(["star", "ring"], embed_dim=2)
    weight = probe.weight
    probe.set_vocabulary(["star", "ring"], embed_dim=2)
    assert probe.weight is weight


def test_linear_probe_refuses_unknown_names(backbone: FrozenBackbone) -> None:
    probe = LinearProbe(8)
    with pytest.raises(InputError, match="must be told its class names"):
        probe.classifier(["star"], no_features, torch.tensor(0.07))
    probe.set_vocabulary(["star"], embed_dim=2)
    with pytest.raises(InputError, match="'ring' is none of them"):
        probe.classifier(["star", "ring"], no_features, torch.tensor(0.07))
    with pytest.raises(InputError, match="no text features"):
        probe(["star"], backbone)
