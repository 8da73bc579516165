"""ResizeCrop against plain PIL and against transformers' own image processor."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as TF
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from data_modules.errors import InputError
from data_modules.loading.transforms import ResizeCrop, resize
from data_modules.video.decoding import VideoReader

VIDEOS = Path(__file__).parents[1] / "videos"
# (height, width): landscape, portrait, odd long sides, odd crops, tiny, square, already there, extreme
SIZES = [(256, 340), (340, 256), (240, 321), (239, 427), (121, 161), (50, 50), (224, 224), (224, 225), (301, 224)]
SIZES += [(7, 9), (1, 3), (720, 1280), (333, 777), (1000, 225)]


def picture(height: int, width: int) -> Tensor:
    """Clouds, hard edges and noise."""
    rng = np.random.default_rng(height * 10_000 + width)
    cloud = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize((width, height))
    array = np.array(cloud)
    array[height // 4 : height // 2, width // 4 : width // 2] = rng.integers(0, 256, 3)
    noisy = array.astype(np.int64) + rng.integers(-40, 41, array.shape)
    return torch.from_numpy(noisy.clip(0, 255).astype(np.uint8)).permute(2, 0, 1)


def by_pil(frame: Tensor, size: int) -> Tensor:
    image = Image.fromarray(np.ascontiguousarray(frame.permute(1, 2, 0).numpy()))
    short = min(image.size)
    width, height = (int(size * side / short) for side in image.size)
    # Rows before columns, as one call does it in every Pillow but 13 for high pictures.
    image = image.resize((width, image.height), Image.Resampling.BICUBIC)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return torch.from_numpy(np.array(image.crop((left, top, left + size, top + size)))).permute(2, 0, 1)


def by_transformers(frame: Tensor, size: int) -> Tensor:
    processor = CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
    (pixels,) = processor(frame.numpy(), do_rescale=False, do_normalize=False, input_data_format="channels_first")[
        "pixel_values"
    ]
    return torch.from_numpy(np.asarray(pixels)).to(torch.uint8)


def assert_close(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    difference = (ours.int() - theirs.int()).abs()
    assert difference.max() <= 2
    assert difference.float().mean() <= 0.01


@pytest.mark.parametrize("size", [224, 96])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_close_to_pil_and_transformers(height: int, width: int, size: int) -> None:
    frame = picture(height, width)
    ours = ResizeCrop(size)(frame)
    assert ours.is_contiguous()
    assert_close(ours, by_pil(frame, size))
    if height < 2 * width:
        assert_close(ours, by_transformers(frame, size))


def test_high_pictures_against_transformers() -> None:
    frame = picture(1000, 225)
    difference = (ResizeCrop()(frame).int() - by_transformers(frame, 224).int()).abs()
    assert difference.max() <= 10
    assert difference.float().mean() <= 0.3


@pytest.mark.parametrize(
    "name", ["cleaning_pool_gap_h264.mp4", "apply_eye_makeup_mpeg4.avi", "odd_size_vp9.webm", "rotated_90.mov"]
)
def test_close_on_real_frames(name: str) -> None:
    with VideoReader(VIDEOS / name) as reader:
        frames, _ = reader.decode(np.linspace(0, reader.timeline.duration_sec, 4))
    for ours, frame in zip(ResizeCrop()(frames), frames, strict=True):
        assert_close(ours, by_pil(frame, 224))
        assert_close(ours, by_transformers(frame, 224))


def test_the_comparison_notices_a_shift_of_one_pixel() -> None:
    frame = picture(256, 340)
    with pytest.raises(AssertionError):
        assert_close(ResizeCrop()(frame), by_pil(frame.roll(1, dims=2), 224))


def test_leading_axes_and_memory_layout_do_not_matter() -> None:
    frames = torch.stack([picture(60, 80), picture(80, 60).mT, picture(60, 80).flip(2)])
    crop = ResizeCrop(32)
    expected = torch.stack([crop(frame) for frame in frames])
    channels_last = frames.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert torch.equal(crop(frames), expected)
    assert torch.equal(crop(channels_last), expected)
    assert torch.equal(crop(frames.expand(2, *frames.shape)), expected.expand(2, *expected.shape))


def test_recipe_and_size() -> None:
    assert ResizeCrop(96).recipe == "resize96-bicubic-antialias/centercrop96"
    with pytest.raises(InputError, match="size must be 1 or more"):
        ResizeCrop(0)


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_resized_as_torchvision_does(height: int, width: int, mode: Literal["bicubic", "bilinear"]) -> None:
    frames = torch.stack([picture(height, width), picture(height, width).flip(-1)])
    theirs = TF.resize(frames, [57, 83], InterpolationMode(mode), antialias=True)
    assert torch.equal(resize(frames, 57, 83, mode), theirs)
    assert torch.equal(resize(frames[0], 57, 83, mode), theirs[0])
