import pytest
import torch

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.tokenizer import FileTokenizer
from prompt_video.model.prompt import PromptLearner, TemplatePrompt
from prompt_video.model.prompt_words import prompt_words


def tokenizer_of(backbone: FrozenBackbone) -> FileTokenizer:
    tokenizer = backbone.towers.tokenizer
    assert isinstance(tokenizer, FileTokenizer)
    return tokenizer


def test_a_vector_that_is_a_word_lies_nearest_to_it(backbone: FrozenBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = PromptLearner(backbone.width, num_prefix=1, num_suffix=1)
    table = backbone.towers.text.token_embedding.weight
    vocabulary = tokenizer_of(backbone).tokenizer.get_vocab()
    with torch.no_grad():
        prompt.context[0] = table[vocabulary["red</w>"]]
        prompt.context[1] = table[vocabulary["star</w>"]] + 0.01
    found = prompt_words(prompt, backbone, 3)
    assert [(vector.vector, vector.words[0]) for vector in found] == [("prefix 1", "red"), ("suffix 1", "star")]
    assert found[0].distances[0] == 0
    assert found[1].distances[0] == pytest.approx(0.01 * backbone.width**0.5, rel=1e-4)
    assert all(vector.distances == tuple(sorted(vector.distances)) for vector in found)
    # Some words at a time give what all at once do.
    monkeypatch.setattr("prompt_video.model.prompt_words.BLOCK", 7)
    assert prompt_words(prompt, backbone, 3) == found


def test_tokens_that_are_no_words_are_left_out(backbone: FrozenBackbone) -> None:
    prompt = PromptLearner(backbone.width, num_prefix=1, num_suffix=0)
    with torch.no_grad():
        prompt.context[0] = backbone.towers.text.token_embedding.weight[tokenizer_of(backbone).special_id("bos_token")]
    words = prompt_words(prompt, backbone, 10_000)[0].words
    assert len(words) == backbone.towers.text.token_embedding.num_embeddings - 2
    assert not any("<|" in word or word.endswith("</w>") for word in words)


def test_only_learned_vectors_have_words(backbone: FrozenBackbone) -> None:
    assert prompt_words(TemplatePrompt(backbone.width), backbone) == []
    assert prompt_words(PromptLearner(backbone.width, num_prefix=0, num_suffix=0), backbone) == []
    positions = prompt_words(PromptLearner(backbone.width, 2, 3, layout="by_position"), backbone)
    assert [vector.vector for vector in positions[:3]] == ["prefix 1", "prefix 2", "position 3"]
    assert len(positions) == 76
