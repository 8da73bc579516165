from pathlib import Path

import pytest

from data_modules.annotations.activitynet_format import AnnotatedVideo, Annotation
from data_modules.annotations.untrimmed_lists import VideoFiles, oddities, to_record
from data_modules.batch import Segment, UntrimmedRecord
from data_modules.errors import InputError

TARGETS = {"jump": 0, "throw": 1}


def annotated(*annotations: tuple[str, float, float]) -> AnnotatedVideo:
    return AnnotatedVideo("v", "training", 20.0, tuple(Annotation(*one) for one in annotations))


def test_segments_are_kept_as_annotated_and_ambiguous_stretches_apart() -> None:
    video = annotated(("throw", 5.0, 4.0), ("Ambiguous", 1.0, 2.0), ("jump", 3.0, 30.0), ("throw", 3.0, 4.0))
    assert to_record(video, Path("v.mp4"), TARGETS, "gt.json") == UntrimmedRecord(
        "v",
        Path("v.mp4"),
        segments=(Segment(5.0, 4.0, 1), Segment(3.0, 30.0, 0), Segment(3.0, 4.0, 1)),
        ambiguous_sec=((1.0, 2.0),),
        duration_sec=20.0,
    )


def test_an_unknown_label_is_named() -> None:
    with pytest.raises(InputError, match=r"gt\.json, video 'v': 'swim' is no class of this data set"):
        to_record(annotated(("swim", 1.0, 2.0)), Path("v.mp4"), TARGETS, "gt.json")


def test_oddities_are_counted_and_named() -> None:
    video = annotated(("throw", 5.0, 5.0), ("Ambiguous", 1.0, 2.0), ("jump", 3.0, 20.5), ("throw", 21.0, 19.0))
    record = to_record(video, Path("v.mp4"), TARGETS, "")
    result = oddities([record, UntrimmedRecord("unknown", Path(), segments=(Segment(0.0, 1e6, 0),))])
    assert result.reversed == ("v: 5 to 5 s", "v: 21 to 19 s")
    assert result.beyond_end == ("v: 3 to 20.5 s of 20 s",)
    assert result.ambiguous == ("v: 1 to 2 s",)
    assert str(result) == ("2 segments end at or before their start, 1 after their video; 1 stretches are ambiguous")
    early = oddities([UntrimmedRecord("early", Path(), segments=(Segment(-2.0, 1.0, 0),))])
    assert early.before_start == ("early: -2 to 1 s",)
    assert "1 start before their video" in str(early)


def test_videos_are_found_under_several_names_in_any_layout(tmp_path: Path) -> None:
    for name in ("deep/down/v_a.mkv", "b.webm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    files = VideoFiles(tmp_path, needed=True)
    assert files.place("v_a", "a") == tmp_path / "deep/down/v_a.mkv"
    assert files.place("v_b", "b") == tmp_path / "b.webm"
    assert files.find("v_c", "c") is None
    assert files.place("v_c", "c") == tmp_path / "v_c.mp4"
    for name in ("../c", "/etc/c"):
        with pytest.raises(InputError, match=f"the name of a video: {name} lies outside of"):
            files.place(name)


def test_a_folder_of_videos_may_be_missing_only_where_none_is_needed(tmp_path: Path) -> None:
    assert VideoFiles(tmp_path / "none", needed=False).place("a") == tmp_path / "none" / "a.mp4"
    with pytest.raises(InputError, match="there is no folder"):
        VideoFiles(tmp_path / "none", needed=True)
