"""What the written graphs give, held against the model itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Bool
from torch import Tensor

from data_modules.batch import Batch
from data_modules.errors import InputError
from prompt_video.export.graphs import FEATURES, FRAMES
from prompt_video.model.embedding import video_vectors
from prompt_video.model.video_text_model import VideoTextModel

TOLERANCE = 1e-4  # of each number of a vector of length 1


def check(model: VideoTextModel, folder: Path) -> float:
    """Run both graphs on random input: few frames, and more than the temporal encoder has positions.

    Args:
        model: that was exported.
        folder: with the graphs.

    Returns:
        The largest difference of any number of an embedding.

    Raises:
        InputError: when it is larger than 1e-4.
    """
    largest = {FRAMES: 0.0, FEATURES: 0.0}
    for file in largest:
        session = open_graph(folder / file)
        for given, mask in _inputs(model, file):
            difference = (run_graph(session, given, mask) - embed(model, given, mask)).abs().max().item()
            # Written so that NaN is refused too.
            if not difference <= TOLERANCE:
                raise InputError(
                    f"{file} differs from PyTorch by {difference:.2g} on {mask.shape[1]} frames, and {TOLERANCE:g} is "
                    "allowed; nothing was written. Another --opset or another version of onnxruntime may help."
                )
            largest[file] = max(largest[file], difference)
    return max(largest.values())


def embed(model: VideoTextModel, given: Tensor, mask: Bool[Tensor, "N T"]) -> Tensor:
    """What the model itself makes of pixels or of features."""
    with torch.no_grad():
        kind = "video" if given.dtype == torch.uint8 else "features"
        batch = cast(Batch, {kind: given, "mask": mask})
        return video_vectors(model, model.frame_features(batch), mask)


def open_graph(path: Path) -> Any:  # noqa: ANN401 - onnxruntime is untyped
    """A session on the CPU that says nothing."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_graph(session: Any, given: Tensor, mask: Bool[Tensor, "N T"]) -> Tensor:  # noqa: ANN401 - as above
    """What onnxruntime makes of pixels or of features."""
    name = session.get_inputs()[0].name
    return torch.from_numpy(session.run(None, {name: given.numpy(), "mask": mask.numpy()})[0])


def _inputs(model: VideoTextModel, file: str) -> Iterator[tuple[Tensor, Bool[Tensor, "N T"]]]:
    random = torch.Generator().manual_seed(0)
    frames, dim = model.backbone.frames, model.backbone.embed_dim
    for num_frames in (2, model.temporal.max_frames + 3):
        # The second video is shorter, so that there is padding.
        mask = torch.arange(num_frames) < torch.tensor([[num_frames], [(num_frames + 1) // 2]])
        if file == FRAMES:
            pixels = torch.randint(0, 256, (*mask.shape, 3, 48, 64), generator=random, dtype=torch.uint8)
            yield frames(pixels), mask
        else:
            yield torch.randn(*mask.shape, dim, generator=random), mask
