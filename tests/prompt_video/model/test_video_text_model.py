"""The joined model: scores, what is computed once, what is saved, what is refused."""

import copy
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import transformers
from torch import nn
from torch.nn import functional as F

from data_modules.batch import Batch
from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import TextShape
from prompt_video.model.embedding import frozen_model
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.model.model_spec import check_spec, model_of_spec, spec_of_model
from prompt_video.model.prompt import PromptLearner, TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder, mean_frame
from prompt_video.model.video_text_model import VideoTextModel

TEXTS = ["star", "a red circle", "two squares moving to the left", "ring"]
LENGTHS = (4, 2, 3)


def batch(**changes: object) -> Batch:
    generator = torch.Generator().manual_seed(0)
    made = {
        "video": torch.randint(0, 256, (3, 4, 3, 16, 16), dtype=torch.uint8, generator=generator),
        "mask": torch.arange(4) < torch.tensor(LENGTHS).unsqueeze(1),
        "text": TEXTS,
        **changes,
    }
    return cast(Batch, made)


def model(
    backbone: FrozenBackbone,
    prompt: Callable[[TextShape], nn.Module] = PromptLearner,
    **settings: Any,  # noqa: ANN401 - handed on
) -> VideoTextModel:
    torch.manual_seed(3)
    temporal = partial(TemporalEncoder, num_heads=4, start="random")
    return VideoTextModel(backbone, prompt, temporal, **settings)


def with_features(backbone: FrozenBackbone) -> Batch:
    video = batch()["video"]
    stored = backbone.encode_frames(video.flatten(0, 1)).view(*video.shape[:2], -1)
    with_stored = batch(features=stored)
    del with_stored["video"]
    return with_stored


def test_pixels_and_stored_features_score_alike(backbone: FrozenBackbone) -> None:
    scorer = model(backbone)
    torch.testing.assert_close(scorer(batch()), scorer(with_features(backbone)))


def test_padding_changes_no_score(backbone: FrozenBackbone) -> None:
    scorer = model(backbone)
    video, mask = batch()["video"], batch()["mask"]
    one_by_one = [scorer(batch(video=video[i : i + 1, :n], mask=mask[i : i + 1, :n])) for i, n in enumerate(LENGTHS)]
    torch.testing.assert_close(scorer(batch()), torch.cat(one_by_one))


def test_permuting_texts_permutes_scores(backbone: FrozenBackbone) -> None:
    scorer, order = model(backbone), [2, 0, 3, 1]
    turned = scorer(batch(text=[TEXTS[i] for i in order]))
    torch.testing.assert_close(turned, scorer(batch())[:, order])


def test_scores_are_cosines_over_temperature(backbone: FrozenBackbone) -> None:
    scorer = model(backbone, temperature=0.5)
    cosine = torch.cosine_similarity(scorer.video_features(batch())[:, None], scorer.text_features(TEXTS)[None], dim=-1)
    torch.testing.assert_close(scorer(batch()), cosine / 0.5)


def test_the_frozen_clip_has_its_own_temperature(backbone: FrozenBackbone, clip_folder: Path) -> None:
    saved = transformers.CLIPModel.from_pretrained(clip_folder).logit_scale.exp().item()
    assert backbone.temperature == pytest.approx(1 / saved)
    scorer, templates = model(backbone, frozen_share=0.25, frozen_templates="names"), partial(TemplatePrompt)
    frames, mask = scorer.frame_features(batch()), batch()["mask"]
    cosine = F.normalize(mean_frame(frames, mask), dim=-1) @ scorer.frozen_text_features(TEXTS).T
    mixed, frozen = scorer.test_scores(batch())
    torch.testing.assert_close(frozen, cosine * saved)
    # The share of the frozen CLIP is one of cosines: of a sharper softmax than its own it would take over.
    torch.testing.assert_close(mixed, torch.lerp(scorer(batch()), cosine / 0.07, 0.25))
    assert scorer.frozen_spec() == {
        "backbone": backbone.name,
        "templates": "names",
        "temperature": backbone.temperature,
    }
    plain = partial(TemporalEncoder, num_layers=0)
    nothing_learned = VideoTextModel(backbone, templates, plain)
    assert nothing_learned.temperature.item() == pytest.approx(backbone.temperature)
    assert frozen_model(scorer).temperature.item() == pytest.approx(backbone.temperature)
    for learner in (model(backbone), model(backbone, templates), VideoTextModel(backbone, PromptLearner, plain)):
        assert learner.temperature.item() == pytest.approx(0.07)
    assert VideoTextModel(backbone, templates, plain, 0.004).temperature.item() == pytest.approx(0.004), "as asked for"


