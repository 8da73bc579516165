"""Segments by a trained detector: what a localization test does, for one file and any texts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.files.text_files import excerpt
from data_modules.loading.window_dataset import CollateWindows, WindowSample
from data_modules.loading.windows import Windows
from data_modules.video.timeline import Timeline, tick_starts
from prompt_video.localization.detector import ProposalDetector
from prompt_video.localization.localizer import candidates, detected
from prompt_video.localization.suppression import Suppression, VideoDetections
from prompt_video.model.finite_scores import check_scores
from prompt_video.model.kept_settings import check_settings, fits
from prompt_video.model.rejection import Rejection, confidences
from prompt_video.model.video_text_model import VideoTextModel

OWN = "detector."


@dataclass(frozen=True, eq=False)
class SegmentDetector:
    """A detector and what goes with it.

    Args:
        detector: makes proposals.
        frames_inside: see `encode_segments`.
        suppression: how overlapping detections are thinned out.
    """

    detector: ProposalDetector
    frames_inside: int | None
    suppression: Suppression

    @classmethod
    def of(cls, task: Mapping[str, Any], state: Mapping[str, Tensor], width: int) -> "SegmentDetector | None":
        """Of a checkpoint; None where it has no detector.

        Args:
            task: of the checkpoint, see `LocalizationTask.inference_config`.
            state: the learned weights.
            width: of the joint space.

        Raises:
            InputError: when the checkpoint does not say how its detector is made.
        """
        own = {name.removeprefix(OWN): weight for name, weight in state.items() if name.startswith(OWN)}
        if not own:
            return None
        settings = check_settings(ProposalDetector, task.get("detector") or {}, "detector")
        if settings.get("num_scales", 1) > len(own):
            raise InputError("this checkpoint's detector has fewer scales than its settings say; it is damaged.")
        with torch.device("meta"):  # whatever size the settings say, the weights decide
            detector = ProposalDetector(width, **settings)
        try:
            detector.load_state_dict(own, assign=True)
        except RuntimeError as error:
            raise InputError(
                "this checkpoint's detector is not made with the usual settings, and the checkpoint, which an earlier "
                "version wrote, does not say with which; train it again with this version."
            ) from error
        suppression = Suppression(**check_settings(Suppression, task.get("suppression", {}), "suppression"))
        inside = task.get("frames_inside", 16)
        if not fits(inside, int) or inside < 1:
            raise InputError(f"the frames_inside that this model was trained with cannot be {excerpt(inside)}.")
        return cls(detector.eval().requires_grad_(False), inside, suppression)

    def detect(
        self,
        model: VideoTextModel,
        features: Float[Tensor, "N D"],
        stored: Timeline,
        frame_rate: float | None,
        windows: Windows,
        texts: Sequence[str],
        rejection: Rejection | None = None,
        video: str = "",
    ) -> VideoDetections:
        """The detections in a video, best first.

        Args:
            model: names what the detector finds.
            features: of all frames.
            stored: when they are on screen.
            frame_rate: that they were taken at; None: all of the video.
            windows: how the video is cut.
            texts: the candidates.
            rejection: what shows none of them is left out; None: nothing.
            video: what the features are of, for messages.

        Raises:
            InputError: when scores are not finite.
        """
        kept = _Likely(len(texts), self.suppression)
        scored = [*texts, *(rejection.bank if rejection else ())]
        for batch in _batches(features, stored, frame_rate, windows, scored, model.log_temperature.device):
            frames = model.frame_features(batch)
            proposed = detected(self.detector, batch, frames)
            for window in candidates(model, batch, frames, proposed, self.frames_inside):
                likely = window.learned if rejection is None else _known(window.learned, len(texts), rejection)
                scores = window.confidence[:, None] * likely
                check_scores(scores[None], [video])
                kept.add(window.segments_sec, scores)
        return kept.detections()


def _known(probabilities: Float[Tensor, "P N"], num_texts: int, rejection: Rejection) -> Float[Tensor, "P K"]:
    """The candidates' probabilities among themselves, 0 where a proposal shows none of them.

    Args:
        probabilities: among the candidates and the texts of the bank behind them.
        num_texts: candidates.
        rejection: the rule.
    """
    own = probabilities[:, :num_texts]
    share = own.sum(-1)
    among = own / share.clamp(min=torch.finfo(own.dtype).tiny)[:, None]
    is_known = rejection.is_known(confidences(among, share if rejection.bank else None))
    return among * is_known[:, None]


class _Likely:
    """What the windows of a video propose, without what is too unlikely to be kept, so that ten thousand texts fit.

    The outcome is what `Suppression.keep` makes of everything: a score below ``min_score`` never becomes a detection
    and lowers none, and the best score of a class is never lowered, so that of many classes those with the highest
    best scores hold all that is kept.
    """

    def __init__(self, num_texts: int, suppression: Suppression) -> None:
        self.suppression = suppression
        self._num_texts = num_texts
        self._segments: list[Tensor] = []
        self._rows: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._scores: list[Tensor] = []
        self._count = 0

    def add(self, segments_sec: Float[Tensor, "P 2"], scores: Float[Tensor, "P K"]) -> None:
        """Keep what one window proposes; scores are of each proposal and text."""
        segments_sec, scores = segments_sec.cpu(), scores.cpu()
        likely = scores >= max(self.suppression.min_score, torch.finfo(scores.dtype).tiny)
        chosen = likely.any(-1)
        rows, labels = likely[chosen].nonzero(as_tuple=True)
        self._segments.append(segments_sec[chosen])
        self._rows.append(rows + self._count)
        self._labels.append(labels)
        self._scores.append(scores[chosen][rows, labels])
        self._count += int(chosen.sum())

    def detections(self) -> VideoDetections:
        """What remains of all windows after suppression, best first."""
        segments, rows = torch.cat(self._segments), torch.cat(self._rows)
        labels, scores = torch.cat(self._labels), torch.cat(self._scores)
        best = scores.new_zeros(self._num_texts).scatter_reduce(0, labels, scores, "amax")
        top = best.topk(min(self.suppression.max_detections, self._num_texts)).indices.sort().values
        place = torch.full((self._num_texts,), -1).scatter(0, top, torch.arange(len(top)))[labels]
        dense = scores.new_zeros(self._count, len(top))
        dense[rows[place >= 0], place[place >= 0]] = scores[place >= 0]
        kept = self.suppression.keep(segments, dense)
        return VideoDetections(kept.segments_sec, kept.scores, top[kept.labels])


def _batches(
    features: Float[Tensor, "N D"],
    stored: Timeline,
    frame_rate: float | None,
    windows: Windows,
    texts: Sequence[str],
    device: torch.device,
) -> Iterator[Batch]:
    """One window at a time, as `WindowDataset` reads it from a store."""
    collate = CollateWindows("own", texts)
    cover = windows.cover(stored.duration_sec, stored.frame_rate, stored.start_sec)
    timeline = Timeline(tick_starts(stored.times_sec, frame_rate), stored.duration_sec)
    for number, window in enumerate(cover):
        rows = timeline.on_screen(window.moments_sec)
        sample = WindowSample(
            features=features[torch.from_numpy(rows)],
            mask=torch.ones(window.num_frames, dtype=torch.bool),
            window=window,
            video_id="own",
            duration_sec=stored.duration_sec,
            is_last=number == len(cover) - 1,
            segments=[],
            ignored_sec=[],
        )
        batch = collate([sample])
        for name in ("features", "mask", "time_sec"):
            batch[name] = batch[name].to(device)
        columns = batch["windows"]
        for column in ("origin_sec", "frame_sec", "duration_sec", "own_sec"):
            columns[column] = columns[column].to(device)
        yield batch
