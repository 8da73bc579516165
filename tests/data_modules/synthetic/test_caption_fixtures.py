"""Synthetic caption files are read as the real ones would be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from data_modules.data_sets.captioned_folder import CaptionedFolder
from data_modules.data_sets.didemo import DiDeMo
from data_modules.data_sets.lsmdc import LSMDC
from data_modules.data_sets.msrvtt import MSRVTT
from data_modules.data_sets.spoken_moments import SpokenMoments
from data_modules.modules.captioned import CaptionedDataModule
from data_modules.protocols.limit import Limit
from data_modules.synthetic.annotation_fixtures import write_annotations

MAKE: dict[str, Callable[[Path], CaptionedDataModule]] = {
    "msrvtt": lambda root: MSRVTT(root, limit=Limit()),
    "msrvtt full": lambda root: MSRVTT(root, split="full", limit=Limit()),
    "didemo": lambda root: DiDeMo(root, limit=Limit()),
    "lsmdc": lambda root: LSMDC(root, limit=Limit()),
    "smit": lambda root: SpokenMoments(root, limit=Limit()),
    "csv": lambda root: CaptionedFolder(root, limit=Limit()),
    "json": lambda root: CaptionedFolder(root, captions=Path("mine.json.gz"), limit=Limit()),
    "jsonl": lambda root: CaptionedFolder(root, captions=Path("mine.jsonl"), limit=Limit()),
}


@pytest.mark.parametrize("name", list(MAKE))
def test_all_parts_have_videos_with_captions_of_their_own(tmp_path: Path, name: str) -> None:
    write_annotations(MAKE[name](tmp_path))
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert written
    data = MAKE[name](tmp_path)
    write_annotations(data)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == written
    (trial,) = data.trials
    assert {len(part.records) for part in trial.subsets.values()} == {6}
    assert not data.tally.describe()
    captions = [caption for part in trial.subsets for caption in data.captions(part)]
    assert len(set(captions)) == len(captions)
