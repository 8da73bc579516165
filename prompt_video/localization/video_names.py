"""Which annotated video a detection is in: one program names a video by its id, another by its file."""

from collections.abc import Iterable

from data_modules.annotations.listed_videos import endings
from data_modules.errors import InputError


def annotated_names(predicted: Iterable[str], annotated: Iterable[str], source: str) -> dict[str, str]:
    """The annotated id of each predicted video; its own name where it is not annotated.

    Beside the id itself a file of this name is meant: with suffix, in folders, or ``v_<id>``, as ActivityNet's are
    called.

    Args:
        predicted: names as the detections have them.
        annotated: ids of the ground truth.
        source: file of the detections, for messages.

    Raises:
        InputError: when a name may be two annotated videos, or two names are of one.
    """
    ids = dict.fromkeys(annotated)
    by_ending: dict[str, list[str]] = {}
    for video_id in ids:
        for ending in endings(video_id):
            by_ending.setdefault(ending, []).append(video_id)
    video_of: dict[str, str] = {}
    name_of: dict[str, str] = {}
    for name in predicted:
        video_of[name] = name if name in ids else _one_of(name, by_ending, source) or name
        if (first := name_of.setdefault(video_of[name], name)) != name:
            raise InputError(
                f"{source}: '{first}' and '{name}' are both of the video '{video_of[name]}'; score one of them at a "
                "time."
            )
    return video_of


def _one_of(name: str, by_ending: dict[str, list[str]], source: str) -> str | None:
    for ending in endings(name):
        folder, slash, last = ending.rpartition("/")
        ids = by_ending.get(ending) or by_ending.get(f"{folder}{slash}{last.removeprefix('v_')}", [])
        if len(ids) > 1:
            raise InputError(f"{source}: '{name}' may be the video '{ids[0]}' or '{ids[1]}'; write more of its path.")
        if ids:
            return ids[0]
    return None
