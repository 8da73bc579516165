"""Options that say which experiment, and how it runs: of all commands that read one."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

WandbMode = Literal["auto", "online", "offline", "disabled"]
FILES = ("ckpt", "config", "run_folder", "runs")  # whose values are


class RunOption(NamedTuple):
    """What a run is told besides data, model and trainer."""

    name: str
    kind: Any
    default: Any
    help: str


RUN_OPTIONS = (
    RunOption(
        "method",
        str | None,
        None,
        "in the place of the YAML's: name of a packaged one (`prompt-video list methods`), or a file",
    ),
    RunOption(
        "backbone",
        str | None,
        None,
        "the frozen image-text model: a short name (`prompt-video list backbones`), an id of the hub, or a folder",
    ),
    RunOption("scale", str | None, None, "sizes and learning rates of the method: demo or full"),
    RunOption("name", str | None, None, "of the experiment; else the YAML's, and --method's behind it"),
    RunOption("runs", Path, Path("runs"), "folder for run folders"),
    RunOption("run_folder", Path | None, None, "of this run; else runs/<name>/<date>_<time>"),
    RunOption("wandb", WandbMode, "auto", "auto goes online where an account is set up"),
    RunOption("test_after_fit", bool, True, "test the best checkpoint after training"),
    RunOption("save_every_n_steps", int | None, None, "save last.ckpt also within long epochs"),
    RunOption("features_only", bool, False, "fill the feature store, and stop"),
    RunOption("quiet", bool, False, "no progress bar and no summary"),
    RunOption(
        "trials_at_a_time", int | None, None, "trained together; null: of small ones as many as gain, of others one"
    ),
    RunOption(
        "choose",
        dict[str, list[float]] | None,
        None,
        "lists of values of the method's settings, to choose from on training videos that are held out; null: none",
    ),
    RunOption(
        "fit_temperature",
        bool,
        False,
        "calibrate probabilities on validation videos or, without any, on a video of each class that a second training "
        "does without",
    ),
    RunOption("monitor", str | None, None, "metric that the best checkpoint is best in; null: the task's"),
)
OF_TRAINING = frozenset(
    {
        "choose",
        "fit_temperature",
        "test_after_fit",
        "save_every_n_steps",
        "features_only",
        "trials_at_a_time",
        "monitor",
    }
)  # which say nothing to those that use a checkpoint

EXPERIMENT_OPTIONS = frozenset(
    {
        *(option.name for option in RUN_OPTIONS),
        "ckpt",
        "ckpt_path",  # Lightning's name of it
        "config",
        "data",
        "model",
        "print_config",
        "seed_everything",
        "trainer",
        "weights_only",
    }
)

MOST_SEED = 2**32 - 1  # of numpy
