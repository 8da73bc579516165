"""Every command of the READMEs is run, or is proven to run by another test."""

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from prompt_video.cli import main
from prompt_video.commands.verbs import VERBS
from prompt_video.experiment.packaged import file_of
from prompt_video.experiment.settings import read_settings
from prompt_video.experiment.tables.table_file import read_table

REPOSITORY = Path(__file__).parents[2]
AsRun = Callable[[str], tuple[dict[str, str], list[str]]]
PROGRAM = """
os.chdir(sys.argv.pop(1))
from prompt_video.cli import main
sys.exit(main())
"""
ODD_IN_MINIATURES = {"split sizes", "captions", "caption lengths"}


def test_every_command_has_a_proof(command: Any) -> None:  # noqa: ANN401 - a Command of conftest.py
    kind = command.kind
    assert kind is not None, f"no test runs this command: {command.text} ({command.document}, line {command.line})"
    for test in kind.tests:
        file, _, function = test.partition("::")
        tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_a_command_without_a_kind_is_found(find_commands: Callable[[str, str], Iterator[Any]]) -> None:
    text = (
        "See `make coffee NOW`.\n\n```\nprompt-video fly \\\n  --far  # over the sea\n```\n```python\nmake = 1\n```\n"
    )
    found = list(find_commands("some.md", text))
    assert [command.text for command in found] == ["make coffee NOW", "prompt-video fly    --far"]
    assert [command.kind for command in found] == [None, None]


def test_commands_of_every_document_are_found(all_commands: Sequence[Any]) -> None:
    documents = {c.document for c in all_commands}
    assert {"README.md", "experiments/README.md", "data_modules/README.md", "docs/index.md"} <= documents
    assert len(all_commands) > 50
    proofs = {command.kind.proof for command in all_commands if command.kind is not None}
    assert proofs == {"doctor", "large", "run", "settings", "named", "elsewhere", "mention", "ci"}


def test_a_command_that_the_checks_run(ci_command: Any) -> None:  # noqa: ANN401
    lines = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert " ".join(shlex.split(ci_command.text)[:2]) in {line.split("  #")[0].strip() for line in lines}


def test_a_name_that_is_mentioned_exists(mention_command: Any) -> None:  # noqa: ANN401
    program, name = mention_command.text.split()
    if program == "prompt-video":
        assert name in VERBS
    else:
        assert f"\n{name}: " in (REPOSITORY / "Makefile").read_text(encoding="utf-8")


def test_what_is_run_on_made_up_data_can_be_read(settings_command: Any, read_names: Callable[[str], None]) -> None:  # noqa: ANN401
    read_names(settings_command.text)


def test_what_runs_elsewhere_can_be_read(named_command: Any, read_names: Callable[[str], None]) -> None:  # noqa: ANN401
    read_names(named_command.text)


@pytest.fixture
def read_names(as_run: AsRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Read all that a line of a README names: an experiment with its options, a table, a sweep."""
    (tmp_path / "experiments").symlink_to(REPOSITORY / "experiments")
    monkeypatch.chdir(tmp_path)

    def read(text: str) -> None:
        environment, (verb, *options) = as_run(text)
        assert verb in VERBS
        assert not environment
        if verb == "table":
            assert read_table(Path(options[0])).rows
            return
        if verb == "sweep":
            assert file_of("sweep", options.pop(0)).is_file()
            if "--seeds" in options:
                place = options.index("--seeds")
                del options[place : place + 2]
        config = Path(options[options.index("--config") + 1]).stem
        assert name_of(*options).startswith(config)

    return read


@cache
def name_of(*options: str) -> str:
    """Of an experiment; several commands take the same options."""
    return read_settings([*options, "--quiet=true"]).name


class Doctor(NamedTuple):
    """A doctor's command, ready to be run."""

    arguments: list[str]
    environment: dict[str, str]
    report: Path

    def check(self) -> None:
        """Every video is there and sound, and nothing is in the way of a run."""
        report = json.loads(self.report.read_text())
        verdicts = {check["check"]: check["verdict"] for check in report["checks"]}
        assert report["verdict"] != "error"
        assert (verdicts["video files"], verdicts["broken videos"]) == ("ok", "ok")
        # Of a miniature no more than sizes and made-up texts may be unlike those of the data set.
        assert {name for name, verdict in verdicts.items() if verdict == "warning"} <= ODD_IN_MINIATURES


@pytest.fixture
def doctor(
    as_run: AsRun, miniature: Callable[[str], Any], own_videos: Path, small_options: tuple[str, ...], tmp_path: Path
) -> Callable[[str], Doctor]:
    """What a line of a README comes to, on a miniature, or on the videos of one's own that it names."""

    def prepare(text: str) -> Doctor:
        environment, arguments = as_run(text)
        assert set(environment) <= {"DATA_ROOT"}
        options = [*small_options, f"--data.features_root={tmp_path / 'features'}", "--num_workers=0", "--quiet=true"]
        if "--data.root" in arguments:
            arguments[arguments.index("--data.root") + 1] = str(own_videos)
        else:
            experiment = Path(arguments[arguments.index("--config") + 1]).stem
            folder, made = miniature(experiment)
            environment = {"DATA_ROOT": str(folder)}
            options += made
        report = tmp_path / "report.json"
        behind_config = arguments.index("--config") + 2  # what the line itself says has the last word
        arguments[behind_config:behind_config] = [*options, f"--out={report}"]
        return Doctor(arguments, environment, report)

    return prepare


def test_doctor_passes(doctor_command: Any, doctor: Callable[[str], Doctor], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    prepared = doctor(doctor_command.text)
    monkeypatch.chdir(REPOSITORY)
    for name, value in prepared.environment.items():
        monkeypatch.setenv(name, value)
    assert main(prepared.arguments) == 0
    prepared.check()


@pytest.mark.slow
def test_doctor_passes_where_lists_are_long(
    large_command: Any,  # noqa: ANN401
    doctor: Callable[[str], Doctor],
    start_python: Callable[..., ForkServerProcess],
) -> None:
    """In a process that does not check the types of every call."""
    prepared = doctor(large_command.text)
    process = start_python(PROGRAM, str(REPOSITORY), *prepared.arguments, **prepared.environment)
    process.join()
    assert process.exitcode == 0
    prepared.check()


def test_make_lists_its_targets() -> None:
    told = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert targets
    assert all(f"  {target} " in told for target in targets)
    assert "METHOD=" in told
