"""What a command loads before it does anything: seconds for nothing are easily added, and seen by nobody."""

import subprocess
import sys

import pytest

LOADED = """
import sys
from prompt_video.cli import main

try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""
DRAWING = {"matplotlib", "torchvision", "transformers", "wandb", "gradio"}
LEARNING = {"torch", "lightning", "torchmetrics", "av", *DRAWING}


@pytest.mark.parametrize(
    ("verb", "unneeded"),
    [
        ("fit", DRAWING),
        ("doctor", DRAWING),
        ("label", {"lightning", "torchmetrics", "torch._dynamo", *DRAWING}),
        ("search", {"lightning", "torchmetrics", "torch._dynamo", *DRAWING}),
        ("score-detections", LEARNING),
        ("score-retrieval", LEARNING),
        ("report", LEARNING),
    ],
)
def test_help_needs_little(verb: str, unneeded: set[str]) -> None:
    command = [sys.executable, "-c", LOADED, verb, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert verb in done.stdout
    assert not unneeded & set(done.stderr.split())
