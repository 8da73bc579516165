"""What a command loads before it does anything: seconds for nothing are easily added, and seen by nobody."""

import json
import subprocess
import sys

import pytest

from prompt_video.commands.verbs import VERBS

LIGHTNING = ("fit", "validate", "test", "predict")
LOADED = """
import json
import sys
from prompt_video.cli import main

HEAVY = {"torch", "lightning", "torchmetrics", "transformers", "wandb", "starlette", "uvicorn", "matplotlib", "av"}
loaded = {}
for verb in sys.argv[1:]:
    for option in ("--help", "--claxes=x"):
        try:
            code = main([verb, option])
        except SystemExit as left:
            code = left.code
        loaded[f"{verb} {option}"] = [code, sorted(HEAVY & set(sys.modules))]
print(json.dumps(loaded), file=sys.stderr)
"""
DRAWING = {"matplotlib", "torchvision", "transformers", "wandb", "starlette", "uvicorn"}


def test_help_and_a_wrong_option_need_no_library_that_learns_or_draws() -> None:
    verbs = [verb for verb in VERBS if verb not in LIGHTNING]
    command = [sys.executable, "-c", LOADED, *verbs]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *said, last = done.stderr.splitlines()
    loaded = json.loads(last)
    assert {what: heavy for what, (_, heavy) in loaded.items() if heavy} == {}
    assert all(code == 0 for what, (code, _) in loaded.items() if what.endswith("--help"))
    assert all(code in (1, 2) for what, (code, _) in loaded.items() if not what.endswith("--help"))
    assert [verb for verb in verbs if f"usage: prompt-video {verb}" not in done.stdout] == []
    assert len(said) == len(verbs)
    assert [line for line in said if "there is no option 'claxes'" not in line] == []
    assert sum("did you mean 'classes'?" in line for line in said) == 3


def test_help_of_a_run_needs_nothing_that_draws() -> None:
    code = "import sys\nfrom prompt_video.cli import main\ntry:\n    main(['fit', '--help'])\nfinally:\n"
    code += "    print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "fit" in done.stdout
    assert not DRAWING & set(done.stderr.split())


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in LIGHTNING])
def test_options_have_one_spelling(verb: str) -> None:
    """Underscores in all names; what means the same has the same name in all verbs."""
    import importlib

    parser = importlib.import_module(VERBS[verb][0]).parser()
    names = {name for action in parser._actions for name in action.option_strings if name.startswith("--")}
    assert not {name for name in names if "-" in name.removeprefix("--")}
    assert not names & {"--ckpt_path", "--checkpoint", "--workers", "--output", "--folder"}
