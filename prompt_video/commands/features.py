"""``prompt-video features``: compute the frame features of an experiment's videos, and stop."""

from prompt_video.experiment.cli import ExperimentCLI
from prompt_video.experiment.cli import main as run_experiment


def main(arguments: list[str]) -> ExperimentCLI:
    """Same options as ``fit``."""
    return run_experiment(["fit", *arguments[1:], "--features_only=true"])
