"""Scores of the last seconds of what is going on, again and again."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_modules.errors import InputError
from data_modules.video.live import Back, Event, LivePicture, Lost
from prompt_video.inference.loaded import LoadedModel
from prompt_video.inference.results import VideoScores

MOST_SEC = 60.0  # of a window


class Moment(NamedTuple):
    """What the last seconds show.

    Args:
        start_sec: where they begin.
        end_sec: where they end.
        scores: of the candidates.
    """

    start_sec: float
    end_sec: float
    scores: VideoScores


Told: TypeAlias = Moment | Lost | Back


class Watcher:
    """Scores the last seconds, again and again; every picture is encoded once, and features of a window are kept.

    Args:
        model: of any task.
        texts: the candidates.
        window_sec: length of what is scored; at the beginning and after a gap, what there is of it.
        every_sec: from one score to the next.

    Raises:
        InputError: when a length is none, or the window is shorter than the step.
    """

    def __init__(
        self, model: LoadedModel, texts: Sequence[str], window_sec: float = 4.0, every_sec: float = 1.0
    ) -> None:
        for name, value in (("--window", window_sec), ("--every", every_sec)):
            if not 0 < value <= MOST_SEC:
                raise InputError(f"{name} must be more than 0 and at most {MOST_SEC:g} seconds, not {value:g}.")
        if window_sec < every_sec:
            raise InputError(f"--window must not be shorter than --every: {window_sec:g} and {every_sec:g} seconds.")
        model.check(texts)
        self.model, self.texts, self.every_sec = model, list(texts), every_sec
        config = model.config
        self.rate = config.frame_rate or max(1.0, model.model.temporal.max_frames / window_sec)
        self._features: deque[Float[Tensor, "C D"]] = deque(maxlen=max(1, round(window_sec * self.rate)))
        self._new: list[LivePicture] = []
        self._due_sec: float | None = None

    def watch(self, events: Iterable[Event]) -> Iterator[Told]:
        """What comes of a source; a window never reaches over a gap.

        Args:
            events: pictures at `rate`, and gaps.
        """
        for event in events:
            if not isinstance(event, LivePicture):
                if isinstance(event, Lost):
                    yield from self._last()
                yield event
                continue
            if self._due_sec is None:
                self._due_sec = event.time_sec + self.every_sec
            if event.time_sec >= self._due_sec - 1e-6:
                yield self._moment(self._due_sec)
                steps = max(1, int((event.time_sec - self._due_sec) / self.every_sec + 1 + 1e-6))
                self._due_sec += steps * self.every_sec
            self._new.append(event)
        yield from self._last()

    def _last(self) -> Iterator[Moment]:
        """What is left at the end, or before a gap, after which all begins anew."""
        if self._new:
            yield self._moment(self._new[-1].time_sec + 1 / self.rate)
        self._features.clear()
        self._due_sec = None

    @torch.inference_mode()
    def _moment(self, end_sec: float) -> Moment:
        self._encode()
        config, count = self.model.config, len(self._features)
        duration_sec = count / self.rate
        moments = config.sampler.test(duration_sec, self.rate, np.random.default_rng(0))
        places = torch.from_numpy((moments * self.rate + 1e-6).astype(np.int64)).clamp(0, count - 1)
        views = torch.stack(tuple(self._features))[places]  # (V, T, C, D)
        features = views.permute(2, 0, 1, 3).flatten(0, 1)
        scores = self.model.score_features(features, self.texts, Path("live"), duration_sec)
        return Moment(end_sec - duration_sec, end_sec, scores)

    def _encode(self) -> None:
        """Features of the pictures that came since the last time; one that stayed on screen is encoded once."""
        if not self._new:
            return
        shown: list[LivePicture] = []
        place_of: list[int] = []
        for one in self._new:
            if not shown or one.picture is not shown[-1].picture:
                shown.append(one)
            place_of.append(len(shown) - 1)
        backbone, crops = self.model.model.backbone, self.model.config.crops
        squares = torch.stack([crop(one.picture, one.pixel_aspect) for one in shown for crop in crops])
        features = backbone.encode_frames(squares.to(backbone.mean.device))
        self._features.extend(torch.unflatten(features, 0, (len(shown), len(crops)))[place_of])
        self._new = []
