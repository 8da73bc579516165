"""``predictions.json`` and ``predictions.csv``: what a model finds in each video, or for each caption, of any task."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from data_modules.annotations.activitynet_format import Detection
from data_modules.batch import BrokenVideo
from prompt_video.io.outputs import write_json
from prompt_video.io.spreadsheet import write_table
from prompt_video.model.none_of_these import NONE_OF_THESE

NAME = "predictions"


@dataclass(frozen=True)
class Predictions:
    """What was found.

    Args:
        model: that found it, in words.
        asked: what each row is of.
        columns: what is said of each thing that was found.
        found: of each video or caption the values of the columns for each thing, best first; captions may be equal.
        broken: videos that could not be used.
        notice: what people must know of these figures; None: nothing.
        labels: of each video what it was taken for, None where it shows none of the candidates; empty where no such
            thing is said.
    """

    model: str
    asked: Literal["video", "caption"]
    columns: Sequence[str]
    found: Sequence[tuple[str, Sequence[Sequence[Any]]]]
    broken: Sequence[BrokenVideo] = ()
    notice: str | None = None
    labels: Sequence[str | None] = ()

    @property
    def counted(self) -> str:
        """How many there are, in words."""
        return f"predictions of {len(self.found)} {self.asked}{'s' * (len(self.found) != 1)}"

    def write(self, folder: Path) -> str:
        """Write both files.

        Args:
            folder: that they are put into.

        Returns:
            What was written, in words.
        """
        said: list[dict[str, str | None]] = [{"label": label} for label in self.labels] or [{} for _ in self.found]
        rows = [
            {self.asked: name, **label, "best": [dict(zip(self.columns, one, strict=True)) for one in best]}
            for (name, best), label in zip(self.found, said, strict=True)
        ]
        broken = [asdict(video) for video in self.broken]
        notice = {"notice": self.notice} if self.notice else {}
        content = {"model": self.model, **notice, "predictions": rows, "broken": broken}
        write_json(folder / f"{NAME}.json", content)
        lines = (
            (
                name,
                rank,
                *(f"{value:.6g}" if isinstance(value, float) else value for value in one),
                *(text or NONE_OF_THESE for text in label.values()),
            )
            for (name, best), label in zip(self.found, said, strict=True)
            for rank, one in enumerate(best, start=1)
        )
        columns = (self.asked, "rank", *self.columns, *(("label",) if self.labels else ()))
        write_table(folder / f"{NAME}.csv", columns, lines)
        return f"{self.counted}: {folder / NAME}.csv and .json"


def of_detections(
    model: str,
    found: Mapping[str, Sequence[Detection]],
    broken: Sequence[BrokenVideo] = (),
    notice: str | None = None,
) -> Predictions:
    """Segments of each video, best first."""
    columns = ("class", "start_sec", "end_sec", "score")
    rows = [(name, [(d.label, d.start_sec, d.end_sec, d.score) for d in own]) for name, own in found.items()]
    return Predictions(model, "video", columns, rows, broken, notice)
