"""How processes are started, where copies of this one would fail."""

import subprocess
import sys

import pytest

# Autograd keeps a thread for backward passes that are nested in one another too deeply, and none before.
NESTED = """
import torch
from prompt_video.io.processes import start_method

class Nested(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, depth):
        ctx.depth = depth
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        if ctx.depth:
            with torch.enable_grad():
                Nested.apply(torch.ones((), requires_grad=True), ctx.depth - 1).backward()
        return gradient, None

torch.set_num_threads(1)
print(start_method(1))
Nested.apply(torch.ones((), requires_grad=True), 100).backward()
print(start_method(1))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux alone")
def test_no_copy_where_autograd_has_threads() -> None:
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", NESTED], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["fork", "spawn"]
