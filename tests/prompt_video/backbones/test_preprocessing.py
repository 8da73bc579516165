"""What is done to frames comes from the checkpoint's own files, and a store of other frames is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from data_modules.data_sets.video_folder import VideoFolder
from data_modules.errors import InputError
from data_modules.loading.transforms import ResizeCrop, Squash
from data_modules.modules.extraction import recipe_of
from prompt_video.backbones.backbone import FrozenBackbone

FRAME = torch.randint(0, 256, (3, 50, 90), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def with_settings(clip_folder: Path, tmp_path: Path) -> Callable[..., FrozenBackbone]:
    """A CLIP whose files say this of frames."""

    def make(**settings: Any) -> FrozenBackbone:  # noqa: ANN401 - JSON
        folder = shutil.copytree(clip_folder, tmp_path / "clip", dirs_exist_ok=True)
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
        return FrozenBackbone(str(folder))

    return make


@pytest.mark.parametrize(
    ("settings", "recipe"),
    [
        ({}, "resize16-bicubic-antialias/centercrop16"),
        ({"size": 16, "crop_size": 16, "resample": 2}, "resize16-bilinear-antialias/centercrop16"),
        (
            {"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}},
            "resize20-bicubic-antialias/centercrop16",
        ),
        ({"size": {"height": 16, "width": 16}, "do_center_crop": False}, "squash16-bicubic-antialias"),
        ({"size": {"height": 16, "width": 16}, "do_center_crop": True, "crop_size": 16}, "squash16-bicubic-antialias"),
    ],
)
def test_every_way_of_saying_it(
    with_settings: Callable[..., FrozenBackbone], settings: dict[str, Any], recipe: str
) -> None:
    backbone = with_settings(**settings)
    assert backbone.frames.recipe == recipe
    if not settings:
        return
    size = settings["size"] if isinstance(settings["size"], dict) else {"shortest_edge": settings["size"]}
    processor = CLIPImageProcessorPil(**{**settings, "size": size}, do_normalize=False, do_rescale=False)
    wanted = torch.as_tensor(processor(FRAME.numpy(), input_data_format="channels_first")["pixel_values"][0])
    assert (backbone.frames(FRAME).int() - wanted.int()).abs().max() <= 3


def test_in_the_file_of_newer_versions_too(clip_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    said = {"image_processor": {"size": {"height": 16, "width": 16}, "do_center_crop": False, "image_mean": [0.5] * 3}}
    (folder / "processor_config.json").write_text(json.dumps(said))
    backbone = FrozenBackbone(str(folder))
    assert isinstance(backbone.frames, Squash)
    assert backbone.mean.flatten().tolist() == [0.5] * 3


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"size": 24, "crop_size": 24}, "makes pictures of 24 x 24 pixels, and its image encoder sees 16 x 16"),
        ({"size": {"shortest_edge": 16}, "do_center_crop": False}, "leaves frames of any shape"),
        ({"size": {"height": 16, "width": 24}}, "pictures of 16 x 24, no squares"),
        ({"size": {"longest_edge": 16}}, "a size that cannot be read"),
        ({"size": 16, "resample": 0}, "asks for the filter 0"),
        ({"size": 16, "image_mean": [0.5, "x", 0.5]}, "no three numbers"),
        ({"size": 16, "do_resize": False}, "do_resize: false"),
    ],
)
def test_what_cannot_be_done_is_named(
    with_settings: Callable[..., FrozenBackbone], settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        with_settings(**settings)


def test_frames_made_otherwise_are_another_recipe(with_settings: Callable[..., FrozenBackbone], tmp_path: Path) -> None:
    """In name and in folder, so that a store of them is not taken."""
    data = VideoFolder(tmp_path)
    kinds: list[dict[str, Any]] = [
        {},
        {"resample": 2},
        {"size": {"height": 16, "width": 16}},
        {"image_mean": [0.5] * 3},
        {"size": 20, "crop_size": 16},
    ]
    recipes = []
    for settings in kinds:
        backbone = with_settings(**settings)
        recipes.append(recipe_of(backbone, data, backbone.frames))
    assert len({recipe.key() for recipe in recipes}) == len(kinds)
    assert all("transform" in recipes[0].differences(other)[0] for other in recipes[1:])


def test_a_crop_of_what_is_not_cropped_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sees all of a frame.*num_crops to 1"):
        VideoFolder(tmp_path, preprocessing=Squash(16), num_crops=3)
    places = [crop.place for crop in VideoFolder(tmp_path, preprocessing=ResizeCrop(16), num_crops=3).crops]
    assert places == ["center", "start", "end"]


@pytest.mark.parametrize("size", [(16, 16), (50, 90), (90, 50), (9, 9)])
@pytest.mark.parametrize("method", ["bicubic", "bilinear"])
def test_squashing_equals_transformers(size: tuple[int, int], method: Any) -> None:  # noqa: ANN401
    frame = torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    number = {"bicubic": 3, "bilinear": 2}[method]
    squared = {"height": 16, "width": 16}
    processor: Any = transformers.CLIPImageProcessor(size=squared, do_center_crop=False, resample=number)
    wanted = processor(frame, do_normalize=False, do_rescale=False, return_tensors="pt")["pixel_values"][0]
    assert (Squash(16, method)(frame, 1.5).int() - wanted.int()).abs().max() <= 1
