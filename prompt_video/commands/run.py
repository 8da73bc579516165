"""``prompt-video fit``, ``validate`` and ``test``: what there is to an experiment, in short and at once.

Lightning's command line makes its help from all classes that it could build: some 500 lines, after many seconds. Here
stands what is asked for most; it is left to Lightning's with ``--help all``.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from data_modules.errors import InputError
from prompt_video.backbones.names import SHORT_NAMES
from prompt_video.commands.verbs import VERBS
from prompt_video.experiment.option_names import EXPERIMENT_OPTIONS, FILES, OF_TRAINING, RUN_OPTIONS, RunOption
from prompt_video.experiment.packaged import CHOICES, packaged
from prompt_video.experiment.run_settings import as_lightning_calls_them, with_settings_of_run
from prompt_video.experiment.words import check_words
from prompt_video.io.verb_parser import VerbParser

if TYPE_CHECKING:
    from prompt_video.experiment.cli import ExperimentCLI

HELP = ("-h", "--help")
_SCORED = "checkpoint to score, alone with the settings of its run; or user/model[@revision] on the hub"
CHECKPOINT = {
    "fit": "checkpoint to go on from; `last`: where the newest run of this experiment was stopped",
    "validate": _SCORED,
    "test": _SCORED,
}
# Those that are changed most, of some hundred; a test holds that they exist.
SETTINGS = {
    "data.root": ("DIR", "folder of the videos"),
    "data.batch_size": ("N", "videos in a batch, on each device"),
    "data.num_workers": ("N", "processes that load data, on each device"),
    "data.features": ("auto|off|DIR", "compute frame features once; decode each time; read these"),
    "data.protocol": ("NAME", "ClosedSet, FewShot, OpenSet, BaseToNovel, ByList ...; then --data.protocol.shots 4"),
    "model.prompt.num_prefix": ("N", "learned vectors before each text; num_suffix: behind it"),
    "model.temporal.num_layers": ("N", "of the temporal Transformer; 0 averages the frames"),
    "model.optimizer.lr": ("RATE", "learning rate"),
    "model.start_from": ("FILE", "checkpoint whose prompts and temporal encoder are learned on"),
    "trainer.max_epochs": ("N", "epochs of training"),
    "trainer.accelerator": ("auto|cpu|gpu", "what to compute on"),
    "trainer.devices": ("N", "how many of them"),
    "trainer.precision": ("KIND", "of what learns: 32-true, bf16-mixed ..."),
}
SETTINGS_OF_TRAINING = ("model.optimizer.lr", "model.start_from", "trainer.max_epochs")
EXAMPLES = {
    "fit": "--config hmdb51_closed --method linear_probe --data.root DIR",
    "validate": "--ckpt runs/.../checkpoints/best.ckpt",
    "test": "--ckpt runs/.../checkpoints/best.ckpt",
}
ALL = """Every setting of an experiment's YAML is an option of the same name, as those above are. To see all:

  {list}  all that has a name
  {config}  of an experiment, as it would run
  {task}  of a task, explained
  {data}  of a data set, explained
  {all}  every option there is"""
WAYS = {
    "list": "prompt-video list",
    "config": "... {verb} --config NAME --print_config",
    "task": "... {verb} --model.help RecognitionTask",
    "data": "... {verb} --data.help HMDB51",
    "all": "... {verb} --help all",
}


def main(arguments: list[str]) -> "ExperimentCLI | None":
    """Explain the verb, or run an experiment once nothing is wrong with its words at first sight."""
    verb, *words = arguments
    place = next((place for place, word in enumerate(words) if word in HELP), None)
    if place is None:
        whole = with_settings_of_run(as_lightning_calls_them(arguments))[1:]
        check_words(whole)
        if not any(word.startswith(("--config", "-c", "--data", "--model", "--print_config")) for word in whole):
            checkpoint = "" if verb == "fit" else ", or a checkpoint of a run with --ckpt"
            raise InputError(
                f"name an experiment, as in `prompt-video {verb} --config demo_closed`{checkpoint}; `prompt-video list "
                "experiments` shows all."
            )
    elif words[place + 1 : place + 2] != ["all"]:
        parser(verb).print_help()
        return None
    else:
        arguments = [verb, "--help"]

    from prompt_video.experiment.cli import main as run_experiment

    return run_experiment(arguments)


def parser(verb: str) -> VerbParser:
    """The options that are asked for most.

    Args:
        verb: one of the three.
    """
    about = VERBS[verb][1]
    description = f"{about[0].upper()}{about[1:]}, such as\n\n  prompt-video {verb} {EXAMPLES[verb]}"
    ways = {name: way.format(verb=verb) for name, way in WAYS.items()}
    width = max(map(len, ways.values()))
    epilog = ALL.format(**{name: way.ljust(width) for name, way in ways.items()})
    parser = VerbParser(verb, description, others=EXPERIMENT_OPTIONS, epilog=epilog)
    parser.usage = f"prompt-video {verb} --config NAME [options]"
    parser.add_argument("--ckpt", type=Path, metavar="FILE", help=CHECKPOINT[verb])
    parser.add_argument("--seed_everything", type=int, default=0, metavar="N", help="of all that is drawn")
    choices: dict[str, list[str]] = {"backbone": list(SHORT_NAMES), **{kind: list(packaged(kind)) for kind in CHOICES}}
    for option in RUN_OPTIONS:
        if verb != "fit" and option.name in OF_TRAINING:
            continue
        if option.name in choices:
            parser.add_argument(f"--{option.name}", choices=choices[option.name], metavar="NAME", help=option.help)
        else:
            kind = Path if option.name in FILES else str
            parser.add_argument(f"--{option.name}", type=kind, metavar=_value(option), help=option.help)
    settings = parser.add_argument_group("settings that are changed most")
    for name, (metavar, about) in SETTINGS.items():
        if verb == "fit" or name not in SETTINGS_OF_TRAINING:
            settings.add_argument(f"--{name}", type=str, metavar=metavar, help=about)
    return parser


def _value(option: RunOption) -> str:
    """What stands behind an option in the help."""
    if get_origin(option.kind) is Literal:
        return "|".join(get_args(option.kind))
    kinds = {bool: "true|false", int: "N", Path: "DIR", str: "NAME"}
    return next((word for kind, word in kinds.items() if kind in (option.kind, *get_args(option.kind))), "LISTS")
