from functools import partial

import pytest
import torch

from prompt_video.bench import text_path
from prompt_video.bench.measure import peak_product
from prompt_video.bench.plain_text import PlainText, of_transformers
from prompt_video.bench.plan import Setting, recorded
from prompt_video.bench.vit_b16 import fast_backbone, plain_model
from prompt_video.model.prompt import PromptLearner


@pytest.fixture(autouse=True)
def _small_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_path, "peak_product", partial(peak_product, shapes=((64, 64, 64),)))


@pytest.mark.slow
def test_a_small_run_has_a_ratio_and_a_share_of_the_peak(setting: Setting) -> None:
    """That both ways give the same features is compared inside."""
    figures, _ = recorded(text_path.speed(setting, num_texts=5, rounds=2))
    lowest, highest = figures["speedup_5_range"]
    assert 0 < lowest <= figures["speedup_5"] <= highest
    assert figures["flop_share_5"] > 0


@pytest.mark.parametrize("layout", ["shared", "by_position"])
def test_the_plain_way_is_ours_in_its_gradients_too(setting: Setting, layout: str) -> None:
    gradients, features = [], []
    for encode in (fast_backbone(setting.vit_b16(), setting.device).encode_text, None):
        torch.manual_seed(0)
        prompt = PromptLearner(32, 4, 4, layout=layout, init_std=0.1)  # type: ignore[arg-type]
        texts = prompt.surround([[5, 6, 7], [8], [9, 10]])
        found = (encode or PlainText(of_transformers(plain_model(setting.vit_b16())), texts))(texts)
        torch.autograd.backward(found.square().sum())
        assert prompt.context.grad is not None
        gradients.append(prompt.context.grad)
        features.append(found.detach())
    torch.testing.assert_close(*features, rtol=0, atol=1e-5)
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-3)


def test_another_model_is_noticed(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(*_: object) -> object:
        model = plain_model(setting.vit_b16())
        model.text_model.encoder.layers[0].mlp.fc2.bias[:16] += 1.0
        return model

    monkeypatch.setattr(text_path, "plain_model", other)
    with pytest.raises(AssertionError, match="the features are not the same"):
        text_path.speed(setting, num_texts=5, rounds=1)
