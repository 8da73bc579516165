"""What a validation or a test of localization comes to: detections by score, metrics over them, and the truth."""

import math
import warnings
from collections.abc import Collection, Sequence
from itertools import chain
from pathlib import Path
from statistics import mean
from typing import cast

import torch
from torch import Tensor, nn

from data_modules.annotations.activitynet_format import AnnotatedVideo, Annotation, Detection
from data_modules.batch import UntrimmedRecord
from data_modules.protocols.trial import Subset
from prompt_video.localization.external_scores import ExternalScores, fuse
from prompt_video.localization.suppression import Candidates, Suppression
from prompt_video.metrics.localization import DetectionMAP, ProposalRecall
from prompt_video.tasks.results import Results, shares_of_processes

CLIP_ONLY, WITH_EXTERNAL, FROZEN = "clip_only", "with_external", "frozen"
VIDEOS = "videos"  # how many were scored: a mAP means little without


class DetectionResults(Results):
    """Detections in one subset, video by video.

    Every figure says which score it is of: ``clip_only``, all classification by the prompted backbone;
    ``with_external``, where the user gave video-level scores of another classifier; and ``frozen``, the frozen backbone
    on the same proposals.

    Args:
        subset: of the trial.
        tious: thresholds of mAP.
        suppression: how overlapping proposals are thinned out.
        external: video-level scores, if any.
        external_weight: their weight in ``with_external``.
    """

    def __init__(
        self,
        subset: Subset,
        tious: Sequence[float],
        suppression: Suppression,
        external: ExternalScores | None = None,
        external_weight: float = 0.5,
    ) -> None:
        super().__init__()
        self.class_names, self.tious = subset.class_names, tuple(tious)
        self.suppression, self.external, self.external_weight = suppression, external, external_weight
        self._records = {r.video_id: r for r in subset.records if isinstance(r, UntrimmedRecord)}
        names = [CLIP_ONLY, FROZEN, *([WITH_EXTERNAL] if external else [])]
        maps = nn.ModuleDict({name: DetectionMAP(len(subset.class_names), tious) for name in names})
        self.maps = cast("dict[str, DetectionMAP]", maps)
        self.proposals = ProposalRecall()
        self.detections: dict[str, dict[str, tuple[Detection, ...]]] = {name: {} for name in names}
        self.figures: dict[str, float] = {}  # of `compute`
        self.class_ap: dict[str, dict[str, float]] = {}

    def reset(self) -> None:
        """Forget all videos, as before a new epoch of validation or a new test."""
        for metric in (*self.maps.values(), self.proposals):
            metric.reset()
        self.detections = {name: {} for name in self.detections}

    def update(self, video_id: str, candidates: Candidates) -> None:
        """Add a whole video: each once, on one process.

        Args:
            video_id: of the video.
            candidates: all that was proposed in it, with class probabilities.
        """
        truth = self._records[video_id].segments
        # Double, as annotated: a threshold may be met exactly.
        true_segments = torch.tensor([[s.start_sec, s.end_sec] for s in truth], dtype=torch.double).reshape(-1, 2)
        true_labels = torch.tensor([s.target for s in truth], dtype=torch.long)
        for name, probabilities in self._probabilities(video_id, candidates).items():
            kept = self.suppression.keep(candidates.segments_sec, candidates.confidence[:, None] * probabilities)
            self.maps[name].update(video_id, kept.segments_sec, kept.scores, kept.labels, true_segments, true_labels)
            self.detections[name][video_id] = kept.named(self.class_names)
        thinned = self.suppression.keep(candidates.segments_sec, candidates.confidence[:, None])
        self.proposals.update(video_id, thinned.segments_sec, thinned.scores, true_segments)

    def gather(self) -> None:
        """Bring together the detections of all processes, in the order of the subset; metrics do so themselves."""
        shares = shares_of_processes(self.detections)
        for name in self.detections:
            together = dict(chain.from_iterable(share[name].items() for share in shares))
            self.detections[name] = {video_id: together[video_id] for video_id in self._records if video_id in together}

    def compute(self) -> dict[str, float]:
        """MAP of each score, over how many videos, recall of proposals; on several processes all have to call it."""
        self.figures = {}
        with warnings.catch_warnings():
            # That a process had no video, or stopped in the middle of the first, is no mistake.
            warnings.filterwarnings("ignore", message=".*was called before the ``update`` method.*")
            for name, metric in self.maps.items():
                self.figures |= {self.key(name, figure): value.item() for figure, value in metric.compute().items()}
                average = metric.per_class().mean(-1).tolist()
                known = zip(self.class_names, average, strict=True)
                self.class_ap[name] = {label: ap for label, ap in known if not math.isnan(ap)}
            self.figures |= {f"proposals/{figure}": value.item() for figure, value in self.proposals.compute().items()}
        self.figures[VIDEOS] = float(len(self.detections[CLIP_ONLY]))
        return self.figures

    def of_classes(self, class_names: Collection[str], *, inverted: bool = False) -> dict[str, float]:
        """Average mAP over some classes, once it is computed."""
        own = [ap for name, ap in self.class_ap[CLIP_ONLY].items() if (name in class_names) != inverted]
        return {f"{CLIP_ONLY}/map_avg": mean(own)} if own else {}

    @staticmethod
    def key(score: str, figure: str) -> str:
        """Name of a figure; the frozen backbone's stands beside that of the prompted backbone."""
        return f"{CLIP_ONLY}/frozen_{figure}" if score == FROZEN else f"{score}/{figure}"

    def paths(self) -> dict[str, Path]:
        """The files of the videos that were scored."""
        return {video_id: self._records[video_id].path for video_id in self.detections[CLIP_ONLY]}

    def truth(self) -> dict[str, AnnotatedVideo]:
        """What really happens in the videos that were scored."""
        return {
            video_id: AnnotatedVideo(
                video_id,
                "",
                record.duration_sec,
                tuple(Annotation(self.class_names[s.target], s.start_sec, s.end_sec) for s in record.segments),
            )
            for video_id, record in self._records.items()
            if video_id in self.detections[CLIP_ONLY]
        }

    def _probabilities(self, video_id: str, candidates: Candidates) -> dict[str, Tensor]:
        by_name = {CLIP_ONLY: candidates.learned, FROZEN: candidates.frozen}
        if self.external is not None:
            scores = self.external.of(video_id)
            # A video that the other classifier has not scored is left to the backbone; how many was said before.
            learned = candidates.learned
            by_name[WITH_EXTERNAL] = (
                learned if scores is None else fuse(learned, scores.to(learned), self.external_weight)
            )
        return by_name
