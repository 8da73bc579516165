"""Which videos were lost: counted by split, written to a file, and a limit on how many may be."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from data_modules.batch import BrokenVideo
from data_modules.errors import InputError


class DroppedVideos:
    """Videos dropped in one run, by split.

    Args:
        max_fraction: the run fails once more than this share of a split is lost.
    """

    def __init__(self, max_fraction: float) -> None:
        self.max_fraction = max_fraction
        self.path: Path | None = None
        self._dropped: dict[str, dict[str, BrokenVideo]] = {}
        self._totals: dict[str, int] = {}

    @property
    def dropped(self) -> Mapping[str, Mapping[str, BrokenVideo]]:
        """Lost videos: split -> video id -> what is wrong with it."""
        return self._dropped

    @property
    def totals(self) -> Mapping[str, int]:
        """Videos of each split, lost ones included."""
        return self._totals

    def open_split(self, split: str, total: int) -> None:
        """Say how many videos a split should have."""
        self._totals[split] = total

    def write_to(self, path: Path) -> None:
        """From now on append every lost video to ``path``, one JSON object a line; those so far are written at once.

        Several processes may write to one file: a line is one write.
        """
        self.path = path
        for split, videos in self._dropped.items():
            for video in videos.values():
                self._append(split, video)

    def add(self, split: str, videos: Iterable[BrokenVideo]) -> None:
        """Note lost videos; each counts once, however often it comes up.

        Raises:
            InputError: when more than ``max_fraction`` of the split is lost.
        """
        known = self._dropped.setdefault(split, {})
        for video in videos:
            if video.video_id not in known:
                known[video.video_id] = video
                self._append(split, video)
        total = self._totals.get(split, 0)
        if known and len(known) > self.max_fraction * total:
            first = next(iter(known.values()))
            raise InputError(
                f"{len(known)} of the {total} videos of split '{split}' cannot be used, more than the share of "
                f"{self.max_fraction:.1%} that data.max_broken_fraction allows. One of them: {first.path} "
                f"({first.reason}). {f'All of them: {self.path}. ' if self.path else ''}Remove or replace them, or "
                "raise that share."
            )

    def _append(self, split: str, video: BrokenVideo) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"split": split, **asdict(video)}, ensure_ascii=False) + "\n")