def test_learned_temperature(backbone: FrozenBackbone) -> None:
    fixed, learned = model(backbone), model(backbone, learn_temperature=True)
    torch.autograd.backward(learned(batch()).sum())
    assert learned.log_temperature.grad is not None
    assert "log_temperature" in learned.learned_state()
    assert "log_temperature" not in fixed.learned_state()
    learned.log_temperature.data.fill_(-100.0)
    assert learned.temperature.item() == pytest.approx(0.01)


def test_only_prompt_and_temporal_learn(backbone: FrozenBackbone) -> None:
    scorer = model(backbone).train()
    torch.autograd.backward(scorer(batch()).pow(2).sum())
    learned = {name for name, weight in scorer.named_parameters() if weight.grad is not None}
    assert learned == set(scorer.learned_state())
    assert not any(name.startswith("backbone.") for name in learned)
    assert not scorer.backbone.training


def test_text_chunk_changes_nothing(backbone: FrozenBackbone) -> None:
    gradients = []
    for text_chunk in (None, 1):
        scorer = model(backbone, text_chunk=text_chunk)
        torch.autograd.backward(scorer(batch()).pow(2).sum())
        gradients.append(scorer.prompt.context.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


class CountingBackbone(FrozenBackbone):
    calls = 0

    def encode_text(self, *arguments: Any, **options: Any) -> torch.Tensor:  # noqa: ANN401 - handed on
        self.calls += 1
        return super().encode_text(*arguments, **options)


def test_classifier_is_computed_once_in_evaluation(clip_folder: Path) -> None:
    backbone = CountingBackbone(str(clip_folder))
    scorer = model(backbone).eval()
    with torch.inference_mode():
        first = scorer(batch())
        torch.testing.assert_close(scorer(batch()), first)
        assert backbone.calls == 1
        scorer(batch(text=TEXTS[:2]))
        assert backbone.calls == 2
    state = {name: weight + 0.3 for name, weight in scorer.learned_state().items()}
    with torch.no_grad():
        before = scorer(batch())
        scorer.load_learned_state(state)
        assert not torch.allclose(scorer(batch()), before)
        scorer.train()
        scorer(batch())
        scorer(batch())
    assert backbone.calls == 5, "of two lists of texts the features are kept"


def test_a_step_of_the_optimizer_makes_the_classifier_stale(backbone: FrozenBackbone) -> None:
    """Even if nobody says so by train(): Lightning restores modes without calling it."""
    scorer = model(backbone).eval()
    optimizer = torch.optim.SGD(scorer.parameters(), lr=10.0)
    with torch.no_grad():
        before = scorer.text_features(TEXTS)
    torch.autograd.backward(scorer(batch()).pow(2).sum())
    optimizer.step()
    with torch.no_grad():
        assert not torch.allclose(scorer.text_features(TEXTS), before)


def test_templates_are_encoded_once_in_training_too(clip_folder: Path) -> None:
    backbone = CountingBackbone(str(clip_folder))
    scorer = model(backbone, TemplatePrompt).train()
    with torch.inference_mode():
        scorer(batch())
    torch.autograd.backward(scorer(batch()).sum())
    torch.autograd.backward(scorer(batch()).sum())
    assert backbone.calls == 1


def test_linear_probe(backbone: FrozenBackbone) -> None:
    scorer = model(backbone, LinearProbe)
    scorer.set_vocabulary(TEXTS)
    torch.autograd.backward(scorer(batch()).pow(2).sum())
    assert set(scorer.learned_state()) >= {"prompt.weight", "prompt.bias"}
    nn.init.normal_(cast(torch.Tensor, scorer.prompt.weight))
    assert torch.equal(scorer(batch(text=TEXTS[::-1])), scorer(batch()).flip(1))
    other = model_of_spec(json.loads(json.dumps(spec_of_model(scorer))))
    other.load_learned_state(scorer.learned_state())
    torch.testing.assert_close(other(batch()), scorer(batch()))
    with pytest.raises(InputError, match="is none of them"):
        scorer(batch(text=["something else"]))


@pytest.mark.parametrize(
    "prompt",
    [
        partial(PromptLearner, num_prefix=2, num_suffix=0, layout="by_position"),
        partial(TemplatePrompt, templates=["a {}", "{}"]),
    ],
)
def test_rebuilt_from_its_spec(backbone: FrozenBackbone, prompt: Callable[[TextShape], nn.Module]) -> None:
    scorer = model(backbone, prompt, temperature=0.2)
    rebuilt = model_of_spec(json.loads(json.dumps(spec_of_model(scorer))))
    rebuilt.load_learned_state({f"model.{name}": weight for name, weight in scorer.learned_state().items()})
    torch.testing.assert_close(rebuilt(batch()), scorer(batch()))


def test_another_clip_is_refused(backbone: FrozenBackbone) -> None:
    spec = spec_of_model(model(backbone))
    spec["backbone"]["fingerprint"] = "0123"
    with pytest.raises(InputError, match="fingerprint 0123") as caught:
        model_of_spec(spec, backbone)
    assert backbone.fingerprint in str(caught.value)


def test_other_settings_are_refused(backbone: FrozenBackbone) -> None:
    """Also where the shapes happen to agree."""
    spec = spec_of_model(model(backbone, partial(PromptLearner, num_prefix=20, num_suffix=12)))
    with pytest.raises(InputError, match=r"prompt.num_prefix was 20 and is 16, prompt.num_suffix was 12 and is 16"):
        check_spec(model(backbone), spec)
    check_spec(model(backbone, partial(PromptLearner, init_std=0.5)), spec_of_model(model(backbone)))


def test_weights_of_another_shape_are_refused(backbone: FrozenBackbone) -> None:
    state = model(backbone, partial(PromptLearner, num_prefix=3)).learned_state()
    state["unheard.of"] = torch.zeros(1)
    with pytest.raises(InputError, match=r"prompt.context is \(19, 32\) instead of \(32, 32\), unheard.of"):
        model(backbone).load_learned_state(state)


def test_size_of_what_is_saved(tmp_path: Path) -> None:
    """13 MB for one temporal layer in ViT-B/16's shape, kilobytes for prompts alone."""
    sizes = {}
    for num_layers in (0, 1):
        parts = {"prompt": PromptLearner(512), "temporal": TemporalEncoder(512, num_layers=num_layers)}
        torch.save(nn.ModuleDict(parts).state_dict(), tmp_path / "state.pt")
        sizes[num_layers] = (tmp_path / "state.pt").stat().st_size
    assert sizes[0] < 100e3
    assert 12e6 < sizes[1] < 13e6


def test_saved_weights_leave_clip_out(backbone: FrozenBackbone) -> None:
    learned = model(backbone).learned_state()
    wanted = sum(
        weight.numel() for name, weight in model(backbone).named_parameters() if name.split(".")[0] != "backbone"
    )
    assert sum(weight.numel() for weight in learned.values()) == wanted - 1  # the temperature is fixed


def test_double_precision(backbone: FrozenBackbone, double_backbone: FrozenBackbone) -> None:
    scorer = model(backbone)
    double = copy.deepcopy(scorer).double()
    torch.testing.assert_close(
        double(with_features(double_backbone)), scorer(with_features(backbone)).double(), atol=1e-4, rtol=1e-4
    )
