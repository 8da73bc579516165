"""Frames in another order, and names that say nothing: what controls are made of."""

import re

import torch
from torch import Tensor

from data_modules.data_sets.class_lists import class_list
from prompt_video.model.frame_order import middle_frame, reordered
from prompt_video.model.nonsense_names import nonsense_names

MASK = torch.tensor([[True] * 6, [True] * 5 + [False], [True] + [False] * 5, [False] * 6])


def numbered(mask: Tensor) -> Tensor:
    return torch.arange(mask.numel(), dtype=torch.float).reshape(*mask.shape, 1)


def test_reversed_frames_by_a_plain_loop() -> None:
    frames = numbered(MASK)
    found = reordered(frames, MASK, "reversed", list("abcd"))
    for row, mask in enumerate(MASK):
        real = [frames[row, place].item() for place in range(6) if mask[place]]
        padding = [frames[row, place].item() for place in range(6) if not mask[place]]
        assert found[row, :, 0].tolist()[: len(real)] == real[::-1]
        assert sorted(found[row, :, 0].tolist()[len(real) :]) == padding
    assert torch.equal(reordered(found, MASK, "reversed", list("abcd")), frames)


def test_shuffled_frames_are_the_same_in_any_batch_beside_any_padding() -> None:
    frames = numbered(MASK)
    found = reordered(frames, MASK, "shuffled", list("abcd"))
    for row, mask in enumerate(MASK):
        assert sorted(found[row, mask, 0].tolist()) == frames[row, mask, 0].tolist()
        alone = reordered(frames[[row]], MASK[[row]], "shuffled", ["abcd"[row]])
        assert torch.equal(alone[0, mask], found[row, mask])
    longer = torch.cat([frames, torch.full((4, 3, 1), -1.0)], dim=1)
    padded = reordered(longer, torch.cat([MASK, torch.zeros(4, 3, dtype=torch.bool)], dim=1), "shuffled", list("abcd"))
    for row, mask in enumerate(MASK):
        assert torch.equal(padded[row, :6][mask], found[row, mask])
    other = reordered(frames, MASK, "shuffled", list("efgh"))
    assert not torch.equal(other[0], found[0]), "another video, another order"
    assert not torch.equal(found[0], frames[0])


def test_the_middle_frame() -> None:
    assert middle_frame(numbered(MASK), MASK)[:3, 0, 0].tolist() == [2, 8, 12]


def test_made_up_names_differ_and_are_no_names_of_any_class() -> None:
    names = nonsense_names(10_000)
    assert len(set(names)) == 10_000
    assert names[:700] == nonsense_names(700), "those of a longer list begin with those of a shorter"
    words = {word for name in names for word in name.split()}
    known = {w for data in ("hmdb51", "ucf101", "kinetics700") for name in class_list(data) for w in known_words(name)}
    assert not words & known
    assert len(words) == 60


def known_words(name: str) -> list[str]:
    return re.findall("[a-z]+", name.lower())
