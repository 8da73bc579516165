import json
from pathlib import Path

import pytest

from data_modules.batch import CaptionedRecord
from data_modules.data_sets.captioned_folder import CaptionedFolder
from data_modules.errors import InputError
from data_modules.protocols.trial import SPLITS, DatasetIndex
from data_modules.synthetic.captioned_shapes import CAPTIONS, CaptionedShapes
from data_modules.synthetic.rendering import FRAME_RATE
from data_modules.synthetic.video_script import play
from data_modules.video.decoding import VideoReader


def world(root: Path, world_seed: int = 0, train_videos: int = 3) -> CaptionedShapes:
    data = CaptionedShapes(root, train_videos, 1, 2, captions_per_video=3, world_seed=world_seed)
    data.prepare_data()
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> CaptionedShapes:
    return world(tmp_path_factory.mktemp("captioned_shapes"))


def captions(dataset_index: DatasetIndex) -> dict[str, tuple[str, ...]]:
    everything = [record for split in SPLITS for record in dataset_index.records[split]]
    assert all(isinstance(record, CaptionedRecord) for record in everything)
    return {record.video_id: record.captions for record in everything if isinstance(record, CaptionedRecord)}


def test_the_files_show_the_whole_story(data: CaptionedShapes) -> None:
    for split in SPLITS:
        for path, script in data.files(split):
            frames = sum(len(piece) for piece in play(script.story.video_script))
            with VideoReader(path) as reader:
                assert reader.timeline.duration_sec == pytest.approx(frames / FRAME_RATE, abs=0.01)
                assert sum(1 for _ in reader.frames()) == frames


def test_training_videos_have_several_captions_and_tested_ones_one(data: CaptionedShapes) -> None:
    counts = {
        split: [len(own) for name, own in captions(data.dataset_index).items() if name.startswith(split)]
        for split in SPLITS
    }
    assert counts == {"train": [3, 3, 3], "val": [1], "test": [1, 1]}
    assert data.tally.describe() == ""


def test_the_captions_beside_the_videos_are_a_captioned_folder(data: CaptionedShapes) -> None:
    read = CaptionedFolder(data.root, captions=Path(CAPTIONS)).dataset_index
    expected = {name.removesuffix(".mp4"): own for name, own in captions(data.dataset_index).items()}
    assert captions(read) == expected
    rows = json.loads((data.root / CAPTIONS).read_text())
    assert [row["split"] for row in rows].count("train") == 9


def test_a_second_look_renders_nothing_and_changes_nothing(data: CaptionedShapes) -> None:
    before = {path: path.stat().st_mtime_ns for path in data.root.rglob("*") if path.is_file()}
    data.prepare_data()
    assert {path: path.stat().st_mtime_ns for path in data.root.rglob("*") if path.is_file()} == before


def test_a_larger_world_holds_the_smaller_one(data: CaptionedShapes, tmp_path: Path) -> None:
    larger = world(tmp_path, train_videos=4)
    for name in captions(data.dataset_index):
        assert (larger.root / name).read_bytes() == (data.root / name).read_bytes()
    assert captions(data.dataset_index).items() < captions(larger.dataset_index).items()


def test_another_seed_is_another_world_and_has_its_own_folder(data: CaptionedShapes, tmp_path: Path) -> None:
    other = world(tmp_path, world_seed=1)
    assert captions(other.dataset_index) != captions(data.dataset_index)
    with pytest.raises(InputError, match="holds another world"):
        world(data.root, world_seed=1)
