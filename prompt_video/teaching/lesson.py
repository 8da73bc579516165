"""What was taught, and how well it is known."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prompt_video.io.run_files import CHECKPOINTS, LAST
from prompt_video.model.rejection import ChosenThreshold
from prompt_video.teaching.examples import Examples
from prompt_video.teaching.held_out import Figures

TITLES = {
    "text_probe": "a vector for each name",
    "linear_adapter": "one matrix over the frames",
    "regularized": "prompts and the order of frames",
}


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Args:
        folder: of the run that learned from all examples; those of the methods that were tried lie in it.
        method: that was best.
        examples: that it learned from.
        tried: figures of each method on held-out examples; none where no example could be held out.
        none: when a video shows none of the classes, as the held-out examples say; None where there are none.
        told: sentences about the examples and the classes that people should read.
    """

    folder: Path
    method: str
    examples: Examples
    tried: Mapping[str, Figures]
    none: ChosenThreshold | None
    told: Sequence[str]

    @property
    def checkpoint(self) -> Path:
        """What was learned, as all commands take it."""
        return self.folder / CHECKPOINTS / LAST

    @property
    def held_out(self) -> Figures | None:
        """Of the method that was best."""
        return self.tried.get(self.method)

    def content(self) -> dict[str, Any]:
        """Ready for JSON."""
        figures = self.held_out
        classes: list[dict[str, Any]] = [{"class": name, "examples": n} for name, n in self.examples.counts.items()]
        for one in classes if figures else ():
            assert figures
            one["right"], one["held_out"] = figures.of_class(one["class"])
        return {
            "method": self.method,
            "title": TITLES[self.method],
            "tried": {name: {"right": one.right, "of": len(one.examples)} for name, one in self.tried.items()},
            "held_out": figures.describe() if figures else None,
            "classes": classes,
            "confusions": [one._asdict() for one in figures.confusions()] if figures else [],
            "none_of_these": asdict(self.none) if self.none else None,
            "told": list(self.told),
        }
