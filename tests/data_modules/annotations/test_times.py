from collections.abc import Mapping
from pathlib import Path

import pytest

from data_modules.annotations.times import Misfits, misfits
from data_modules.batch import Segment, UntrimmedRecord
from data_modules.errors import InputError


def videos(*spans: tuple[float, float], duration_sec: float | None = None, count: int = 4) -> list[UntrimmedRecord]:
    segments = tuple(Segment(start, end, 0) for start, end in spans)
    return [UntrimmedRecord(f"v{n}", Path("v"), segments=segments, duration_sec=duration_sec) for n in range(count)]


def misfits_of(records: list[UntrimmedRecord], lengths_sec: Mapping[str, float] | None = None) -> Misfits:
    return misfits(records, {"v0": 10.0, "v1": 10.0, "v2": 10.0, "v3": 10.0} if lengths_sec is None else lengths_sec)


def test_frames_in_the_place_of_seconds() -> None:
    frames = videos((80.0, 197.0), (2.0, 9.0), (30.0, 60.0))
    with pytest.raises(InputError, match=r"^gt\.json: in 4 of 4 videos .* first of them v0, 80 to 197 s of 10 s\. Are"):
        misfits_of(frames).check_units("gt.json")
    mixed = [*frames[:2], *videos((1.0, 2.0))[2:]]
    misfits_of(mixed).check_units("half of the videos are right")
    assert (
        misfits_of(mixed).describe() == "4 segments after the end of the video, not trained on: v0, 80 to 197 s of 10 s"
    )
    with pytest.raises(InputError, match="3 of 4 videos"):
        misfits_of([*frames[:3], *mixed[3:]]).check_units("gt.json")
    misfits_of([*frames[:1], *videos(count=8)[1:]], {}).check_units("no video is known to be shorter")


def test_annotated_durations_count_where_no_other_is_known() -> None:
    with pytest.raises(InputError, match="of 5 s"):
        misfits_of(videos((80.0, 197.0), duration_sec=5.0), {}).check_units("gt.json")
    assert misfits_of(videos((1.0, 2.0), duration_sec=5.0), {}).describe() == ""


def test_another_duration_is_said() -> None:
    other = misfits_of(videos((5.0, 7.0), (9.0, 11.0), duration_sec=13.0, count=2))
    assert other.describe() == (
        "2 segments after the end of the video, not trained on: v0, 9 to 11 s of 10 s; 2 videos of another duration "
        "than annotated: v0, 13 s annotated and 10 s long"
    )
    assert misfits_of(videos((5.0, 7.0), duration_sec=10.4)).describe() == ""
