"""Put an exported folder on the HuggingFace hub."""

from pathlib import Path

from data_modules.errors import InputError
from prompt_video.backbones.hub import reason_of, silence_of_hub
from prompt_video.model.hub_folder import CONFIG, WEIGHTS

FILES = ("README.md", "LICENSE", CONFIG, WEIGHTS)


def push(folder: Path, name: str) -> str:
    """Upload a folder that ``prompt-video export --hub`` wrote; the repository is made where there is none.

    Args:
        folder: whose files are uploaded; others in it are not.
        name: ``user/model`` or, to a branch, ``user/model@branch``, which is made where there is none.

    Returns:
        Where the model can be seen.

    Raises:
        InputError: when the hub cannot be reached, or refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, constants  # imported late: most exports need no hub

    model, _, branch = name.partition("@")
    if (silence := silence_of_hub()) is not None:
        raise InputError(f"{folder} is written, but cannot be pushed to {name}: {silence}.")
    api = HfApi(endpoint=constants.ENDPOINT)
    try:
        api.create_repo(model, exist_ok=True)
        if branch:
            api.create_branch(model, branch=branch, exist_ok=True)
        files = [CommitOperationAdd(file, folder / file) for file in FILES]
        api.create_commit(model, files, commit_message="A model of prompt-video", revision=branch or None)
    except Exception as error:  # of requests, of the hub, of a name that is none
        raise InputError(
            f"{folder} is written, but cannot be pushed to {name}: {reason_of(error)} `hf auth login`, or HF_TOKEN, "
            "says who you are."
        ) from error
    return f"{constants.ENDPOINT}/{model}" + (f"/tree/{branch}" if branch else "")
