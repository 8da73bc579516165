"""Trained models by their ids on the HuggingFace hub: ``user/model``, or of one revision, ``user/model@revision``."""

import re
from pathlib import Path

from data_modules.errors import InputError
from prompt_video.backbones.hub import reason_of, silence_of_hub

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
_FILES = (".ckpt", ".pt", ".pth", ".tar", ".safetensors")


def is_hub_id(path: Path) -> bool:
    """Whether a checkpoint's name is an id on the hub, and neither there nor the name of a file."""
    return not path.exists() and _ID.fullmatch(str(path)) is not None and path.suffix not in _FILES


def local_path(path: Path) -> Path:
    """A checkpoint or a folder as it is; of a model on the hub the folder in the cache, fetched where it is not there.

    A branch is looked up on the hub where that can be reached; else what was fetched before counts.

    Args:
        path: a file, a folder, ``user/model`` or ``user/model@revision``.

    Raises:
        InputError: when there is no such model, or it has to be fetched and cannot be.
    """
    if not is_hub_id(path):
        return path
    # Imported late: files need no hub, and whether a name is an id is asked before torch is loaded.
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    from prompt_video.model.hub_folder import CONFIG, WEIGHTS

    name, _, revision = str(path).partition("@")
    silence = silence_of_hub()
    if silence or constants.HF_HUB_OFFLINE:
        kept = try_to_load_from_cache(name, WEIGHTS, revision=revision or None)
        if isinstance(kept, str):
            return Path(kept).parent
        silence = silence or "HF_HUB_OFFLINE is set"
        raise InputError(f"there is no {path} here, it has not been fetched from the hub before, and {silence}.")
    try:
        config = Path(hf_hub_download(name, CONFIG, revision=revision or None))
        # Of the same commit, wherever a branch points to by now.
        hf_hub_download(name, WEIGHTS, revision=config.parent.name)
    except Exception as error:  # of requests, of the hub, of the file system
        raise InputError(
            f"there is no {path} here, and {_why(error)}. Name a run's checkpoints/last.ckpt, a folder of "
            "`prompt-video export --hub`, or another id."
        ) from error
    return config.parent


def _why(error: Exception) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.RepositoryNotFoundError):
        return "the hub has no such model, or it is private"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the hub has no such revision of it"
    # Of what the network lost on the way the library says that it is not in the cache.
    if isinstance(error, errors.EntryNotFoundError) and not isinstance(error, errors.LocalEntryNotFoundError):
        return "what the hub has there is no model of prompt-video"
    return f"it cannot be fetched from the hub: {reason_of(error).rstrip('.')}"
