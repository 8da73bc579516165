"""The commands, code and trees of the READMEs, and which test is the proof of each command.

A new command needs a line in `KINDS`, unless it is of a kind that is there.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from data_modules.synthetic.rendering import render, write_mp4
from prompt_video.experiment.settings import read_settings
from prompt_video.preflight.dry_run import make_miniature

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "experiments/README.md", "data_modules/README.md")
PAGES = tuple(sorted(str(page.relative_to(REPOSITORY)) for page in (REPOSITORY / "docs").rglob("*.md")))
OTHERS = ("CONTRIBUTING.md", *PAGES)  # whose code is that of files, which have tests of their own
SHELL = ("", "sh", "bash", "console")
MORE_OF_A_KIND = re.compile(r"EXP=(hmdb51_closed|lsmdc)")  # doctors: those of another data set of the kind are quick
LONG_LISTS = re.compile("^data/(ucf101|k400|ssv2|activitynet)/")  # types are checked in every call while tests run
SMALL = ("--model.backbone=tiny", "--trainer.accelerator=cpu", "--data.num_workers=0")


@dataclass(frozen=True)
class Kind:
    """How commands that match a pattern are proven.

    Args:
        pattern: of the whole command.
        proof: ``doctor`` runs it on a miniature, and ``large`` does so in the slow tests; ``run`` on small videos;
            ``settings`` reads all that it names, and runs it on made-up data in the slow tests; ``named`` reads all
            that it names, and runs of its kind are tests elsewhere; ``elsewhere`` does nothing, as the tests run it;
            ``mention`` is no command but its name; ``ci`` is in `.ci/run`.
        tests: that run it, as ``<file>::<function>``.
        options: to add to a command that is run.
        after: command that must be run before.
    """

    pattern: str
    proof: Literal["doctor", "large", "run", "settings", "named", "elsewhere", "mention", "ci"]
    tests: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    after: str = ""


_INDEX = "prompt-video index .*"
KINDS = (
    Kind(r"make (test|test-slow|demo)", "ci"),
    Kind(
        r"make train EXP=folder_closed METHOD=max_pooling.yaml .*|export PYTHONPATH=my/code",
        "elsewhere",
        ("tests/prompt_video/model/test_own_method.py::test_a_method_of_ones_own_trains_tests_and_labels",),
    ),
    Kind(
        r"prompt-video fit --config own.yaml",
        "elsewhere",
        ("tests/prompt_video/tasks/test_own_task.py::test_a_task_of_ones_own_trains_and_tests",),
    ),
    Kind(r"make demo( SEEDS=3)?( SIZE=full)?", "ci"),
    Kind(r"make bench ARGS=--quick", "run", options=("--only", "detections", "--out", "bench.json")),
    Kind(
        r"make bench( ARGS=\"--only families\")?",
        "elsewhere",
        ("tests/documentation/running/test_running.py::test_a_command_runs_on_small_videos",),
    ),
    Kind(
        r"make doctor EXP=jumps_closed",
        "elsewhere",
        ("tests/documentation/test_own_data_set.py::test_the_doctor_finds_it_by_its_name_in_a_checkout",),
    ),
    Kind(
        r"make doctor EXP=(ucf101|k[467]00|ssv2|activitynet13|msrvtt|didemo|smit|thumos14_open)\S*( ARGS=.*)?", "large"
    ),
    Kind(r"(DATA_ROOT=\S+ )?make doctor EXP=\S+( ARGS=.*)?", "doctor"),
    Kind(
        r"make (train|dry-run) EXP=\S+|prompt-video fit --config \S+",
        "named",
        (
            "tests/prompt_video/preflight/test_dry_run.py::test_every_experiment_runs_from_end_to_end_on_a_miniature",
            "tests/prompt_video/experiment/test_cli.py::test_every_method_runs_on_every_kind_of_protocol",
        ),
    ),
    Kind(r"make train EXP=\S+( METHOD=\S+)?( ARGS=.*)?", "settings"),
    Kind(r"make dashboard EXP=\S+", "settings"),
    Kind(
        r"make sweep EXP=\S+ SWEEP=\S+( SEEDS=3)?",
        "named",
        (
            "tests/prompt_video/experiment/tables/test_sweep.py::test_points_are_what_the_agent_of_wandb_would_run",
            "tests/prompt_video/experiment/tables/test_sweep.py::test_a_sweep_runs_each_point_once_and_goes_on_behind_one_that_fails",
        ),
    ),
    Kind(
        r"make table TABLE=\S+ ARGS=--dry-run",
        "named",
        (
            "tests/prompt_video/experiment/tables/test_table.py::test_every_row_of_the_paper_can_be_run",
            "tests/prompt_video/experiment/tables/test_table.py::test_a_table_that_was_killed_goes_on_to_the_same_figures",
        ),
    ),
    Kind(
        r"make table TABLE=\S+",
        "elsewhere",
        ("tests/prompt_video/experiment/tables/test_table.py::test_every_row_of_the_paper_can_be_run",),
    ),
    Kind(r"prompt-video fit --config \S+( --method \S+)?", "settings"),
    Kind(r"make evaluate CKPT=\S+", "run"),
    Kind(
        r"prompt-video watch \S+( .*)?",
        "elsewhere",
        ("tests/data_modules/video/test_live.py::test_a_stream_that_is_cut_comes_back",),
    ),
    Kind(
        r"prompt-video plan --config \S+.*",
        "elsewhere",
        ("tests/prompt_video/preflight/test_planning.py::test_the_command_says_hours_and_bytes",),
    ),
    Kind(
        r"prompt-video features --config \S+ --data.num_workers 12\s+--part \S+/8",
        "elsewhere",
        (
            "tests/prompt_video/experiment/test_resume.py::test_several_extractions_fill_one_store_and_compute_nothing_twice",
        ),
    ),
    Kind(
        r"prompt-video features --config \S+",
        "elsewhere",
        (
            "tests/prompt_video/experiment/test_which_data.py::test_two_projects_share_no_store_and_what_is_missing_stays_missing",
        ),
    ),
    Kind(
        r"torchrun .*\s-m prompt_video fit .*",
        "elsewhere",
        ("tests/prompt_video/experiment/test_two_processes.py::test_two_nodes_take_the_step_of_one",),
    ),
    Kind(
        r"prompt-video fit --config \S+ --trainer.devices 8 --trainer.strategy ddp",
        "elsewhere",
        ("tests/prompt_video/experiment/test_two_processes.py::test_two_processes_take_the_step_of_one",),
    ),
    Kind(
        r"#!/bin/bash|#SBATCH .*|srun prompt-video fit .*|\[ \$\? -eq 143 \] && scontrol .*",
        "elsewhere",
        (
            "tests/prompt_video/experiment/test_two_processes.py::test_two_nodes_take_the_step_of_one",
            "tests/prompt_video/experiment/test_two_processes.py::test_a_job_that_is_put_back_into_the_queue_goes_on",
        ),
    ),
    Kind(r"prompt-video serve", "elsewhere", ("tests/documentation/running/test_running.py::test_the_page_is_served",)),
    Kind(r"prompt-video import-official \S+ --out \S+", "run", options=("--backbone=tiny", "--num_heads=4")),
    Kind(r"prompt-video list( \w+)?", "run"),
    Kind(
        r"prompt-video export --ckpt \S+ --onnx \S+ --hub \S+",
        "elsewhere",
        ("tests/prompt_video/backbones/test_families_in_use.py::test_from_training_to_onnx",),
    ),
    Kind(r"prompt-video (label|segment|predict|copy) .*", "run"),
    Kind(
        r"prompt-video teach \S+( --\w+ \S+)*( --then label \S+( \S+)*)?",
        "elsewhere",
        ("tests/prompt_video/teaching/test_teach.py::test_a_few_clips_are_learned_labelled_and_corrected",),
    ),
    Kind(
        r"prompt-video calibrate \S+ --ckpt \S+",
        "elsewhere",
        ("tests/prompt_video/commands/test_none_of_these.py::test_a_calibrated_checkpoint_keeps_it",),
    ),
    Kind(r"prompt-video report runs( --out \S+)?", "run"),
    Kind(r"prompt-video completion \S+ > \S+", "run"),
    Kind(_INDEX, "run", options=SMALL[:3]),
    Kind(r"prompt-video search .*", "run", after=_INDEX),
    Kind(r"prompt-video (score-retrieval|score-detections) \S.*", "run"),
    Kind(r"prompt-video import-features \S.*", "run", options=("--backbone=tiny",)),
    Kind(r"(make|prompt-video) [a-z-]+", "mention"),
)


class Command(NamedTuple):
    """One command of a document."""

    document: str
    line: int
    text: str

    @property
    def kind(self) -> Kind | None:
        return next((kind for kind in KINDS if re.fullmatch(kind.pattern, self.text)), None)


class Block(NamedTuple):
    """One fenced block of a document."""

    document: str
    line: int
    language: str
    text: str


@cache
def blocks() -> tuple[Block, ...]:
    return tuple(
        Block(document, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for document in DOCUMENTS
        for text in [(REPOSITORY / document).read_text(encoding="utf-8")]
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    )


def commands_of(document: str, text: str) -> Iterator[Command]:
    """Those in fences, a line each, and those in the text that begin with ``make`` or ``prompt-video``."""
    for found in re.finditer(
        r"^```(\w*)[^`\n]*\n(.*?)^```$|`((?:make|prompt-video)\s[^`]*)`", text, re.MULTILINE | re.DOTALL
    ):
        line = text.count("\n", 0, found.start()) + 1
        if found[3]:
            yield Command(document, line, " ".join(found[3].split()))
        elif found[1] in SHELL:
            joined = found[2].replace("\\\n", " ")
            for number, written in enumerate(joined.splitlines(), start=line + 1):
                command = re.sub(r"\s+#\s.*", "", written).removeprefix("$ ").strip()
                if command:
                    yield Command(document, number, command)


@cache
def commands() -> tuple[Command, ...]:
    """Of all documents; each once."""
    found = [c for d in (*DOCUMENTS, *OTHERS) for c in commands_of(d, (REPOSITORY / d).read_text(encoding="utf-8"))]
    return tuple({command.text: command for command in reversed(found)}.values())[::-1]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of ``command`` runs for every one; of ``<proof>_command`` for those that are proven so."""
    for name in metafunc.fixturenames:
        if name == "command" or name.endswith("_command"):
            proof = name.removesuffix("command").rstrip("_")
            chosen = [c for c in commands() if not proof or (c.kind is not None and c.kind.proof == proof)]
            is_slow = [proof == "doctor" and MORE_OF_A_KIND.search(c.text) for c in chosen]
            marked = [
                pytest.param(c, marks=[pytest.mark.slow] if slow else [])
                for c, slow in zip(chosen, is_slow, strict=True)
            ]
            metafunc.parametrize(name, marked, ids=[c.text for c in chosen])
        elif name in ("tree", "python", "written"):
            language = {"tree": "text", "python": "python", "written": "yaml"}[name]
            chosen_blocks = [block for block in blocks() if block.language == language]
            marked = [
                pytest.param(b, marks=[pytest.mark.slow] if LONG_LISTS.search(b.text) else []) for b in chosen_blocks
            ]
            metafunc.parametrize(name, marked, ids=[f"{b.document}:{b.line}" for b in chosen_blocks])


