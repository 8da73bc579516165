"""Frames as strips of patches against transformers' own processor of SigLIP 2."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.siglip2 import image_processing_siglip2 as theirs

from data_modules.loading.patch_strip import PatchStrip, fitting_size
from data_modules.video.decoding import VideoReader


@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([(16, 256), (14, 100), (16, 1)]))
def test_sizes_are_transformers(height: int, width: int, grid: tuple[int, int]) -> None:
    sizes: Any = theirs.get_image_size_for_max_num_patches
    assert fitting_size(height, width, *grid) == sizes(height, width, *grid)


@pytest.mark.parametrize("size", [(120, 160), (160, 120), (64, 64), (30, 400), (720, 1280)])
@pytest.mark.parametrize(("patch", "most"), [(16, 256), (8, 30)])
def test_patches_are_transformers(size: tuple[int, int], patch: int, most: int) -> None:
    frame = torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    processor: Any = theirs.Siglip2ImageProcessor(patch_size=patch, max_num_patches=most)
    wanted = processor(frame, return_tensors="pt")
    strip = PatchStrip(patch, most)(frame)
    assert strip.shape[-2:] == PatchStrip(patch, most).shape
    patches = strip.reshape(3, patch, most + 1, patch).permute(2, 1, 3, 0)  # (most + 1, patch, patch, 3)
    rows, columns = wanted["spatial_shapes"][0].tolist()
    assert (patches[-1, 0, :2, 0] + 1).tolist() == [rows, columns]
    number = int(wanted["pixel_attention_mask"].sum())
    assert number == rows * columns
    own = (patches[:number].float().flatten(1) / 255 - 0.5) / 0.5
    torch.testing.assert_close(own, wanted["pixel_values"][0, :number], rtol=0, atol=1e-6)
    assert not patches[number:-1].any()


def test_frames_of_a_video(videos: Path) -> None:
    """Any number of leading axes; pixels that are not square are shown as players show them."""
    strips = PatchStrip()
    path = videos / "cleaning_pool_h264.mp4"
    with VideoReader(path) as reader:
        frames, _ = reader.decode(torch.tensor([0.0, 0.1]).double().numpy(), lambda frame: frame)
        together = strips(frames)
        torch.testing.assert_close(together[0], strips(frames[0]))
    wide = strips(frames, 2.0)
    rows, columns = (wide.reshape(*wide.shape[:-1], -1, 16)[0, 0, 0, -1, :2].int() + 1).tolist()
    plain_rows, plain_columns = (together.reshape(*together.shape[:-1], -1, 16)[0, 0, 0, -1, :2].int() + 1).tolist()
    assert columns / rows > plain_columns / plain_rows
    assert strips.recipe == "keep-aspect-256x16px-bilinear-antialias"
