"""The README's example of plain Lightning runs as it reads there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Lightning's hints, which the command line leaves out
def test_the_example_of_plain_lightning_runs(
    readme_blocks: Sequence[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = (block for block in readme_blocks if block.language == "python" and "data.extract" in block.text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    names: dict[str, Any] = {}
    exec(compile(block.text, "README.md", "exec"), names)
    (figures,) = names["figures"]
    assert {"test/top1", "test/frozen_top1"} <= figures.keys()
    assert Path(names["best"].best_model_path).is_file()
    assert {row["video_id"] for batch in names["scores"] for row in batch} == {
        record.video_id for record in names["data"].subset("test").records
    }
