"""The folder of a run: which it is, and what of a run is in it."""

import os
from collections.abc import Sequence
from pathlib import Path

from data_modules.errors import InputError
from prompt_video.experiment.claim import Claim, claim_named, claim_new
from prompt_video.io.run_files import CHECKPOINTS, JOURNAL, LAST, TRAINED
from prompt_video.model.checkpoints import last_checkpoint

_SHARED = "PROMPT_VIDEO_RUN_FOLDER"
# Of a process among several, as Lightning, torchrun and Slurm count them.
_RANKS = ("LOCAL_RANK", "RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
MOST_BYTES = 200  # of a part of a name: most systems take 255, and some is added
# What the folders of runs that train nothing begin with, by their verbs.
KINDS = {"test": "evaluate_", "validate": "validate_", "predict": "predict_"}


def settle_run_folder(
    root: Path, name: str, folder: Path | None, *, verb: str, refused: Sequence[str] = (), writes: bool = True
) -> tuple[Path, Claim | None]:
    """The folder of a run, claimed by the first of its processes; those that Lightning starts beside it take the same.

    Args:
        root: folder for run folders.
        name: of the experiment.
        folder: that is asked for, if any.
        verb: that the run is of.
        refused: files, of another run, with which a folder that is asked for is not taken.
        writes: False for what leaves nothing there, and needs no folder.

    Raises:
        InputError: when another process writes to it, another run is in it, or nothing can be written there.
    """
    if not writes or any(os.environ.get(rank, "0") != "0" for rank in _RANKS):
        return folder or Path(os.environ.get(_SHARED) or root / name / "beside"), None
    if folder is None:
        claim = claim_new(root, name, KINDS.get(verb, ""))
    else:
        claim = claim_named(folder)
        if found := next((path for path in refused if (folder / path).exists()), None):
            claim.leave()
            raise InputError(
                f"{folder} holds a run already ({found}): go on with it by --ckpt last, or name another --run_folder."
            )
    os.environ[_SHARED] = str(claim.folder)
    return claim.folder, claim


def checked_name(name: str) -> str:
    """The name of an experiment, which is also that of a folder below the one for runs.

    Raises:
        InputError: when it would lead out of it, or no folder can have it.
    """
    parts = Path(name).parts
    leads_out = Path(name).is_absolute() or ".." in parts or not parts
    if leads_out or not name.isprintable() or any(len(os.fsencode(part)) > MOST_BYTES for part in parts):
        raise InputError(f"--name {name!a} is no name for a folder in the one for runs: take a plain, short one.")
    return name


def newest_checkpoint(root: Path, name: str) -> Path:
    """The last checkpoint of the newest run of an experiment.

    Raises:
        InputError: when there is none.
    """
    # A run of many trials may have finished some before its first checkpoint.
    left = {path: run for mark in TRAINED for path in (root / name).glob(f"*/{mark}") if (run := _run_of(path, mark))}
    if not left:
        raise InputError(f"no run of '{name}' below {root} has a checkpoint to resume; start without --ckpt last.")
    return checkpoint_of(left[max(left, key=lambda path: path.stat().st_mtime)])


def has_begun(run: Path) -> bool:
    """Whether there is anything of a run to go on from, whole or not; not so before its first checkpoint."""
    return (run / JOURNAL).is_file() or any((run / CHECKPOINTS).glob("*.ckpt"))


def checkpoint_of(run: Path) -> Path:
    """The last checkpoint of a run; of one of many trials that is between two checkpoints, where it will be.

    Raises:
        InputError: when there is none, or none that can be read.
    """
    found = last_checkpoint(run)
    if found is None and not (run / JOURNAL).is_file():
        raise InputError(f"{run} has no whole checkpoint to resume; start without --ckpt last.")
    return found or run / CHECKPOINTS / LAST


def _run_of(path: Path, mark: str) -> Path:
    return path.parents[mark.count("/")]
