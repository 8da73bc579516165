"""What the annotated segments of a test are taken for, under each control: naming by itself, whatever was proposed."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from data_modules.batch import Batch, UntrimmedRecord
from data_modules.protocols.trial import Subset
from prompt_video.localization.segment_encoding import encode_segments, frames_in_segments
from prompt_video.model.frame_order import reordered
from prompt_video.model.nonsense_names import nonsense_names
from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.classification_results import ClassificationResults
from prompt_video.tasks.controls import IN_ORDER, NONSENSE, ONE_FRAME, REVERSED


class WindowSegments(NamedTuple):
    """Annotated segments that each window answers for.

    Args:
        segments: start and end in frames of the window.
        chosen: False: padding.
        names: of each chosen one, unique in the test.
        targets: index into the class names.
    """

    segments: Float[Tensor, "R N 2"]
    chosen: Bool[Tensor, "R N"]
    names: list[str]
    targets: list[int]


def window_segments(batch: Batch, records: Mapping[str, UntrimmedRecord]) -> WindowSegments:
    """The segments whose middle lies in the moments that a window answers for: of all windows together each once.

    Args:
        batch: of windows.
        records: their videos, by id.
    """
    windows, device = batch["windows"], batch["mask"].device
    rows, names, targets = [], [], []
    for row, video_id in enumerate(batch["video_id"]):
        since, to = windows["own_sec"][row].tolist()
        spans = []
        for number, segment in enumerate(records[video_id].segments):
            if segment.start_sec < segment.end_sec and since <= (segment.start_sec + segment.end_sec) / 2 < to:
                spans.append((segment.start_sec, segment.end_sec))
                names.append(f"{video_id} {number}")
                targets.append(segment.target)
        seconds = torch.tensor(spans, device=device).reshape(-1, 2)
        rows.append((seconds - windows["origin_sec"][row]) / windows["frame_sec"][row])
    chosen = pad_sequence([torch.ones(len(own), dtype=torch.bool, device=device) for own in rows], batch_first=True)
    return WindowSegments(pad_sequence(rows, batch_first=True), chosen, names, targets)


class SegmentResults(ClassificationResults):
    """Guesses on the annotated segments of one test.

    Args:
        subset: of the trial.
    """

    def __init__(self, subset: Subset) -> None:
        super().__init__(subset.class_names, with_frozen=False)
        self.records = {r.video_id: r for r in subset.records if isinstance(r, UntrimmedRecord)}


class SegmentControls(VideoTextTask):
    """A task of localization under its controls: the annotated segments are named, and frames change within each.

    That is far less to compute than detections, and naming is all that changes. `VideoTextModel.frozen_share` plays no
    part in it.
    """

    frames_inside: int | None

    @property
    def control_figure(self) -> str:
        """Share of the segments that are named rightly."""
        return "top1"

    def controls(self) -> list[str]:
        """Those of all tasks, but for the order of frames where all of a window look at each other."""
        return [IN_ORDER, *(c for c in super().controls() if self.frames_inside or c in (ONE_FRAME, NONSENSE))]

    def new_control_results(self, name: str, subset: Subset) -> SegmentResults:
        """Guesses on the annotated segments."""
        return SegmentResults(subset)

    def evaluate_control(self, batch: Batch, control: str) -> None:
        """Name the annotated segments of some windows under one control."""
        results = self.results[batch["subset"]]
        assert isinstance(results, SegmentResults)
        segments, chosen, names, targets = window_segments(batch, results.records)
        if not names:
            return
        frames, mask, texts = self.model.frame_features(batch), batch["mask"], batch["text"]
        if control in (IN_ORDER, NONSENSE, ONE_FRAME):
            count = 1 if control == ONE_FRAME else self.frames_inside
            features = encode_segments(self.model.temporal, frames, mask, segments, chosen, count)
        else:
            assert self.frames_inside is not None
            inside, real = frames_in_segments(frames, mask, segments, chosen, self.frames_inside)
            changed = reordered(inside, real, "reversed" if control == REVERSED else "shuffled", names)
            features = self.model.temporal(changed, real)
        texts = nonsense_names(len(texts)) if control == NONSENSE else texts
        probabilities = self.model.scores(features, texts).softmax(-1)
        results.update(names, torch.tensor(targets, device=probabilities.device), probabilities, probabilities)
