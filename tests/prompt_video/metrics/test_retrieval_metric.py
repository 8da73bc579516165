"""The metric, fed batch by batch: in any order, on one process and on two real ones."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from prompt_video.metrics.retrieval.metric import RetrievalMetrics
from prompt_video.metrics.retrieval.paired import PairedScores
from prompt_video.metrics.retrieval.query_bank import QBNorm
from prompt_video.metrics.retrieval.ranks import named_figures, ranks
from prompt_video.metrics.retrieval.rescoring import DualSoftmax
from prompt_video.metrics.retrieval.scores import FeatureScores

# Evaluates one division of the videos after another.
PROCESS = """
import json
import torch
from torch import distributed

from prompt_video.metrics.retrieval.metric import RetrievalMetrics

rank, folder, divisions = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
batches = torch.load(f"{folder}/batches.pt")
metric = RetrievalMetrics()
found = []
for shares in divisions:
    for number in shares[rank]:
        metric.update(**batches[number])
    retrieval = metric.retrieval()
    found.append([metric.compute(), retrieval.dual_softmax(0.5), retrieval.top(3, "t2v").numbers.tolist()])
    metric.reset()
with open(f"{folder}/{rank}.json", "w") as file:
    json.dump(found, file)
distributed.destroy_process_group()
"""

DIM = 24


@pytest.fixture
def batches() -> list[dict[str, Tensor]]:
    """Videos, some twice or without text, with the texts of each; one batch has texts of another batch's videos."""
    generator = torch.Generator().manual_seed(0)
    videos = torch.randn(20, DIM, generator=generator)
    videos[[7, 13]] = videos[2].clone()
    count = torch.tensor([number % 4 for number in range(20)])
    text_video = torch.arange(20).repeat_interleave(count)
    texts = videos[text_video] + 2 * torch.randn(len(text_video), DIM, generator=generator)
    texts[9] = texts[4].clone()
    made = []
    for number in range(7):
        video = torch.arange(20)[number::7]
        text = torch.arange(len(text_video))[torch.isin(text_video, video + (number == 0))]
        text = text if number != 1 else text[:0]
        made.append(
            {
                "text_features": texts[text],
                "video_features": videos[video],
                "text": 1000 - text,
                "text_video": 500 + text_video[text],
                "video": 500 + video,
            }
        )
    return made


def fed(batches: list[dict[str, Tensor]], order: list[int]) -> RetrievalMetrics:
    metric = RetrievalMetrics()
    for number in order:
        metric.update(**batches[number])
    return metric


def test_two_processes_find_what_one_does(
    tmp_path: Path, batches: list[dict[str, Tensor]], run_ranks: Callable[..., None]
) -> None:
    # The second process has half of the batches, one without texts, or none.
    divisions = [[sorted(set(range(7)) - set(own)), own] for own in ([5, 3, 1], [1], [])]
    torch.save(batches, tmp_path / "batches.pt")
    run_ranks(PROCESS, str(tmp_path), json.dumps(divisions))
    metric = fed(batches, list(range(7)))
    retrieval = metric.retrieval()
    expected = [metric.compute(), retrieval.dual_softmax(0.5), retrieval.top(3, "t2v").numbers.tolist()]
    assert 0 < metric.compute()["t2v/r@1"] < 1
    for rank in range(2):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == [expected] * len(divisions)


def test_the_order_of_updates_does_not_matter(batches: list[dict[str, Tensor]]) -> None:
    one, other = fed(batches, [0, 1, 2, 3, 4, 5, 6]), fed(batches, [6, 2, 0, 5, 1, 3, 4])
    assert one.compute() == other.compute()
    first, second = one.retrieval(), other.retrieval()
    assert first.figures() == one.compute()
    for name in ("text", "text_features", "video", "video_features", "video_index", "asking"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for direction, found in first.ranks.items():
        np.testing.assert_array_equal(found.expected(), second.ranks[direction].expected())
    assert first.dual_softmax(0.1) == second.dual_softmax(0.1)


def test_figures_are_those_of_the_sorted_features(batches: list[dict[str, Tensor]]) -> None:
    retrieval = fed(batches, [3, 2, 1, 0, 4, 6, 5]).retrieval()
    assert (np.diff(retrieval.text) > 0).all()
    assert retrieval.video.tolist() == list(range(500, 520))
    assert set(retrieval.asking.tolist()) == set(retrieval.video_index.tolist())
    whole = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
    order = whole["text"].argsort()
    texts, videos = whole["text_features"][order].numpy(), whole["video_features"][whole["video"].argsort()].numpy()
    scores = PairedScores(FeatureScores(texts, videos), (whole["text_video"][order] - 500).numpy())
    assert retrieval.figures() == named_figures(ranks(scores))
    assert list(retrieval.figures())[:3] == ["t2v/r@1", "t2v/r@5", "t2v/r@10"]
    assert list(retrieval.figures())[-2:] == ["v2t/median_rank", "v2t/mean_rank"]
    dual = DualSoftmax(scores, 2.0)
    assert retrieval.dual_softmax(2.0) == named_figures(ranks(scores, dual), dual)
    bank = texts[::2] + 1
    qb_norm = QBNorm(scores, FeatureScores(bank, videos), FeatureScores(videos[:5], texts), 0.3)
    assert retrieval.qb_norm(bank, videos[:5], beta=0.3) == named_figures(ranks(scores, qb_norm), qb_norm)
    assert next(iter(retrieval.qb_norm(video_bank=videos[:2]))) == "v2t/qb_norm_r@1"
    assert retrieval.top(2, "v2t").numbers.shape == (20, 2)


def test_half_precision_and_gradients(batches: list[dict[str, Tensor]]) -> None:
    metric = RetrievalMetrics()
    for batch in batches:
        features = {name: batch[name].half().requires_grad_() for name in ("text_features", "video_features")}
        metric.update(**{**batch, **features})
    assert metric.compute()["t2v/mean_rank"] == pytest.approx(
        fed(batches, list(range(7))).compute()["t2v/mean_rank"], abs=0.2
    )
    assert isinstance(metric.text_features, list)
    assert not metric.text_features[0].requires_grad


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([], "no texts were given; retrieval needs some"),
        ([1], "no texts were given"),
        ([2, 2], "3 of 6 texts were given twice"),
        ([0], "the video 515 has a text, but was not given itself"),
        ([1, 1, 2], "3 of 9 videos were given twice"),
    ],
)
def test_what_cannot_be_ranked(batches: list[dict[str, Tensor]], order: list[int], message: str) -> None:
    metric = fed(batches, order)
    with pytest.raises(ValueError, match=message):
        metric.retrieval()
