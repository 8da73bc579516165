"""Unit vectors of videos and texts, whose product is what the model's test scores come from."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.model.frozen_share import joined_classifier, joined_vectors
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder, mean_frame
from prompt_video.model.text_head import Classifier, TextHead
from prompt_video.model.video_text_model import VideoTextModel


def dim_of(model: VideoTextModel) -> int:
    """Length of the vectors: the joint space's, twice that where the frozen backbone has a share."""
    return model.backbone.embed_dim * (model.temporal.video_parts + bool(model.frozen_share))


def video_vectors(
    model: VideoTextModel, frames: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]
) -> Float[Tensor, "R E"]:
    """One unit vector a video, of features of its frames."""
    learned, frozen = model.temporal(frames, mask), mean_frame(frames, mask)
    return joined_vectors(F.normalize(learned, dim=-1), F.normalize(frozen, dim=-1), model.frozen_share)


def span_vectors(
    model: VideoTextModel, features: Float[Tensor, "N D"], rows: Int64[np.ndarray, "S T"], at_a_time: int
) -> Iterator[Float[Tensor, "R E"]]:
    """`video_vectors` of spans of one video, on the CPU, some at a time.

    Args:
        model: the model.
        features: of the frames of the video.
        rows: which of them stand for each span.
        at_a_time: spans.
    """
    for some in torch.split(torch.from_numpy(rows), at_a_time):
        frames = features[some].to(model.backbone.mean.device)
        yield video_vectors(model, frames, frames.new_ones(frames.shape[:2], dtype=torch.bool)).cpu()


def text_vectors(model: VideoTextModel, texts: Sequence[str]) -> Float[Tensor, "K E"]:
    """One unit vector a text, to be multiplied with `video_vectors`.

    Raises:
        InputError: when one is not finite.
    """
    learned, share = model.text_features(texts), model.frozen_share
    vectors = joined_vectors(learned, model.frozen_text_features(texts), share) if share else learned
    if not vectors.isfinite().all():
        raise InputError("the vectors of the texts are not finite: the learned weights are no numbers, or too large.")
    return vectors


def class_vectors(model: VideoTextModel, texts: Sequence[str]) -> Classifier:
    """What makes `video_vectors` the scores of a test, whatever the text head."""
    refuse_weighted(model)
    own, share = model.classifier(texts).linear(), model.frozen_share
    return joined_classifier(own, model.frozen_text_features(texts), model.temperature, share) if share else own


def frozen_model(model: VideoTextModel, templates: str | Sequence[str] | None = None) -> VideoTextModel:
    """The frozen backbone that a model is compared with: its hand-crafted templates, and frames averaged.

    Args:
        model: the model.
        templates: others than its; see `TemplatePrompt`.
    """
    temporal, templates = model.temporal, model.frozen_prompt.templates if templates is None else templates
    return VideoTextModel(
        model.backbone,
        partial(TemplatePrompt, templates=templates, too_long="truncate"),
        partial(TemporalEncoder, num_layers=0, num_heads=temporal.num_heads, max_frames=temporal.max_frames),
        frozen_templates=templates,
    )


def refuse_weighted(model: VideoTextModel) -> None:
    """One vector of a video does not stand for frames that each text weights anew.

    Raises:
        InputError: when the model weights frames so.
    """
    if not model.temporal.is_linear:
        raise InputError(
            "this model weights the frames of a video by each text, and has no single vector of a video, which is "
            "needed here: take another method."
        )


def refuse_probe(head: type[TextHead]) -> None:
    """A model that reads no texts cannot be searched with.

    Args:
        head: the class of its text head.

    Raises:
        InputError: when its scores are no cosines.
    """
    if not head.reads_text:
        raise InputError(
            f"this model is {head.called}: {head.knows}, so that nothing can be searched with it. Take a model that "
            "learned prompts, or say --frozen."
        )
