import dataclasses
import gc
import importlib
import inspect
import json
import logging
import multiprocessing
import os
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial, wraps
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, get_args

import hypothesis
import jaxtyping
import pytest
from beartype import beartype

VIDEOS = Path(__file__).parent / "data_modules" / "videos"
LIBRARIES = ("lightning.pytorch.cli", "omegaconf", "safetensors.torch", "transformers", "wandb")
# Tensors of tests are too small for two threads, and tests run beside each other.
os.environ["OMP_NUM_THREADS"] = "1"
# No test cuts the power: that files outlast it takes milliseconds each.
os.fsync = lambda fd: None
# The same inputs in every run, on a machine of any speed, and nothing written beside the code.
hypothesis.settings.register_profile("tests", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("tests")
AS_PYTHON = """
import multiprocessing, os, sys
multiprocessing.set_start_method(None, force=True)  # that of loaders is as ever, not how this process was started
os.environ.update(environment)
sys.argv[1:] = arguments
"""
RANK = """
os.environ["LOCAL_RANK"] = sys.argv.pop(1)
from prompt_video.cli import main
sys.exit(main())
"""

with_shapes = jaxtyping.jaxtyped


def checked(target: Any = None, *, typechecker: Any) -> Any:  # noqa: ANN401 - any function, any class
    """What jaxtyping's import hook puts around every function: here beartype alone where a signature has no shape.

    That makes the same checks in a hundredth of the time; binding the sizes of axes takes 50 microseconds a call.
    """
    if target is None:
        return partial(checked, typechecker=typechecker)
    if inspect.isclass(target):
        if dataclasses.is_dataclass(target) and "__init__" in vars(target):
            target.__init__ = checked(target.__init__, typechecker=typechecker)  # type: ignore[method-assign]
        return target
    return made_when_called(target, typechecker)


def made_when_called(function: Callable[..., Any], typechecker: Any) -> Callable[..., Any]:  # noqa: ANN401 - as above
    """The check is written when the function is first called: most functions of the packages never are in a worker."""
    with_check: Callable[..., Any] | None = None

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - of any function
        nonlocal with_check
        if with_check is None:
            has_shapes = any(names_shape(annotation) for annotation in function.__annotations__.values())
            with_check = with_shapes(function, typechecker=typechecker) if has_shapes else beartype(function)
        return with_check(*arguments, **options)

    return call


def names_shape(annotation: Any) -> bool:  # noqa: ANN401 - any annotation
    if isinstance(annotation, (list, tuple)):  # the arguments of a callable
        return any(names_shape(inner) for inner in annotation)
    if isinstance(annotation, str):  # perhaps
        return True
    is_array = isinstance(annotation, type) and issubclass(annotation, jaxtyping.AbstractArray)
    return is_array or names_shape(get_args(annotation))


# Before what it checks is imported, which is why the fixtures below import late.
jaxtyping.jaxtyped = checked  # type: ignore[assignment]


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Import the libraries before any other conftest.py is read; a process that only starts workers needs none.

    What our packages are the first to import is compiled anew by jaxtyping's hook, however large it is.
    """
    config: Any = pluginmanager.get_plugin("pytestconfig")
    if "PYTEST_XDIST_WORKER" in os.environ or not getattr(config.known_args_namespace, "numprocesses", 0):
        gc.disable()
        for library in LIBRARIES:
            importlib.import_module(library)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests start processes come first: one worker alone imports the libraries for these once more."""
    starting = {item.path for item in items if "start_python" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path not in starting)


def pytest_collection_finish() -> None:
    """All that was imported stays: looking for garbage in it took an eighth of the time of the tests."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Hears our packages also where an earlier test ran a command, which gives their lines to the terminal alone.

    From version 9.2 on pytest hears them itself.
    """
    for name in ("prompt_video", "data_modules"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    return caplog


@pytest.fixture
def videos() -> Path:
    """Real files of many kinds, broken ones too; see their README."""
    return VIDEOS


@pytest.fixture(scope="session")
def make_videos() -> Callable[[Path, int], Path]:
    """Fill a folder with two classes of rendered videos, so many of each."""
    from data_modules.synthetic.rendering import render, write_mp4

    def make(root: Path, count: int) -> Path:
        for motion in ("moving left", "spinning"):
            for number in range(count):
                write_mp4([render("star", motion, number).frames], root / motion.replace(" ", "_") / f"{number}.mp4")
        return root

    return make


@pytest.fixture(scope="session")
def chromium() -> Callable[..., AbstractContextManager[str]]:
    """Start a headless browser with a folder for its profile and more options; gives where its one tab listens."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

    @contextmanager
    def start(profile: Path, *options: str) -> Iterator[str]:
        if program is None:
            pytest.skip("there is no Chromium on this machine")
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--mute-audio", "--remote-debugging-port=0"]
        command += [f"--user-data-dir={profile}", *options, "about:blank"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr
                port = next(found[1] for line in process.stderr if (found := re.search(r"ws://[^:]+:(\d+)/", line)))
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                    yield next(one["webSocketDebuggerUrl"] for one in json.load(answer) if one["type"] == "page")
            finally:
                process.terminate()

    return start


@pytest.fixture(scope="session")
def start_python() -> Callable[..., ForkServerProcess]:
    """Start ``python -c CODE ARGUMENTS`` in a process forked from one that has done nothing but import the libraries.

    A new interpreter takes many seconds of a small machine for that. Keywords are variables of the environment.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["prompt_video.experiment.cli", "prompt_video.search.indexing", "transformers.models.clip.modeling_clip"]
    )

    def start(code: str, *arguments: str, **environment: str) -> ForkServerProcess:
        names = {"__name__": "__main__", "arguments": arguments, "environment": environment}
        process = context.Process(target=exec, args=(AS_PYTHON + code, names))
        process.start()
        return process

    return start


@pytest.fixture(scope="session")
def run_ranks(start_python: Callable[..., ForkServerProcess]) -> Callable[..., None]:
    """Run code in two processes to the end, their rank before the other arguments."""

    def run(code: str, *arguments: str, **environment: str) -> None:
        processes = [start_python(code, str(rank), *arguments, **environment) for rank in range(2)]
        try:
            for process in processes:
                process.join(120)
            assert [process.exitcode for process in processes] == [0, 0]
        finally:
            for process in processes:
                process.kill()

    return run


@pytest.fixture(scope="session")
def run_on_two_devices(run_ranks: Callable[..., None]) -> Callable[[Sequence[str]], None]:
    """Run a command in two processes, as ``torchrun`` or a cluster starts them: Lightning starts none."""

    def run(arguments: Sequence[str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        two = ("--trainer.devices=2", "--trainer.strategy=ddp")
        run_ranks(RANK, *arguments, *two, NODE_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)

    return run
