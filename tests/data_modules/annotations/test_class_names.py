import logging
from pathlib import Path

import pytest

from data_modules.annotations.class_names import names_of, read_class_names, tell_alike
from data_modules.errors import InputError

LOG = "data_modules.annotations.class_names"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1 ApplyEyeMakeup\n2 ApplyLipstick\n", ["ApplyEyeMakeup", "ApplyLipstick"]),
        ("1 ApplyEyeMakeup", ["ApplyEyeMakeup"]),
        ('id,name\n0,abseiling\n1,"catching, or throwing"\n', ["abseiling", "catching, or throwing"]),
        ("2. run\r1) jump\r3 - swim", ["run", "jump", "swim"]),
        ("0 100 m run\n1 200 m run\n", ["100 m run", "200 m run"]),
        ("7 BaseballPitch\n9 BasketballDunk\n12 Billiards", ["BaseballPitch", "BasketballDunk", "Billiards"]),
        ("run\t0\njump\t1\n", ["run", "jump"]),
        ("name,id\nrun,1\njump,2\n", ["run", "jump"]),
    ],
)
def test_numbers_that_count_the_names_are_no_part_of_them(
    text: str, names: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "c.txt").write_text(text)
    assert read_class_names(tmp_path / "c.txt") == names
    assert f"the numbers of its {len(names)} lines count the names" in caplog.text


@pytest.mark.parametrize(
    "text",
    ["100 m run\n200 m run\n400 m run", "formula 1\napollo 11", "3 pointers\nbowling\nskating", "a, then b\nb, then c"],
)
def test_numbers_that_are_words_stay(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "c.txt").write_text(text)
    assert read_class_names(tmp_path / "c.txt") == text.split("\n")
    assert not caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5 Basketball\n17 BoxingPunchingBag\n", "line 1: is the number in '5 Basketball' a part of the class name"),
        ("run,4\njump,9\n", "line 1: is the number in 'run,4' a part"),
        ("0 run\n1 jump\nswim\n", "line 3: 'swim' has no number, and 2 of 3 lines have one"),
        ("run\n" + "x" * 25_000, "line 2: .* has 25,000 letters"),
        ("run\ncaf\udce9", "line 2: this is not UTF-8 text"),
    ],
)
def test_what_may_be_two_things_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text(text, errors="surrogateescape")
    with pytest.raises(InputError, match=rf"c\.txt, {message}"):
        read_class_names(tmp_path / "c.txt")


def test_names_that_differ_in_capitals_alone_are_said(caplog: pytest.LogCaptureFixture) -> None:
    tell_alike(["Run", "jump", "run", "long  jump", "long jump"], "--classes")
    assert caplog.messages == [
        "--classes: 'Run' and 'run' differ in capitals or blanks alone, which most models do not see (2 such pairs)"
    ]
    caplog.clear()
    with caplog.at_level(logging.WARNING, LOG):
        assert names_of(["long_jump", "Long jump"], {}, "videos") == ["long jump", "Long jump"]
    assert "videos: 'long jump' and 'Long jump' differ in capitals or blanks alone" in caplog.text
    with pytest.raises(InputError, match="the label '_' is empty"):
        names_of(["_"], {}, "videos")
    with pytest.raises(InputError, match=r"would both be called 'caf.*'; rename one, or tell them apart"):
        names_of(["caf\u00e9", "cafe\u0301"], {}, "videos")
