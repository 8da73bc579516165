"""Checkpoints that are torn, rotten or of other things."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch

from data_modules.errors import InputError
from prompt_video.cli import main
from prompt_video.experiment.checkpoint_files import WholeCheckpoints
from prompt_video.experiment.folder import checkpoint_of
from prompt_video.model.checkpoints import last_checkpoint, read_checkpoint, read_learned
from tests.small_runs import arguments


def content(step: int) -> dict[str, object]:
    return {"global_step": step, "state_dict": {"weight": torch.full((500,), float(step))}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that has saved three times."""
    files = WholeCheckpoints()
    for step in (1, 2, 3):
        files.save_checkpoint(content(step), tmp_path / "checkpoints" / "last.ckpt")
    return tmp_path


def flip(path: Path) -> None:
    """One bit of a weight."""
    data = bytearray(path.read_bytes())
    place = bytes(data).index(torch.full((2,), 3.0).numpy().tobytes())
    data[place + 2] ^= 1
    path.write_bytes(data)


def test_the_last_and_the_one_before_are_there(run: Path) -> None:
    folder = run / "checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == ["last.ckpt", "previous.ckpt"]
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 3
    assert read_checkpoint(folder / "previous.ckpt")["global_step"] == 2
    assert last_checkpoint(run) == folder / "last.ckpt"


@pytest.mark.parametrize("damage", ["empty", "half", "bit", "gone", "nan"])
def test_where_the_last_one_is_damaged_the_one_before_goes_on(
    run: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    last, before = run / "checkpoints" / "last.ckpt", run / "checkpoints" / "previous.ckpt"
    if damage == "gone":
        last.unlink()
    elif damage == "bit":
        flip(last)
    elif damage == "nan":
        torch.save({"state_dict": {"weight": torch.tensor([1.0, torch.nan])}}, last)
    else:
        last.write_bytes(last.read_bytes()[: last.stat().st_size // 2 if damage == "half" else 0])
    assert checkpoint_of(run) == before
    assert "the checkpoint before the last" in caplog.text
    if damage != "gone":
        with pytest.raises(InputError, match=rf"{last}.*(damaged|weight is not finite).*{before}"):
            WholeCheckpoints().load_checkpoint(last)
    # What is damaged does not take the place of what is whole.
    files = WholeCheckpoints()
    files.load_checkpoint(before)
    files.save_checkpoint(content(4), last)
    assert read_checkpoint(before)["global_step"] == 2
    files.save_checkpoint(content(5), last)
    assert read_checkpoint(before)["global_step"] == 4


def test_no_whole_checkpoint_is_one_sentence(run: Path) -> None:
    for path in (run / "checkpoints").iterdir():
        path.write_bytes(b"PK")
    with pytest.raises(InputError, match="has no whole checkpoint"):
        checkpoint_of(run)


@pytest.mark.parametrize(
    "other", [[1], torch.zeros(2), {"prompt_video": 3}, {"prompt_video": {"format": 1}}, {"state_dict": [1]}]
)
def test_other_things_are_one_sentence(tmp_path: Path, other: object) -> None:
    torch.save(other, tmp_path / "other.ckpt")
    with pytest.raises(InputError, match="no checkpoint"):
        read_learned(tmp_path / "other.ckpt")


class Run(Protocol):
    """What `recognition` gives."""

    config: Path

    @property
    def checkpoint(self) -> Path: ...


def memory() -> dict[str, Any]:
    """What AdamW knows of two weights."""
    weights = [torch.ones(3, requires_grad=True), torch.ones(2, requires_grad=True)]
    optimizer = torch.optim.AdamW(weights)
    torch.stack([weight.sum() for weight in weights]).sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return optimizer.state_dict()


ODD: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "not finite": lambda optimizer: optimizer["state"][0]["exp_avg"].fill_(torch.nan),
    "forgotten": lambda optimizer: optimizer["state"][0].pop("exp_avg_sq"),
    "a word": lambda optimizer: optimizer["state"][0].update(step="many"),
    "a number": lambda optimizer: optimizer["state"].update({0: 1.0}),
    "no memory": lambda optimizer: optimizer.update(state=3),
    "no groups": lambda optimizer: optimizer.pop("param_groups"),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_an_optimizer_cannot_go_on_from_is_one_sentence(odd: str, tmp_path: Path) -> None:
    optimizer, path = memory(), tmp_path / "odd.ckpt"
    torch.save({"state_dict": {}, "optimizer_states": [optimizer]}, path)
    assert read_checkpoint(path)
    ODD[odd](optimizer)
    torch.save({"state_dict": {}, "optimizer_states": [optimizer]}, path)
    with pytest.raises(InputError, match=rf"{path}: what it knows of the optimizer is damaged. Name a run's"):
        WholeCheckpoints().load_checkpoint(path)


def test_optimizers_that_are_no_list_are_one_sentence(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "optimizer_states": 3}, tmp_path / "odd.ckpt")
    with pytest.raises(InputError, match="what it knows of the optimizer is damaged"):
        read_checkpoint(tmp_path / "odd.ckpt")


def test_what_a_run_cannot_go_on_from_is_one_sentence(
    recognition: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, path = torch.load(recognition.checkpoint, weights_only=True), tmp_path / "odd.ckpt"
    saved["loops"]["fit_loop"]["epoch_progress"] = 3
    torch.save(saved, path)
    assert main(arguments(recognition.config, "fit", tmp_path / "run", f"--ckpt={path}")) == 1
    assert f"{path} cannot be gone on from: what it knows of the optimizer, the schedule" in capsys.readouterr().err