@pytest.fixture(scope="session")
def readme_blocks() -> tuple[Block, ...]:
    return blocks()


@pytest.fixture(scope="session")
def all_commands() -> tuple[Command, ...]:
    return commands()


@pytest.fixture(scope="session")
def find_commands() -> Callable[[str, str], Iterator[Command]]:
    return commands_of


@pytest.fixture(scope="session")
def small_options() -> tuple[str, ...]:
    """Of any experiment: nothing is downloaded, and no process started."""
    return SMALL


def _as_run(text: str) -> tuple[dict[str, str], list[str]]:
    words = shlex.split(text.replace("<name>", "demo_closed"))
    environment = {}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if words[0] == "prompt-video":
        return environment, words[1:]
    # The variables of a `make test` that runs this must not reach this `make`.
    clean = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "ARGS")}
    done = subprocess.run(
        ["make", "--dry-run", *words[1:]], cwd=REPOSITORY, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "bin/prompt-video " in line and not line.startswith("test ")]
    assert len(lines) == 1, done.stdout
    return environment, shlex.split(lines[0].partition("bin/prompt-video ")[2])


@pytest.fixture(scope="session")
def as_run() -> Callable[[str], tuple[dict[str, str], list[str]]]:
    """Environment and arguments of the ``prompt-video`` that a line, of ``make`` or its own, comes to."""
    return _as_run


