"""``prompt-video completion``: a script with which a shell completes verbs, options and files.

For bash: ``prompt-video completion bash > ~/.local/share/bash-completion/completions/prompt-video``.
"""

import importlib
from pathlib import Path

from jsonargparse import ArgumentParser

from prompt_video.backbones.names import SHORT_NAMES
from prompt_video.commands import run
from prompt_video.commands.verbs import VERBS
from prompt_video.experiment.option_names import FILES
from prompt_video.experiment.packaged import CHOICES, packaged
from prompt_video.io.verb_parser import VerbParser


def main(arguments: list[str]) -> None:
    """Print the script of one shell."""
    options = parser().parse(arguments[1:])
    print(_all_verbs().get_completion_script(f"shtab-{options.shell}"))


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("completion", __doc__)
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="the shell that reads the script")
    return parser


def _all_verbs() -> ArgumentParser:
    """One parser of all verbs, of which none is imported that learns."""
    whole = ArgumentParser("prompt-video")
    choices: dict[str, list[str]] = {"backbone": list(SHORT_NAMES), **{kind: list(packaged(kind)) for kind in CHOICES}}
    verbs = whole.add_subcommands()
    for verb, (module, about) in VERBS.items():
        make = importlib.import_module(module).parser
        own: VerbParser = make(verb) if module == run.__name__ else make()
        for name in sorted(own.unread - {"ckpt_path"}):
            if name in choices:
                own.add_argument(f"--{name}", choices=choices[name])
            else:
                own.add_argument(f"--{name}", type=Path if name in FILES else str)
        verbs.add_subcommand(verb, own, help=about)
    return whole
