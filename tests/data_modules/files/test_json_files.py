import json
import math
from pathlib import Path

import pytest

from data_modules.errors import InputError
from data_modules.files.json_files import json_text, write_json


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_named_and_not_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(InputError, match=r"^metrics\.runs\.1\.top1 is not finite"):
        write_json(tmp_path / "results.json", {"metrics": {"runs": [{"top1": 1.0}, {"top1": value}]}})
    assert not list(tmp_path.iterdir())


def test_names_of_any_kind_come_back(tmp_path: Path) -> None:
    value = {"name": "caf\udce9.mp4", "other": "café \u2028 视频", "quoted": 'a "b" \\ c'}
    write_json(tmp_path / "file.json", value)
    assert json.loads((tmp_path / "file.json").read_bytes().decode()) == value
    assert json.loads(json_text(value)) == value
