"""Scores that are no numbers name the video that they are of."""

from collections.abc import Sequence

from torch import Tensor

from data_modules.errors import InputError


def check_scores(scores: Tensor, video_ids: Sequence[str]) -> None:
    """Refuse scores that are not finite.

    Args:
        scores: (V, ...), a row or more for each video.
        video_ids: of V videos.

    Raises:
        InputError: naming the first video.
    """
    bad = ~scores.flatten(1).isfinite().all(1) if scores.ndim > 1 else ~scores.isfinite()
    if bad.any():
        video_id = video_ids[int(bad.int().argmax())]
        raise InputError(
            f"the scores of video {video_id} are not finite: its features or the learned weights are no numbers."
        )
