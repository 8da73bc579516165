"""Frames in parts, and frames weighted by texts, each against a plain loop of its formula, and in exact cases."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.metrics.retrieval.results import Retrieval
from prompt_video.model.embedding import class_vectors, text_vectors, video_vectors
from prompt_video.model.parts import OrderedParts, QueryWeighted, part_shares
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.search.models import untrained
from prompt_video.tasks.localization import LocalizationTask
from prompt_video.tasks.recognition import RecognitionTask
from tests.prompt_video.model.plain_loops import NAMES, dot, model_of, softmax, unit


def test_shares_of_parts_equal_a_plain_loop() -> None:
    for frames in range(1, 8):
        for parts in range(1, 6):
            mask = torch.arange(7)[None] < frames
            found = part_shares(mask, parts)[0]
            for part in range(parts):
                since, to = part * frames / parts, (part + 1) * frames / parts
                for frame in range(7):
                    overlap = max(0.0, min(frame + 1, to) - max(frame, since)) if frame < frames else 0.0
                    assert found[part, frame].item() == pytest.approx(overlap * parts / frames, abs=1e-6)


def test_parts_in_order_equal_a_plain_loop() -> None:
    frames, sentences = torch.randn(1, 6, 5), unit(2, 3, 5)
    mask = torch.ones(1, 6, dtype=torch.bool)
    texts = F.normalize(sentences.flatten(1), dim=-1)
    found = OrderedParts(5, num_parts=3)(frames, mask) @ texts.T
    for number, own in enumerate(sentences):
        total = 0.0
        for part, sentence in enumerate(own):
            first, second = (F.normalize(frames[0, 2 * part + k], dim=0) for k in range(2))
            total += dot(F.normalize((first + second) / 2, dim=0), sentence) / 3
        assert found[0, number].item() == pytest.approx(total, abs=1e-5)
    turned = OrderedParts(5, num_parts=3)(frames.flip(1), mask) @ texts.T
    assert not torch.allclose(found, turned, atol=1e-3)


def test_query_weighting_equals_a_plain_loop() -> None:
    encoder, texts = QueryWeighted(5, tau=0.2, num_frames=4), unit(3, 5)
    frames, mask = torch.randn(2, 4, 5), torch.ones(2, 4, dtype=torch.bool)
    found = encoder.product(F.normalize(encoder(frames, mask), dim=-1), texts)
    for row, video in enumerate(F.normalize(frames, dim=-1)):
        for column, text in enumerate(texts):
            weights = softmax([dot(frame, text) / 0.2 for frame in video])
            joined = sum(weight * frame for weight, frame in zip(weights, video, strict=True))
            assert isinstance(joined, Tensor)
            assert found[row, column].item() == pytest.approx(dot(F.normalize(joined, dim=0), text), abs=1e-5)


def test_query_weighting_at_its_ends() -> None:
    """Of one frame, its cosine; a small tau takes the best frame, a large one the mean of all."""
    frames, mask, texts = torch.randn(2, 4, 5), torch.ones(2, 4, dtype=torch.bool), unit(3, 5)
    cosine = F.normalize(frames, dim=-1) @ texts.T
    one = QueryWeighted(5, num_frames=1)
    torch.testing.assert_close(one.product(one(frames[:, :1], mask[:, :1]), texts), cosine[:, 0])
    best, mean = QueryWeighted(5, tau=1e-4, num_frames=4), QueryWeighted(5, tau=1e4, num_frames=4)
    torch.testing.assert_close(best.product(best(frames, mask), texts), cosine.amax(1), atol=1e-4, rtol=1e-4)
    average = F.normalize(F.normalize(frames, dim=-1).mean(1), dim=-1)
    torch.testing.assert_close(mean.product(mean(frames, mask), texts), average @ texts.T, atol=1e-4, rtol=1e-4)


def test_retrieval_scores_frames_as_each_text_weights_them() -> None:
    encoder, texts = QueryWeighted(6, num_frames=4), unit(5, 6)
    videos = encoder(torch.randn(3, 4, 6), torch.ones(3, 4, dtype=torch.bool))
    number = np.arange(3)
    found = Retrieval(np.arange(5), texts.numpy(), number, videos.numpy(), np.array([0, 1, 2, 0, 1]), encoder.of_pairs)
    expected = encoder.product(videos, texts).T
    (block,) = found.scores.blocks()
    np.testing.assert_allclose(block.scores, expected.numpy(), atol=1e-6)
    best = found.top(1, "t2v").numbers[:, 0]
    assert best.tolist() == expected.argmax(1).tolist()
    assert {"t2v/qb_norm_r@1", "v2t/qb_norm_r@1"} <= found.qb_norm(texts.numpy(), videos.numpy()).keys()


@pytest.mark.parametrize("encoder", [OrderedParts(5, 3), QueryWeighted(5, num_frames=3)])
def test_padding_changes_nothing(encoder: TemporalEncoder) -> None:
    frames, mask = torch.randn(1, 4, 5), torch.ones(1, 4, dtype=torch.bool)
    padded = torch.cat([frames, torch.full((1, 2, 5), math.nan)], dim=1)
    longer = torch.cat([mask, torch.zeros(1, 2, dtype=torch.bool)], dim=1)
    torch.testing.assert_close(encoder(padded, longer), encoder(frames, mask))


def test_what_needs_one_vector_of_a_video_refuses_weighted_frames(backbone: FrozenBackbone) -> None:
    model = model_of(backbone, TemplatePrompt, QueryWeighted)
    for refused in (lambda: class_vectors(model, NAMES), lambda: untrained(model)):
        with pytest.raises(InputError, match="this model weights the frames of a video by each text"):
            refused()
    with pytest.raises(InputError, match="frozen_share is for scores of one vector a video"):
        VideoTextModel(backbone, TemplatePrompt, QueryWeighted, frozen_share=0.5)
    with pytest.raises(InputError, match=r"model\.frames_inside must be a number"):
        LocalizationTask(prompt=TemplatePrompt, temporal=QueryWeighted, frames_inside=None)
    with pytest.raises(InputError, match="text_consistency and video_consistency are for one vector"):
        RecognitionTask(prompt=TemplatePrompt, temporal=QueryWeighted, text_consistency=1.0)


def test_a_moment_is_weighted_as_a_video_is(backbone: FrozenBackbone) -> None:
    """Similarity over time, and with it segments without a detector, go through the same product."""
    model = model_of(backbone, TemplatePrompt, QueryWeighted)
    frames, mask = torch.randn(2, 8, backbone.embed_dim), torch.ones(2, 8, dtype=torch.bool)
    vectors = text_vectors(model, NAMES)
    found = model.temporal.product(video_vectors(model, frames, mask), vectors)
    expected = model.scores(model.temporal(frames, mask), NAMES) * backbone.temperature
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
