"""Proposals of any detector, from a file."""

from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from data_modules.annotations.activitynet_format import read_detections
from data_modules.errors import InputError


class LoadedProposals:
    """Class-agnostic segments of videos, read from a JSON in ActivityNet's result format; labels are not looked at.

    Args:
        path: ``{"results": {"<video id>": [{"segment": [start, end], "score": ...}, ...]}}``, in seconds.

    Raises:
        InputError: when the file cannot be read, or an entry of it is not sound.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, tuple[Tensor, Tensor]] = {}
        for video_id, detections in read_detections(path, labels=False).items():
            # A detector with labels may give a segment several times: the best counts.
            best: dict[tuple[float, float], float] = {}
            for proposal in detections:
                segment = (proposal.start_sec, proposal.end_sec)
                best[segment] = max(proposal.score, best.get(segment, 0.0))
            segments = torch.tensor(list(best), dtype=torch.float32).reshape(-1, 2)
            self._found[video_id] = segments, torch.tensor(list(best.values()), dtype=torch.float32)

    def missing(self, video_ids: Iterable[str]) -> list[str]:
        """The videos that the file says nothing of."""
        return [video_id for video_id in video_ids if video_id not in self._found]

    def check(self, video_ids: Iterable[str]) -> None:
        """Refuse a file of other videos.

        Raises:
            InputError: when the file has proposals for none of them.
        """
        wanted = list(video_ids)
        if wanted and len(self.missing(wanted)) == len(wanted):
            known = f"its own are called like '{next(iter(self._found))}'" if self._found else "it names no video"
            raise InputError(
                f"{self.path} has proposals for none of the videos: '{wanted[0]}' is missing, and {known}."
            )

    def of(self, video_id: str, own_sec: tuple[float, float]) -> tuple[Float[Tensor, "N 2"], Float[Tensor, " N"]]:
        """Segments in seconds and scores of the proposals whose middle lies in a stretch of a video."""
        segments, scores = self._found.get(video_id, (torch.empty(0, 2), torch.empty(0)))
        middle = segments.mean(-1)
        own = (middle >= own_sec[0]) & (middle < own_sec[1])
        return segments[own], scores[own]
