"""``prompt-video features``: compute the frame features of an experiment's videos, and stop."""

from typing import TYPE_CHECKING

from prompt_video.experiment.verb import ExperimentVerbParser

if TYPE_CHECKING:
    from prompt_video.experiment.cli import ExperimentCLI


def main(arguments: list[str]) -> "ExperimentCLI":
    """Same options as ``fit``."""
    _, rest = parser().parse_beside(arguments[1:])

    from prompt_video.experiment.cli import main as run_experiment

    return run_experiment(["fit", *rest, "--features_only=true"])


def parser() -> ExperimentVerbParser:
    """The options."""
    return ExperimentVerbParser("features", __doc__)
