"""Parts of the videos, each for another program."""

from pathlib import Path

import pytest

from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.modules.extraction import part_of
from prompt_video.cli import main
from prompt_video.commands.features import part


def test_each_video_is_in_one_part_and_stays_there_when_others_come() -> None:
    records = {name: Record(name, Path(name), -1) for name in (f"class/{number}.mp4" for number in range(4000))}
    parts = [part_of(records, (number, 8)) for number in range(1, 9)]
    assert sorted(name for one in parts for name in one) == sorted(records)
    assert all(400 < len(one) < 600 for one in parts)
    fewer = dict(list(records.items())[:1000])
    assert part_of(fewer, (3, 8)).keys() == parts[2].keys() & fewer.keys()
    assert part_of(records, (1, 1)) == records


def test_parts_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert part("3/8") == (3, 8)
    for wrong in ("0/8", "9/8", "8", "3/", "3/8/1", "-1/8", "0/0", "\u0663/8", ""):
        with pytest.raises(InputError, match="from 1/N to N/N"):
            part(wrong)
    assert main(["features", "--config=demo_closed", "--part=9/8"]) == 1
    assert "--part must be from 1/N to N/N, such as 3/8, the third of eight parts, not 9/8." in capsys.readouterr().err
