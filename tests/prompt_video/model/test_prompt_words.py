import pytest
import torch

from prompt_video.backbones.backbone import FrozenCLIP
from prompt_video.model.prompt import PromptLearner, TemplatePrompt
from prompt_video.model.prompt_words import prompt_words


def test_a_vector_that_is_a_word_lies_nearest_to_it(clip: FrozenCLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = PromptLearner(clip.width, num_prefix=1, num_suffix=1)
    table = clip.towers.text.token_embedding.weight
    vocabulary = clip.towers.tokenizer.get_vocab()
    with torch.no_grad():
        prompt.context[0] = table[vocabulary["red</w>"]]
        prompt.context[1] = table[vocabulary["star</w>"]] + 0.01
    found = prompt_words(prompt, clip, 3)
    assert [(vector.vector, vector.words[0]) for vector in found] == [("prefix 1", "red"), ("suffix 1", "star")]
    assert found[0].distances[0] == 0
    assert found[1].distances[0] == pytest.approx(0.01 * clip.width**0.5, rel=1e-4)
    assert all(vector.distances == tuple(sorted(vector.distances)) for vector in found)
    # Some words at a time give what all at once do.
    monkeypatch.setattr("prompt_video.model.prompt_words.BLOCK", 7)
    assert prompt_words(prompt, clip, 3) == found


def test_tokens_that_are_no_words_are_left_out(clip: FrozenCLIP) -> None:
    prompt = PromptLearner(clip.width, num_prefix=1, num_suffix=0)
    with torch.no_grad():
        prompt.context[0] = clip.towers.text.token_embedding.weight[clip.towers.tokenizer.bos_token_id]
    words = prompt_words(prompt, clip, 10_000)[0].words
    assert len(words) == len(clip.towers.tokenizer) - 2
    assert not any("<|" in word or word.endswith("</w>") for word in words)


def test_only_learned_vectors_have_words(clip: FrozenCLIP) -> None:
    assert prompt_words(TemplatePrompt(clip.width), clip) == []
    assert prompt_words(PromptLearner(clip.width, num_prefix=0, num_suffix=0), clip) == []
    positions = prompt_words(PromptLearner(clip.width, 2, 3, layout="by_position"), clip)
    assert [vector.vector for vector in positions[:3]] == ["prefix 1", "prefix 2", "position 3"]
    assert len(positions) == 76
