"""What the data module makes of lists and transcriptions; synthetic ones."""

from pathlib import Path
from typing import cast

import pytest

from data_modules.batch import CaptionedRecord
from data_modules.data_sets.spoken_moments import SpokenMoments
from data_modules.errors import InputError
from data_modules.protocols.trial import Split


def write(folder: Path, list_name: str, texts: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / list_name).write_text("".join(f"{name}\n" for name in texts))
    for name, text in texts.items():
        path = folder / "transcriptions" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def captioned(data: SpokenMoments, split: Split) -> list[CaptionedRecord]:
    return cast("list[CaptionedRecord]", list(data.dataset_index.records[split]))


def test_the_first_line_of_a_transcription_is_the_caption(tmp_path: Path) -> None:
    texts = {"running/b_2": " a dog  🐕 \nmore", "running/a_1": "кошка", "c": "", "d": "word " * 1000, "e": "\n"}
    write(tmp_path / "annotations", "train_set.txt", texts)
    write(tmp_path / "annotations", "test_set.txt", {"t": "a test"})
    (tmp_path / "annotations" / "test_set.txt").write_text("t\nlost\n")
    for file in ("running/b_2.mp4", "deep/d.webm"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    data = SpokenMoments(tmp_path)
    assert [(r.video_id, r.captions, r.path) for r in captioned(data, "train")] == [
        ("running/b_2", ("a dog 🐕",), tmp_path / "running/b_2.mp4"),
        ("running/a_1", ("кошка",), tmp_path / "running/a_1.mp4"),
        ("d", (("word " * 1000).strip(),), tmp_path / "deep/d.webm"),
    ]
    assert [r.video_id for r in captioned(data, "test")] == ["t"]
    assert data.tally.empty == ["c", "e"]
    assert data.tally.bare == ["c", "e", "lost"]
    assert "val" not in data.dataset_index.records
    write(tmp_path / "annotations", "validation_set.txt", {"v": "seen"})
    assert [r.captions for r in captioned(SpokenMoments(tmp_path), "val")] == [("seen",)]


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train_set.txt and test_set.txt not found; .*spoken.html"):
        _ = SpokenMoments(tmp_path).dataset_index
    for name in ("train_set.txt", "test_set.txt"):
        (tmp_path / name).write_text("a\n")
    with pytest.raises(InputError, match=r"there is no folder .*transcriptions"):
        _ = SpokenMoments(tmp_path).dataset_index
    (tmp_path / "transcriptions").mkdir()
    with pytest.raises(InputError, match=r"has no transcription of .*train_set.txt"):
        _ = SpokenMoments(tmp_path).dataset_index
    (tmp_path / "train_set.txt").write_text("a\nb\n\na\n")
    with pytest.raises(InputError, match=r"train_set.txt, line 4: a stands already on line 1"):
        _ = SpokenMoments(tmp_path).dataset_index
    (tmp_path / "train_set.txt").write_text("\n")
    with pytest.raises(InputError, match=r"train_set.txt names no video"):
        _ = SpokenMoments(tmp_path).dataset_index
