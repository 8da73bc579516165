"""Checkpoints of the HuggingFace hub, fetched once; its library tries for half a minute where it cannot be reached."""

import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from data_modules.errors import InputError

SECONDS = 3.0  # in which a network that is there answers
_PORTS = {"http": 80, "https": 443}
_SMALL = ("*.json", "*.txt", "*.model")  # config, preprocessing and tokenizer; of the weights only one kind is fetched
_WEIGHTS = ("model.safetensors", "model-*.safetensors", "pytorch_model.bin", "pytorch_model-*.bin")


def snapshot_of(name: str) -> Path:
    """The folder of a model of the hub in the cache; what is not there is fetched.

    A model that is in the cache is not looked for on the hub again.

    Args:
        name: id of the model on the hub.

    Raises:
        InputError: when there is none, or it has to be fetched, and cannot be.
    """
    from huggingface_hub import constants, snapshot_download  # imported late: a folder needs no hub

    folder = _cached(name)
    if folder is not None:
        return folder
    check_reachable(name)
    try:
        return Path(snapshot_download(name, allow_patterns=_wanted(name)))
    except Exception as error:  # of requests, of the hub, of the file system
        offline = " (HF_HUB_OFFLINE is set)" if constants.HF_HUB_OFFLINE else ""
        raise InputError(
            f"cannot load backbone '{name}': there is no such folder, and it cannot be fetched from the hub{offline}: "
            f"{str(error).strip().partition(chr(10))[0] or type(error).__name__} Name a short name of `prompt-video "
            "list backbones`, a local folder with a HuggingFace model, or another id."
        ) from error


def check_reachable(name: str) -> None:
    """Refuse to ask a hub that does not answer; behind a proxy, one that does not.

    Args:
        name: id of the model on the hub.

    Raises:
        InputError: when it has to be fetched, and the hub does not answer.
    """
    if (silence := silence_of_hub()) is not None:
        raise InputError(
            f"cannot load backbone '{name}': there is no such folder, it has not been fetched from the hub before, and "
            f"{silence}. With a network it is fetched once; without one name a local folder with a HuggingFace model, "
            "or 'tiny', which is built in."
        )


def silence_of_hub() -> str | None:
    """Why the hub cannot be asked now, as a clause; None where it can, or need not be."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return None
    hub = urlsplit(constants.ENDPOINT)
    proxy = getproxies().get(hub.scheme)
    asked = urlsplit(proxy) if proxy else hub
    reason = _why_silent(asked.hostname or "", asked.port or _PORTS.get(asked.scheme, 443))
    place = f"the proxy {asked.hostname}" if proxy else asked.hostname
    return None if reason is None else f"{place} cannot be reached now ({reason})"


def reason_of(error: Exception) -> str:
    """What the hub says of a failure, in its first line, as a sentence."""
    said = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
    return f"{said}."


def _why_silent(host: str, port: int) -> str | None:
    """Why nobody answers there, or None; known in seconds."""
    told: list[str | None] = []

    def ask() -> None:
        try:
            socket.create_connection((host, port), timeout=SECONDS).close()
            told.append(None)
        except OSError as error:
            told.append(error.strerror or str(error))

    # In a thread, since nothing else bounds the time in which a name is looked up.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(SECONDS)
    return told[0] if told else f"no answer in {SECONDS:g} s"


def _cached(name: str) -> Path | None:
    """The snapshot in the cache, if it has weights.

    Raises:
        InputError: when the name cannot be an id.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(name, "config.json")
    except HFValidationError as error:
        raise InputError(
            f"cannot load backbone '{name}': there is no such folder, and an id on the hub is two words with a slash "
            "between them, such as google/siglip-base-patch16-224, without a revision."
        ) from error
    folder = Path(config).parent if isinstance(config, str) else None
    return folder if folder is not None and any(any(folder.glob(kind)) for kind in _WEIGHTS) else None


def _wanted(name: str) -> list[str]:
    """Files to fetch: the small ones, and the first kind of weights that there is."""
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        return [*_SMALL, *_WEIGHTS]
    there = HfApi().list_repo_files(name)
    kind = ".safetensors" if any(file.endswith(".safetensors") for file in there) else ".bin"
    return [*_SMALL, *(weights for weights in _WEIGHTS if weights.endswith(kind))]
