"""Small models of two families, whose times say nothing; that both ways give the same is compared inside."""

from pathlib import Path

import pytest
import torch
import transformers

from prompt_video.bench import families, family_models
from prompt_video.bench.plain_text import PlainText
from prompt_video.bench.plan import Setting, recorded

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    text = {**SMALL, "vocab_size": 200, **family_models.TOKENS}
    vision = {**SMALL, "num_patches": 16}
    made = {
        "siglip2_naflex_b16": lambda: transformers.Siglip2Config(text_config=text, vision_config=vision),
        "metaclip2_b32": lambda: transformers.MetaClip2Config(text_config=text, vision_config=SMALL),
    }
    monkeypatch.setattr(family_models, "OF_TRANSFORMERS", made)
    return Setting(torch.device("cpu"), tmp_path)


@pytest.mark.parametrize("name", ["siglip2_naflex_b16", "metaclip2_b32"])
def test_a_family_has_ratios_to_its_library(small: Setting, name: str) -> None:
    figures, _ = recorded(families.run(small, name, rounds=2))
    assert figures[name]["frames_per_second"] > 0
    for ratio in ("texts_vs_library", "frames_vs_library"):
        lowest, highest = figures[name][f"{ratio}_range"]
        assert 0 < lowest <= figures[name][ratio] <= highest


def test_another_computation_is_noticed(small: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlainText, "__call__", lambda _, texts: torch.randn(16, 512, requires_grad=True))
    with pytest.raises(AssertionError, match="the texts are not the same"):
        families.run(small, "metaclip2_b32", rounds=1)


@pytest.mark.slow
def test_open_clip(tmp_path: Path) -> None:
    figures, _ = recorded(families.run(Setting(torch.device("cpu"), tmp_path), "mobileclip2_s0", rounds=1))
    assert figures["mobileclip2_s0"]["texts_vs_library"] > 0
