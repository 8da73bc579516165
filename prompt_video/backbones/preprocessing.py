"""What a checkpoint's own files say is done to frames."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from data_modules.features.encoder import CENTER, FrameTransform
from data_modules.loading.transforms import Filter, ResizeCrop, Squash
from prompt_video.backbones.checkpoint_files import CheckpointFiles

_FILTERS: dict[int, Filter] = {2: "bilinear", 3: "bicubic"}  # as Pillow numbers them


class Preprocessing(NamedTuple):
    """From decoded frames to normalised pixels.

    Args:
        frames: to squares of bytes.
        mean: that pixels in [0, 1] are normalised with, by channel.
        std: as ``mean``.
    """

    frames: FrameTransform
    mean: Sequence[float]
    std: Sequence[float]

    def configured(self, vision: Mapping[str, Any]) -> str:
        """What changes the features of frames and is not in the weights, nor in their shapes; see `BackboneFacts`.

        Args:
            vision: config of the image encoder.
        """
        normalised = " ".join(f"{value:g}" for value in (*self.mean, *self.std))
        activation, num_heads, eps = vision["hidden_act"], vision["num_attention_heads"], vision["layer_norm_eps"]
        return f"{activation} {num_heads}heads eps{eps:g}/normalised {normalised}"


def preprocessing_of(files: CheckpointFiles, image_size: int, default: Preprocessing) -> Preprocessing:
    """What a checkpoint says, and its family's own where it says nothing.

    Args:
        files: of the checkpoint.
        image_size: pixels that its image encoder sees, in both directions.
        default: of the family.

    Raises:
        InputError: when it cannot be done, or does not make what the encoder sees.
    """
    said = files.preprocessor
    mean, std = normalisation(files, default.mean, default.std)
    if not said.keys() & {"size", "crop_size", "resample", "do_center_crop", "do_resize"}:
        return Preprocessing(default.frames, mean, std)
    for name in ("do_resize", "do_rescale", "do_normalize"):
        if said.get(name) is False:
            raise files.error(f"its preprocessor_config.json says {name}: false, and every frame needs that")
    frames = _frames(files, image_size, default.frames)
    if frames.shape != (image_size, image_size):
        raise files.error(
            f"its preprocessor_config.json makes pictures of {frames.shape[0]} x {frames.shape[1]} pixels, and its "
            f"image encoder sees {image_size} x {image_size}"
        )
    return Preprocessing(frames, mean, std)


def normalisation(
    files: CheckpointFiles, mean: Sequence[float], std: Sequence[float]
) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation of the pixels that a checkpoint names, and its family's own where it names none.

    Raises:
        InputError: when they are no three numbers each, or a deviation is not above 0.
    """
    mean = _three(files, files.preprocessor.get("image_mean", mean))
    std = _three(files, files.preprocessor.get("image_std", std))
    if min(std) <= 0:
        raise files.error(f"its preprocessor_config.json has deviations that are not above 0: {std}")
    return mean, std


def _frames(files: CheckpointFiles, image_size: int, default: FrameTransform) -> FrameTransform:
    said = files.preprocessor
    if (number := said.get("resample", 3)) not in _FILTERS:
        raise files.error(f"its preprocessor_config.json asks for the filter {number!r}; known: 2 bilinear, 3 bicubic")
    method = _FILTERS[number]
    size, crops = said.get("size"), bool(said.get("do_center_crop", isinstance(default, ResizeCrop)))
    if size is None:
        return ResizeCrop(image_size, CENTER, method) if crops else Squash(image_size, method)
    if isinstance(size, dict) and size.keys() >= {"height", "width"}:
        side = _side(files, size)
        return Squash(side, method)
    short = size["shortest_edge"] if isinstance(size, dict) and "shortest_edge" in size else size
    if not isinstance(short, int):
        raise files.error(f"its preprocessor_config.json has a size that cannot be read: {size!r}")
    if not crops:
        raise files.error("its preprocessor_config.json leaves frames of any shape, and its encoder sees squares")
    return ResizeCrop(_side(files, said.get("crop_size", short)), CENTER, method, short)


def _side(files: CheckpointFiles, size: Any) -> int:  # noqa: ANN401 - whatever stands there
    sides = [size["height"], size["width"]] if isinstance(size, dict) else [size, size]
    if not all(isinstance(side, int) and side > 0 for side in sides) or sides[0] != sides[1]:
        raise files.error(f"its preprocessor_config.json asks for pictures of {sides[0]!r} x {sides[1]!r}, no squares")
    return int(sides[0])


def _three(files: CheckpointFiles, values: Any) -> list[float]:  # noqa: ANN401 - as above
    values = values if isinstance(values, (list, tuple)) else [values] * 3
    if len(values) != 3 or not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise files.error(f"its preprocessor_config.json has a mean or a deviation that is no three numbers: {values}")
    return [float(value) for value in values]
