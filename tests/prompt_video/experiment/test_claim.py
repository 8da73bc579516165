"""A folder for each run, and one run for each folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from data_modules.errors import InputError
from prompt_video.experiment.claim import claim_named, claim_new
from prompt_video.experiment.folder import checked_name

HOLD = """
import os, sys, time
from pathlib import Path
from prompt_video.experiment.claim import claim_named
claim = claim_named(Path(sys.argv[1]))
if os.fork() == 0:  # as a loader's process, which outlives the run for a while
    (claim.folder / "ready").touch()
    time.sleep(30)
    os._exit(0)
time.sleep(30)
"""


def test_every_run_makes_a_folder_of_its_own(tmp_path: Path) -> None:
    claims = [claim_new(tmp_path / "runs", "mine") for _ in range(3)]
    assert len({claim.folder for claim in claims}) == 3
    assert all(claim.folder.is_dir() for claim in claims)
    for claim in reversed(claims):
        claim.leave()
    assert not (tmp_path / "runs").exists(), "nothing came of them"


def test_what_came_of_a_run_stays(tmp_path: Path) -> None:
    starts, logged, lost = (claim_new(tmp_path, "mine") for _ in range(3))
    for claim in (starts, logged, lost):
        for name in (".lock", "config.yaml", "environment.json", "broken.jsonl", "logs/hparams.yaml", "wandb/run/log"):
            (claim.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (claim.folder / name).touch()
    (logged.folder / "logs" / "metrics.csv").touch()
    (lost.folder / "broken.jsonl").write_text("{}")
    for claim in (starts, logged, lost):
        claim.leave()
    assert sorted((tmp_path / "mine").iterdir()) == sorted([logged.folder, lost.folder])


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    claim_named(tmp_path).leave()
    assert tmp_path.is_dir()


def test_a_lock_holds_as_long_as_its_process(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")])
    while not (tmp_path / "run" / "ready").exists():
        assert process.poll() is None
    with pytest.raises(InputError, match=rf"being written by another process \({process.pid}@"):
        claim_named(tmp_path / "run")
    process.kill()
    process.wait()
    claim_named(tmp_path / "run").leave()
    assert (tmp_path / "run" / "ready").exists()


def test_places_that_cannot_be_written_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = r"cannot be written to .*file.*Name another place with --runs"
    with pytest.raises(InputError, match=said):
        claim_new(tmp_path / "file", "mine")
    with pytest.raises(InputError, match=said):
        claim_named(tmp_path / "file" / "run")
    with pytest.raises(InputError, match="cannot be written"):
        claim_new(Path("/proc"), "mine")


@pytest.mark.parametrize(
    "name", ["../../x", "/tmp/x", "..", ".", "a/../../x", "n" * 300, "a\nb", "a\x1b[31m", "\udce9"]
)
def test_names_that_are_no_folders_for_runs(name: str) -> None:
    with pytest.raises(InputError, match="--name"):
        checked_name(name)


def test_plain_names() -> None:
    assert [checked_name(name) for name in ("hmdb51_closed", "a/b", "名前")] == ["hmdb51_closed", "a/b", "名前"]


def test_a_run_that_fails_says_so(tmp_path: Path) -> None:
    started, left, trained = (claim_new(tmp_path, "mine") for _ in range(3))
    named = claim_named(tmp_path / "named")
    for claim in (left, trained, named):
        (claim.folder / "logs").mkdir()
        (claim.folder / "logs" / "metrics.csv").touch()
    (trained.folder / "checkpoints").mkdir()
    (trained.folder / "checkpoints" / "last.ckpt").touch()
    for claim in (started, left, trained, named):
        before = claim.folder
        claim.fail(InputError("the disk is made of cheese."))
        claim.leave()
        if claim is started:
            assert not before.exists(), "nothing came of it"
        else:
            text = (claim.folder / "failed.txt").read_text()
            assert text.startswith("the disk is made of cheese.\n")
            assert claim.folder.name == (f"failed_{before.name}" if claim is left else before.name)
    assert len(list((tmp_path / "mine").iterdir())) == 2
