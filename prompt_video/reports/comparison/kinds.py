"""What stands in the files of a run, as far as a report tells of it: anyone may have edited them."""

import math
from collections.abc import Mapping
from typing import Any

NUMBER = (int, float)
# A list of one kind is a list of such values; "*" stands for all names of a mapping.
RESULTS: Mapping[str, Any] = {
    "protocol": str,
    "seed": (int, type(None)),
    "samples": {"*": {"*": NUMBER}},
    "tested": (str, type(None)),
    "metrics": {"*": NUMBER},
    "confidence": {"*": {"std": (*NUMBER, type(None)), "ci95": (*NUMBER, type(None)), "trials": int}},
}
ENVIRONMENT: Mapping[str, Any] = {
    "command": [str],
    "started": str,
    "git": ({"commit": str}, type(None)),
    "packages": {"*": (str, type(None))},
    "gpus": [str],
    "processor": str,
}
LARGEST = 1e300


def misfit(value: Any, kind: Any, place: str = "") -> str | None:  # noqa: ANN401 - what JSON holds
    """The first place that holds something else than it should; None where all is well.

    Args:
        value: as it was read.
        kind: a type, several of which one is enough, a list of one kind, or kinds by name; names that are not there
            are no misfit.
        place: of the value in its file.
    """
    if isinstance(kind, tuple):
        places = [misfit(value, one, place) for one in kind]
        return places[0] if all(places) else None
    if isinstance(kind, list):
        if not isinstance(value, list):
            return place
        return next((wrong for one in value if (wrong := misfit(one, kind[0], place))), None)
    if isinstance(kind, Mapping):
        if not isinstance(value, dict):
            return place
        named = ((name, kind.get(name, kind.get("*"))) for name in value)
        places = [misfit(value[name], one, f"{place}.{name}".strip(".")) for name, one in named if one is not None]
        return next((wrong for wrong in places if wrong), None)
    if not isinstance(value, kind):
        return place
    is_number = isinstance(value, NUMBER)
    return place if is_number and not (abs(value) < LARGEST and math.isfinite(float(value))) else None
