"""Methods on stored features, each against a plain loop of its formula, and in exact cases."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import TextShape
from prompt_video.model.cache import Cache
from prompt_video.model.descriptions import Descriptions
from prompt_video.model.examples import Examples
from prompt_video.model.linear_adapter import LinearAdapter
from prompt_video.model.model_spec import model_of_spec, spec_of_model
from prompt_video.model.parts import OrderedParts, QueryWeighted
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder, mean_frame
from prompt_video.model.text_head import Classifier, TextHead, cosines
from prompt_video.model.text_probe import TextProbe, class_confidence
from prompt_video.model.video_text_model import VideoTextModel
from tests.prompt_video.model.plain_loops import NAMES, dot, model_of, softmax, unit


def examples_of(backbone: FrozenBackbone, target: list[int]) -> Examples:
    return Examples(unit(len(target), backbone.embed_dim, seed=1), torch.tensor(target))


# The text probe


def test_a_text_probe_starts_at_the_texts(backbone: FrozenBackbone) -> None:
    probe, frozen = model_of(backbone, TextProbe), model_of(backbone, TemplatePrompt)
    videos = torch.randn(5, backbone.embed_dim)
    torch.testing.assert_close(probe.scores(videos, NAMES), frozen.scores(videos, NAMES))
    assert probe.temperature.item() == pytest.approx(backbone.temperature)
    assert torch.equal(torch.as_tensor(probe.penalty()), torch.tensor(0.0))


def test_how_well_texts_know_their_classes() -> None:
    scores, target = torch.randn(6, 4), [0, 0, 2, 2, 2, 3]
    found = class_confidence(scores.softmax(-1), torch.tensor(target))
    for name in range(4):
        own = [softmax(row)[name] for row, t in zip(scores.tolist(), target, strict=True) if t == name]
        assert found[name].item() == pytest.approx(sum(own) / len(own) if own else 1.0)  # class 1 has no example


def test_loss_and_gradient_of_a_text_probe_equal_a_plain_loop(backbone: FrozenBackbone) -> None:
    """CLAP: cross-entropy of s cos(f, w) and the sum of lambda ||w - t||^2."""
    model = model_of(backbone, TextProbe)
    shown = examples_of(backbone, [0, 1, 1, 2])
    model.learn_from(shown, NAMES)
    head = model.prompt
    assert isinstance(head, TextProbe)
    with torch.no_grad():
        head.offset.copy_(0.3 * torch.randn(head.offset.shape))
    loss = F.cross_entropy(model.scores(shown.videos, NAMES), shown.target) + model.penalty()
    loss.backward()  # type: ignore[no-untyped-call]

    texts = model.frozen_text_features(NAMES).double()
    rows = (texts + head.offset.detach().double()).requires_grad_()
    zero_shot = [
        softmax([dot(video, text) / backbone.temperature for text in texts]) for video in shown.videos.double()
    ]
    expected = torch.zeros((), dtype=torch.float64)
    for video, target in zip(shown.videos.double(), shown.target.tolist(), strict=True):
        scores = torch.stack([video @ row / row.norm() / backbone.temperature for row in rows])
        expected = expected - (scores[target] - scores.logsumexp(0)) / len(shown.target)
    for name in range(len(NAMES)):
        own = [p[name] for p, t in zip(zero_shot, shown.target.tolist(), strict=True) if t == name]
        expected = expected + sum(own) / len(own) * ((rows[name] - texts[name]) ** 2).sum()
    expected.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    assert head.offset.grad is not None
    assert rows.grad is not None
    torch.testing.assert_close(head.offset.grad.double(), rows.grad, rtol=1e-3, atol=1e-5)


def test_a_very_strong_pull_keeps_a_text_probe_at_the_texts(backbone: FrozenBackbone) -> None:
    shown = examples_of(backbone, [0, 1, 2])
    moved = []
    for strength in (0.0, 1e6):
        model = model_of(backbone, partial(TextProbe, strength=strength))
        optimizer = torch.optim.SGD(model.prompt.parameters(), lr=1e-7)
        for _ in range(50):
            optimizer.zero_grad()
            (F.cross_entropy(model.scores(shown.videos, NAMES), shown.target) + model.penalty()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        moved.append(torch.nn.utils.parameters_to_vector(model.prompt.parameters()).norm().item())
    # Along a gradient g, which hardly changes: 50 * 1e-7 * g without a pull, and with it g / (2 * 1e6), where both
    # balance. Features would differ by less than the rounding of two ways to compute them, so offsets are compared.
    assert moved[0] > 0
    assert moved[1] == pytest.approx(moved[0] / 10, rel=0.05)


def test_a_text_probe_reads_names_that_it_never_saw(backbone: FrozenBackbone) -> None:
    model = model_of(backbone, TextProbe)
    with torch.no_grad():
        next(model.prompt.parameters()).copy_(torch.randn(len(NAMES), backbone.embed_dim))
    others = ["red", NAMES[1]]
    assert model.prompt.unknown(others) == []
    features, frozen = model.text_features(others), model.frozen_text_features(others)
    torch.testing.assert_close(features[0], frozen[0])
    torch.testing.assert_close(features[1], model.text_features(NAMES)[1])
    assert not torch.allclose(features[1], frozen[1])


# The linear adapter


def test_a_linear_adapter_starts_at_the_frozen_clip(backbone: FrozenBackbone) -> None:
    adapter, frozen = model_of(backbone, TemplatePrompt, LinearAdapter), model_of(backbone, TemplatePrompt)
    frames, mask = (
        torch.randn(3, 4, backbone.embed_dim),
        torch.tensor([[True] * 4, [True] * 2 + [False] * 2, [True] * 4]),
    )
    frames[1, 2:] = math.nan  # padding
    for one in (adapter, frozen):
        assert one.temperature.item() == pytest.approx(backbone.temperature)
    torch.testing.assert_close(adapter.temporal(frames, mask), mean_frame(frames, mask))


def test_loss_and_gradient_of_a_linear_adapter_equal_a_plain_loop() -> None:
    torch.manual_seed(0)
    encoder, texts, target = LinearAdapter(6), unit(3, 6), torch.tensor([0, 2])
    encoder.set_shots(4.0)
    with torch.no_grad():
        encoder.change.copy_(0.2 * torch.randn(6, 6))
    frames, mask = torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool)
    videos = F.normalize(encoder(frames, mask), dim=-1)
    loss = F.cross_entropy(cosines(videos, texts) / 0.1, target) + encoder.penalty()
    loss.backward()  # type: ignore[no-untyped-call]

    matrix = (torch.eye(6) + encoder.change.detach()).requires_grad_()
    expected = torch.zeros(())
    for video, own in zip(frames, target.tolist(), strict=True):
        mapped = matrix @ (sum(frame for frame in video) / 3)
        scores = torch.stack([mapped @ text / mapped.norm() / 0.1 for text in texts])
        expected = expected - (scores[own] - scores.logsumexp(0)) / 2
    for row in range(6):
        for column in range(6):
            expected = expected + (matrix[row, column] - float(row == column)) ** 2 / 4  # 1 / shots
    expected.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(encoder.change.grad, matrix.grad)


def test_frames_of_a_linear_adapter_average_to_its_video() -> None:
    encoder, mask = LinearAdapter(6), torch.tensor([[True, True, False]])
    with torch.no_grad():
        encoder.change.copy_(torch.randn(6, 6))
    frames = torch.randn(1, 3, 6)
    torch.testing.assert_close(encoder.frame_features(frames, mask)[:, :2].mean(1), encoder(frames, mask))


def test_a_linear_adapter_of_one_shot_has_its_full_pull() -> None:
    encoder = LinearAdapter(4)
    with torch.no_grad():
        encoder.change.fill_(0.5)
    for shots, expected in ((1.0, 4.0), (16.0, 0.25), (0.5, 4.0)):
        encoder.set_shots(shots)
        assert encoder.penalty().item() == pytest.approx(expected)


def test_a_very_strong_pull_keeps_a_linear_adapter_at_the_identity() -> None:
    """Descent ends where both slopes balance, near -g / (2 * strength) for the slope g of the loss at the identity."""
    texts, target, frames, mask = unit(3, 6), torch.tensor([0, 2]), torch.randn(2, 3, 6), torch.ones(2, 3).bool()
    encoder = LinearAdapter(6, strength=1e6)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=2.5e-7)
    for _ in range(50):
        optimizer.zero_grad()
        loss = F.cross_entropy(cosines(F.normalize(encoder(frames, mask), dim=-1), texts) / 0.1, target)
        (loss + encoder.penalty()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    free = LinearAdapter(6, strength=0.0)
    loss = F.cross_entropy(cosines(F.normalize(free(frames, mask), dim=-1), texts) / 0.1, target)
    (slope,) = torch.autograd.grad(loss + free.penalty(), [free.change])
    torch.testing.assert_close(encoder.change.detach(), -slope / 2e6, rtol=1e-3, atol=1e-9)
    assert encoder.change.norm() > 0


# The cache


def cached(backbone: FrozenBackbone, target: list[int], alpha: float = 2.0, beta: float = 3.0) -> VideoTextModel:
    model = model_of(backbone, partial(Cache, alpha=alpha, beta=beta))
    model.learn_from(examples_of(backbone, target), NAMES)
    return model


def test_scores_of_a_cache_equal_a_plain_loop(backbone: FrozenBackbone) -> None:
    target = [0, 0, 1, 2, 1]
    model, shown = cached(backbone, target), examples_of(backbone, target)
    videos, texts = unit(4, backbone.embed_dim, seed=2), ["a ring", "a new name", "star"]
    features = model.text_features(texts)
    scores = model.scores(videos, texts)
    for row, video in enumerate(videos):
        for column, text in enumerate(texts):
            expected = dot(video, features[column]) / backbone.temperature
            for key, number in zip(shown.videos, target, strict=True):
                if NAMES[number] == text:
                    expected += 2.0 * math.exp(-3.0 * (1 - dot(video, key)))
            assert scores[row, column].item() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_cache_without_weight_is_the_frozen_clip(backbone: FrozenBackbone) -> None:
    videos = torch.randn(4, backbone.embed_dim)
    expected = model_of(backbone, TemplatePrompt).scores(videos, NAMES)
    assert torch.equal(cached(backbone, [0, 1, 2], alpha=0.0).scores(videos, NAMES), expected)
    assert torch.equal(model_of(backbone, Cache).scores(videos, NAMES), expected)  # it has seen no video yet
    new = ["red", "ring"]  # none of them has a key
    torch.testing.assert_close(
        cached(backbone, [0, 1, 2]).scores(videos, new), model_of(backbone, TemplatePrompt).scores(videos, new)
    )


def test_one_class_and_one_shot(backbone: FrozenBackbone) -> None:
    model = VideoTextModel(backbone, Cache, partial(TemporalEncoder, num_layers=0, num_heads=1))
    model.set_vocabulary(["star"])
    video = unit(1, backbone.embed_dim)
    model.learn_from(Examples(video, torch.tensor([0])), ["star"])
    alone = dot(video[0], model.text_features(["star"])[0]) / backbone.temperature
    assert model.scores(video, ["star"]).item() == pytest.approx(alone + 1.0, rel=1e-4)  # alpha times exp(0)


def test_loss_and_gradient_of_learned_keys_equal_a_plain_loop(backbone: FrozenBackbone) -> None:
    model = model_of(backbone, partial(Cache, alpha=2.0, beta=3.0, learn_keys=True))
    shown = examples_of(backbone, [0, 1, 2, 1])
    model.learn_from(shown, NAMES)
    (keys,) = model.prompt.parameters()
    with torch.no_grad():
        keys.mul_(1.5).add_(0.1 * torch.randn(keys.shape))
    videos, wanted = unit(3, backbone.embed_dim, seed=2), torch.tensor([2, 0, 1])
    loss = F.cross_entropy(model.scores(videos, NAMES), wanted)
    loss.backward()  # type: ignore[no-untyped-call]

    own, texts = keys.detach().double().requires_grad_(), model.text_features(NAMES).double()
    expected = torch.zeros((), dtype=torch.float64)
    for video, number in zip(videos.double(), wanted.tolist(), strict=True):
        scores = [video @ text / backbone.temperature for text in texts]
        for key, target in zip(own, shown.target.tolist(), strict=True):
            scores[target] = scores[target] + 2.0 * torch.exp(-3.0 * (1 - video @ key / key.norm()))
        expected = expected - (scores[number] - torch.stack(scores).logsumexp(0)) / 3
    expected.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    assert keys.grad is not None
    assert own.grad is not None
    torch.testing.assert_close(keys.grad.double(), own.grad, rtol=1e-3, atol=1e-5)


def test_a_cache_has_no_vector_a_class(backbone: FrozenBackbone) -> None:
    with pytest.raises(InputError, match="a cache scores videos by many keys"):
        cached(backbone, [0, 1, 2]).classifier(NAMES).linear()


DESCRIBED = {"star": ["a star", "it shines"]}


@pytest.mark.parametrize(
    ("head", "temporal"),
    [
        (TextProbe, None),
        (TemplatePrompt, LinearAdapter),
        (partial(Cache, learn_keys=True), None),
        (TemplatePrompt, QueryWeighted),
        (partial(Descriptions, described=DESCRIBED, num_vectors=1), None),
        (partial(Descriptions, described=DESCRIBED, join="in_order"), partial(OrderedParts, num_parts=2)),
    ],
)
def test_one_class_is_certain_and_teaches_nothing(
    backbone: FrozenBackbone,
    head: Callable[[TextShape], TextHead],
    temporal: Callable[[int], TemporalEncoder] | None,
) -> None:
    model = VideoTextModel(backbone, head, temporal or partial(TemporalEncoder, num_layers=0, num_heads=1))
    model.set_vocabulary(["star"])
    if model.needs_examples:
        model.learn_from(Examples(unit(1, backbone.embed_dim), torch.tensor([0])), ["star"])
    frames, mask = torch.randn(2, 4, backbone.embed_dim), torch.ones(2, 4, dtype=torch.bool)
    scores = model.scores(model.temporal(frames, mask), ["star"])
    assert scores.softmax(-1).tolist() == [[1.0], [1.0]]
    loss = F.cross_entropy(scores, torch.tensor([0, 0])) + model.penalty()
    assert loss.item() == 0
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
        assert all(w.grad is None or not w.grad.any() for w in model.parameters())


@pytest.mark.parametrize("head", [TextProbe, Cache])
def test_what_was_kept_is_saved(backbone: FrozenBackbone, head: type[TextHead]) -> None:
    model = model_of(backbone, head)
    model.learn_from(examples_of(backbone, [0, 1, 2, 1]), NAMES)
    with torch.no_grad():
        for weight in model.prompt.parameters():
            weight.add_(torch.randn(weight.shape))
    again = model_of_spec(spec_of_model(model), backbone)
    again.load_learned_state(model.learned_state())
    videos = torch.randn(3, backbone.embed_dim)
    assert torch.equal(again.scores(videos, NAMES), model.scores(videos, NAMES))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TextProbe(8, strength=-1.0), "strength of a text probe must be 0 or more, not -1"),
        (lambda: LinearAdapter(8, strength=-0.5), "strength of a linear adapter must be 0 or more, or null, not -0.5"),
        (lambda: Cache(8, alpha=-1.0), "alpha of a cache must be 0 or more"),
        (lambda: Cache(8, beta=0.0), "beta greater than 0"),
        (lambda: QueryWeighted(8, tau=0.0), "tau of query_weighted must be greater than 0, not 0"),
        (lambda: OrderedParts(8, num_parts=0), "num_parts of the temporal encoder must be 1 or more, not 0"),
    ],
)
def test_constants_outside_of_their_range(make: type, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()


def test_linear_scores_are_themselves() -> None:
    own = Classifier(unit(2, 4), 0.5)
    assert own.linear() is own
