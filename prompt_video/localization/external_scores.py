"""Video-level class scores of a classifier from outside, and how they are joined with the backbone's.

The file is one of ActivityNet's classification task, ``.json`` or ``.json.gz``::

    {"results": {"<video id>": [{"label": "<class>", "score": <in [0, 1]>}, ...], ...}}

Labels are class names as this project shows them to CLIP, or the data set's official ones. A class that a video does
not name has the score 0 there.

Where such scores take part, a test is no longer open-set: the classifier was trained on videos of all classes. What
comes of it is therefore a row of its own in every table, ``with_external`` beside ``clip_only``.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from data_modules.annotations.activitynet_format import read_video_scores
from data_modules.errors import InputError
from prompt_video.io.suggest import nearest


class ExternalScores:
    """Scores of videos for the classes of one test.

    Args:
        path: the file.
        class_names: the classes, in the order of the scores.
        labels: official label -> class name, of as many classes as have one.
        known: names and labels of all classes of the data set: those that this test leaves out are no mistakes.

    Raises:
        InputError: when the file cannot be read, is not of this format, or names an unknown class.
    """

    def __init__(
        self,
        path: Path,
        class_names: Sequence[str],
        labels: Mapping[str, str] | None = None,
        known: Collection[str] = (),
    ) -> None:
        place = {name: number for number, name in enumerate(class_names)}
        places = {label: place[name] for label, name in (labels or {}).items() if name in place} | place
        self.num_classes = len(class_names)
        self._scores: dict[str, dict[int, float]] = {}
        others = {*known, *(labels or {})}
        for video_id, of_label in read_video_scores(path).items():
            of_class = self._scores.setdefault(video_id, {})
            for label, score in of_label.items():
                if label in places:
                    # A class may stand there under its name and under its label.
                    of_class[places[label]] = max(score, of_class.get(places[label], 0.0))
                elif label not in others:
                    near = nearest(label, {*places, *others})
                    raise InputError(f"{path}, video '{video_id}': '{label}' is no class of this data set{near}")

    def of(self, video_id: str) -> Float[Tensor, " K"] | None:
        """The scores of a video, in [0, 1]; None where the file does not hold it."""
        if video_id not in self._scores:
            return None
        scores = torch.zeros(self.num_classes)
        for number, score in self._scores[video_id].items():
            scores[number] = score
        return scores

    def missing(self, video_ids: Iterable[str]) -> list[str]:
        """The videos that the file does not hold."""
        return [video_id for video_id in video_ids if video_id not in self._scores]


def fuse(
    clip_probabilities: Float[Tensor, "P K"], external: Float[Tensor, " K"], weight: float
) -> Float[Tensor, "P K"]:
    """Class probabilities of proposals, joined with those of their whole video: a weighted geometric mean.

    ``p_clip ** (1 - weight) * p_external ** weight``, which keeps a class only where both see it. Times the proposal's
    own confidence it is the score of a detection, as ``p_clip`` alone is for ``clip_only``.

    Args:
        clip_probabilities: of each proposal, in [0, 1].
        external: of the video, in [0, 1].
        weight: 0: only the backbone's; 1: only those from outside.

    Raises:
        InputError: when the weight is outside [0, 1].
    """
    if not 0 <= weight <= 1:
        raise InputError(f"the weight of external scores must be in [0, 1], not {weight}.")
    return clip_probabilities.pow(1 - weight) * external.to(clip_probabilities).pow(weight)
