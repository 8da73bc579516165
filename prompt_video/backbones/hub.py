"""Whether the HuggingFace hub can be asked at all: its library tries for half a minute before it says no."""

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

from data_modules.errors import InputError

SECONDS = 3.0  # in which a network that is there answers
_PORTS = {"http": 80, "https": 443}


def check_reachable(name: str) -> None:
    """Refuse a model of the hub that is neither in the cache nor to be had now.

    Behind a proxy only the proxy knows, and nothing is refused.

    Args:
        name: id of the model on the hub.

    Raises:
        InputError: when it has to be fetched, and the hub does not answer.
    """
    from huggingface_hub import constants, try_to_load_from_cache  # imported late: a folder needs no hub
    from huggingface_hub.errors import HFValidationError

    try:
        is_cached = isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError as error:
        raise InputError(
            f"cannot load backbone '{name}': there is no such folder, and no such id on the hub: {error}"
        ) from error
    hub = urlsplit(constants.ENDPOINT)
    if is_cached or constants.HF_HUB_OFFLINE or hub.scheme in getproxies():
        return
    try:
        socket.create_connection((hub.hostname or "", hub.port or _PORTS.get(hub.scheme, 443)), timeout=SECONDS).close()
    except OSError as error:
        raise InputError(
            f"cannot load backbone '{name}': there is no such folder, it has not been fetched from the hub before, and "
            f"{hub.hostname} cannot be reached now ({error.strerror or error}). With a network it is fetched once; "
            "without one name a local folder with a HuggingFace model, or 'tiny', which is built in."
        ) from error
