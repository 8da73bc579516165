from collections import Counter
from pathlib import Path

import torch

from data_modules import MovingPairs, VideoFolder
from data_modules.batch import MultiLabelRecord
from data_modules.synthetic.moving_pairs import NUM_SHOWN, _Script
from data_modules.synthetic.moving_shapes import PAIRS
from data_modules.video.decoding import VideoReader


def test_a_video_shows_two_classes_one_or_none_and_its_label_file_says_which(tmp_path: Path) -> None:
    world = MovingPairs(tmp_path, train_videos=4, val_videos=0, test_videos=1, num_workers=0)
    world.prepare_data()
    records = world.dataset_index.records
    assert [len(record.targets) for record in records["train"]] == [0, 1, 1, 2]
    assert all(isinstance(record, MultiLabelRecord) == (len(record.targets) != 1) for record in records["train"])
    folder = VideoFolder(tmp_path, labels=Path("labels.json")).dataset_index.records
    names = world.class_names
    labels = VideoFolder(tmp_path, labels=Path("labels.json")).class_names
    for split in ("train", "test"):
        own = {r.video_id: {names[target] for target in r.targets} for r in records[split]}
        assert own == {r.video_id: {labels[target] for target in r.targets} for r in folder[split]}
    with VideoReader(records["train"][3].path) as reader:
        assert reader.timeline.frame_rate == 12
    before = (tmp_path / "labels.json").stat().st_mtime_ns
    MovingPairs(tmp_path, train_videos=4, val_videos=0, test_videos=1).prepare_data()
    assert (tmp_path / "labels.json").stat().st_mtime_ns == before


def test_shapes_of_a_video_differ_and_are_painted_over_the_same_background() -> None:
    shown = [_Script(NUM_SHOWN[seed % 10], seed).shown for seed in range(500)]
    assert all(len({PAIRS[place][0] for place in own}) == len(own) for own in shown)
    assert len(Counter(place for own in shown for place in own)) == len(PAIRS)
    none, one, two = (torch.cat(list(_Script(count, 7).frames())).int() for count in range(3))
    assert len(set(_Script(2, 7).shown)) == 2
    assert _Script(1, 7).shown == _Script(2, 7).shown[:1]
    assert (none == none[:1]).all(), "nothing moves"
    first, second = ((a != b).any(1) for a, b in ((none, one), (one, two)))
    assert 0.005 < first.float().mean() < 0.4
    assert 0.005 < second.float().mean() < 0.4
    assert (two[~(first | second)[:, None].expand_as(two)] == none[~(first | second)[:, None].expand_as(two)]).all()