class Miniature(NamedTuple):
    """Made-up data of an experiment."""

    folder: Path  # what DATA_ROOT names
    options: tuple[str, ...]


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Miniature]:
    """Made-up data of an experiment, in the layout of its data set."""

    @cache
    def make(experiment: str) -> Miniature:
        folder = tmp_path_factory.mktemp("miniature")
        config = REPOSITORY / "experiments" / f"{experiment}.yaml"
        options = make_miniature(read_settings([f"--config={config}", "--quiet=true", *SMALL]), folder)
        return Miniature(folder, tuple(option for option in options if not option.startswith("--data.root=")))

    return make


def copies(source: Path, *targets: Path) -> None:
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


@pytest.fixture(scope="session")
def own_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the READMEs' tables of own data name: their text, and videos of those names."""
    root = tmp_path_factory.mktemp("own") / "path" / "to" / "videos"
    video = REPOSITORY / "tests" / "data_modules" / "videos" / "cleaning_pool_gap_h264.mp4"
    copies(video, *(root / folder / f"{n}.mp4" for folder in ("morning", "evening") for n in range(5)))
    copies(video, *(root / f"{name}.mp4" for name in ("morning", "evening")))
    for name in ("meeting", "final"):  # as long as what is annotated in them
        write_mp4([render("star", "spinning", 0).frames] * 5, root / f"{name}.mp4")
    for block in blocks():
        if block.language in ("csv", "json"):
            name = "annotations.json" if block.language == "json" else f"{_table_of(block)}.csv"
            (root / name).write_text(block.text)
    return root


def _table_of(block: Block) -> str:
    return {"path": "labels", "video": "captions"}[block.text.split(",")[0]]
