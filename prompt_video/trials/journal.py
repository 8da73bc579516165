"""The result of each trial, written as soon as it is tested, and the mean over all of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from data_modules.errors import InputError
from data_modules.files.atomic import WriteError, write_whole
from data_modules.files.json_files import json_text
from data_modules.modules.base import VideoDataModule
from prompt_video.io import spreadsheet
from prompt_video.io.run_files import JOURNAL
from prompt_video.trials.confidence import confidence


@dataclass(frozen=True)
class TrialResult:
    """One trial, trained and tested."""

    trial: int
    name: str
    seed: int
    metrics: Mapping[str, float]


class Journal:
    """The finished trials of a run, one line each, so that a killed run goes on behind them.

    Args:
        folder: of the run.
        data: whose trials they are.
    """

    def __init__(self, folder: Path, data: VideoDataModule) -> None:
        self.path = folder / JOURNAL
        self.data = data

    def start(self) -> dict[int, TrialResult]:
        """Begin with no trial; by the file, empty as it is, a run is known to be one that can go on."""
        self._write("")
        return {}

    def add(self, result: TrialResult) -> None:
        """Add a finished trial."""
        text = "".join(f"{line}\n" for line in [*self._lines(), json_text(asdict(result))])
        try:
            self._write(text)
        except WriteError:
            print(text)  # what was computed is not lost
            raise

    def resume(self) -> dict[int, TrialResult]:
        """The trials that a killed run had tested; a line that it was writing when it was killed does not count.

        Raises:
            InputError: when they are of other trials, or the file is damaged.
        """
        done: dict[int, TrialResult] = {}
        for number, line in enumerate(self._lines(), start=1):
            try:
                result = TrialResult(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise InputError(f"{self.path}, line {number}: this is no result of a trial; remove it.") from error
            known = result.trial < len(self.data.trials) and self.data.trials[result.trial].name == result.name
            if not known or self.data.seed_of(result.trial) != result.seed:
                raise InputError(f"{self.path} is of other trials or of another seed; start anew, without --ckpt.")
            done[result.trial] = result
        return done

    @rank_zero_only
    def _write(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, lambda partial: partial.write_text(text, encoding="utf-8"))

    def _lines(self) -> list[str]:
        """Those that are whole."""
        return self.path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] if self.path.is_file() else []


def summarise(results: Sequence[TrialResult]) -> dict[str, object]:
    """Mean of every figure over the trials, with spread and confidence interval, ready for JSON."""
    keys = [key for key in results[0].metrics if all(key in result.metrics for result in results)]
    figures = {key: confidence([result.metrics[key] for result in results]) for key in keys}
    return {
        "metrics": {key: figure.mean for key, figure in figures.items()},
        "confidence": {
            key: {"mean": figure.mean, "std": figure.std, "ci95": figure.half_width, "trials": figure.num_trials}
            for key, figure in figures.items()
        },
        "trials": [asdict(result) for result in results],
    }


def write_table(results: Sequence[TrialResult], path: Path) -> None:
    """One line a trial, as CSV."""
    figures = list(results[0].metrics)
    rows = ([r.trial, r.name, r.seed, *(r.metrics.get(name) for name in figures)] for r in results)
    spreadsheet.write_table(path, ["trial", "name", "seed", *figures], rows)
