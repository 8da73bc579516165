"""Which imported features a data set means: their files are called as their makers liked, its videos otherwise."""

from collections.abc import Collection, Iterator
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.file_index import parse_clip, stem_of


def endings(video_id: str) -> Iterator[str]:
    """A path without a video's suffix, whole and without its first folders, longest first."""
    *folders, last = video_id.split("/")
    name = stem_of(last)
    if (clip := parse_clip(name)) is not None:  # of Kinetics, whose times are written in several ways
        name = clip.name
    for start in range(len(folders) + 1):
        yield "/".join([*folders[start:], name])


def names_in(store: Path, stored: Collection[str], wanted: Collection[str]) -> dict[str, str]:
    """Videos that a store has under another name, which is as much of their paths as both have, without suffix.

    So ``brush_hair/clip.mp4`` is found as ``brush_hair/clip`` or ``clip``, and ``clip`` as ``brush_hair/clip``; what
    stands in another folder is another video. ActivityNet's ids may have their ``v_`` in front.

    Args:
        store: its folder, for messages.
        stored: names of its videos.
        wanted: ids of the data set's.

    Returns:
        The id that is asked for, and the name in the store.

    Raises:
        InputError: when one name may mean several videos, or the other way round.
    """
    exact = set(stored) & set(wanted)
    by_ending: dict[str, list[str]] = {}
    whole: dict[str, str] = {}
    for name in stored:
        if name not in exact:
            whole.setdefault(next(endings(name)), name)
            for ending in endings(name):
                by_ending.setdefault(ending, []).append(name)

    def found_as(video_id: str) -> list[str]:
        return by_ending.get(next(endings(video_id)), []) or [whole[e] for e in endings(video_id) if e in whole][:1]

    stored_names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for video_id in wanted:
        if video_id in exact:
            continue
        names = next((names for plain in _spellings(video_id) if (names := found_as(plain))), [])
        if len(names) > 1:
            raise InputError(f"the feature store {store} has {names[0]} and {names[1]}: which of them is {video_id}?")
        for name in names:
            if (other := taken.setdefault(name, video_id)) != video_id:
                raise InputError(f"the feature store {store} has {name}: is it of {other} or of {video_id}?")
            stored_names[video_id] = name
    return stored_names


def _spellings(video_id: str) -> tuple[str, str]:
    folder, slash, name = video_id.rpartition("/")
    return video_id, f"{folder}{slash}v_{name}"
