from pathlib import Path

import pytest

from data_modules.annotations.captions import CaptionTally, captioned_records


def place(video_id: str) -> Path:
    return Path("videos") / f"{video_id}.mp4"


def test_videos_come_in_the_order_of_the_rows_with_all_their_captions() -> None:
    tally = CaptionTally()
    records = captioned_records([("b", "one"), ("a", "two"), ("b", "three"), ("a", "one")], place, tally)
    assert [(record.video_id, record.captions) for record in records] == [
        ("b", ("one", "three")),
        ("a", ("two", "one")),
    ]
    assert [record.path for record in records] == [Path("videos/b.mp4"), Path("videos/a.mp4")]
    assert {(record.target, record.targets) for record in records} == {(-1, ())}
    assert tally.describe() == ""


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ("  a man\n\tsings \r\n", "a man sings"),
        ("a\u00a0man\u2003sings\u2028", "a man sings"),
        ("Straße, 日本語 👩‍👩‍👧", "Straße, 日本語 👩‍👩‍👧"),
        ("word " * 1000, ("word " * 1000).strip()),
    ],
)
def test_white_space_becomes_one_blank_and_nothing_else_changes(text: str, caption: str) -> None:
    (record,) = captioned_records([("a", text)], place, CaptionTally())
    assert record.captions == (caption,)


def test_what_is_left_out_is_counted() -> None:
    tally = CaptionTally()
    rows = [("a", "one"), ("a", " "), ("b", ""), ("b", "\n"), ("a", "one\n"), ("a", "One"), ("c", "one"), ("c", "one")]
    records = captioned_records(rows, place, tally)
    assert [(record.video_id, record.captions) for record in records] == [("a", ("one", "One")), ("c", ("one",))]
    assert (tally.empty, tally.repeated, tally.bare) == (["a", "b", "b"], ["a", "c"], ["b"])
    message = tally.describe()
    assert message.startswith("left out: 3 empty captions, the first of a; 2 repeated captions, the first of a; ")
    assert "is b" in message


def test_one_tally_counts_over_several_files() -> None:
    tally = CaptionTally()
    assert captioned_records([("a", "")], place, tally) == []
    assert captioned_records([("b", ""), ("b", "x")], place, tally)[0].captions == ("x",)
    assert (tally.empty, tally.bare) == (["a", "b"], ["a"])


def test_a_video_is_looked_for_once_and_only_if_it_has_a_caption() -> None:
    requests: list[str] = []

    def ask(video_id: str) -> Path:
        requests.append(video_id)
        return place(video_id)

    captioned_records([("a", "x"), ("b", ""), ("a", "y")], ask, CaptionTally())
    assert requests == ["a"]
