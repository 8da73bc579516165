"""Test videos that are left out by name."""

from collections.abc import Collection, Sequence
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.text_files import read_text

KNOWN = "known"


def excluded_ids(
    exclude: str | Sequence[str] | None, known: Sequence[str], tested: Collection[str], dataset_name: str
) -> set[str]:
    """Ids of the test videos to leave out.

    Args:
        exclude: these; the path of a file with one a line; ``known``; or None for none.
        known: those that papers are known to leave out; they need not be among the tested.
        tested: ids of all test videos.
        dataset_name: for messages.

    Raises:
        InputError: when one of them is no test video, none are known, or the file cannot be read.
    """
    if exclude is None:
        return set()
    if exclude == KNOWN:
        if not known:
            raise InputError(f"data.exclude: no videos of {dataset_name} are known that papers leave out; give ids.")
        return set(known)
    ids = read_text(Path(exclude)).split() if isinstance(exclude, str) else list(exclude)
    if not ids:
        raise InputError(f"data.exclude names no video of {dataset_name}; null leaves none out.")
    if unknown := [video_id for video_id in ids if video_id not in tested and video_id not in known]:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise InputError(
            f"data.exclude names {unknown[0]!a}{more}, which is no test video of {dataset_name}; give ids as the "
            "annotation has them, or a file with one a line."
        )
    return set(ids)


def describe_excluded(left_out: Collection[str], tested: Collection[str], dataset_name: str) -> str:
    """How many were left out, as a sentence for the run's summary; empty where none were.

    Args:
        left_out: ids.
        tested: ids of all test videos.
        dataset_name: whose videos they are.
    """
    gone = sorted(set(left_out) & set(tested))
    if not gone:
        return ""
    named = ", ".join(gone[:5]) + (", ..." if len(gone) > 5 else "")
    return f" {len(gone)} of {len(tested)} test videos of {dataset_name} are left out: {named}."
