"""How well texts fit a video, moment by moment."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from prompt_video.inference.frames import Progress, all_features, open_video
from prompt_video.inference.rejecting import bank_of
from prompt_video.inference.results import SimilarityCurve
from prompt_video.model.embedding import span_vectors
from prompt_video.model.finite_scores import check_scores
from prompt_video.model.rejection import bank_share
from prompt_video.search.spans import Cutting

if TYPE_CHECKING:
    from prompt_video.inference.loaded import LoadedModel

SPANS_AT_A_TIME = 64
CURVE_RATE = 4.0  # frames a second of a similarity curve


def similarity_curve(
    model: "LoadedModel", video: Path, texts: Sequence[str], span_sec: float | None, progress: Progress | None
) -> SimilarityCurve:
    """See `LoadedModel.similarity`."""
    own, scorer = model.independent, model.model
    vectors = model.embed_text([*texts, *bank_of(model.rule_for(texts))])
    with open_video(video) as reader:
        start_sec, duration_sec = reader.timeline.start_sec, reader.timeline.duration_sec
        features, times = all_features(reader, CURVE_RATE, model.config.crops[0], scorer.backbone, progress)
    length_sec = duration_sec - start_sec
    span = span_sec if span_sec is not None else min(max(length_sec / 10, 1.0), 4.0)
    num_frames = min(scorer.temporal.max_frames, max(1, round(span * CURVE_RATE)))
    cutting = Cutting(span, span / 4, num_frames, CURVE_RATE)
    spans = span_vectors(scorer, features, cutting.rows(times, duration_sec, start_sec), SPANS_AT_A_TIME)
    cosines = torch.cat([scorer.temporal.product(some, vectors) for some in spans])
    check_scores(cosines[None], [str(video)])
    similarity, bank = cosines.tensor_split([len(texts)], dim=-1)
    temperature = scorer.temperature.item()
    return SimilarityCurve(
        video,
        tuple(texts),
        torch.tensor([(start + end) / 2 for start, end in cutting.spans(duration_sec, start_sec)]),
        similarity,
        temperature * (model.calibration.temperature if own is None else 1.0),
        min(span, length_sec),
        duration_sec,
        start_sec,
        bank_share(similarity / temperature, bank / temperature) if bank.shape[-1] else None,
        own,
    )
