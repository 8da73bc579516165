"""The video side as ONNX graphs: any number of videos, of any number of frames."""

import copy
import importlib.util
import logging
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from data_modules.errors import InputError
from prompt_video.export.opset import OPSETS
from prompt_video.io.advice import without_advice
from prompt_video.model.embedding import refuse_weighted, video_vectors
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel

FRAMES, FEATURES = "frames_to_embedding.onnx", "features_to_embedding.onnx"
LIBRARIES = ("onnx", "onnxscript", "onnxruntime")


class FramesToEmbedding(nn.Module):
    """Pixels in, unit vectors out.

    Args:
        model: whose video side it is.
    """

    def __init__(self, model: VideoTextModel) -> None:
        super().__init__()
        self.model = _for_any_length(model)

    def forward(self, frames: UInt8[Tensor, "N T 3 H W"], mask: Bool[Tensor, "N T"]) -> Float[Tensor, "N E"]:
        """Every frame is encoded, padding too; it does not count."""
        backbone = self.model.backbone
        features = backbone.towers.vision(backbone.prepared(frames.flatten(0, 1)))
        return video_vectors(self.model, features.unflatten(0, mask.shape), mask)


class FeaturesToEmbedding(nn.Module):
    """Features of the frozen model in, unit vectors out.

    Args:
        model: whose video side it is.
    """

    def __init__(self, model: VideoTextModel) -> None:
        super().__init__()
        self.model = _for_any_length(model)

    def forward(self, features: Float[Tensor, "N T D"], mask: Bool[Tensor, "N T"]) -> Float[Tensor, "N E"]:
        """Frame features and their mask to one unit vector for each video."""
        return video_vectors(self.model, features, mask)


class _EncoderForAnyLength(TemporalEncoder):
    """The same without a branch on the number of frames, which a graph cannot have."""

    def _positions(self, mask: Bool[Tensor, "*G R T"]) -> Float[Tensor, "*G #R T D"]:
        return self._interpolated(mask)


def _for_any_length(model: VideoTextModel) -> VideoTextModel:
    """A copy on the same CLIP."""
    if not model.temporal.num_layers:
        return model
    own = copy.deepcopy(model, {id(model.backbone): model.backbone})
    with torch.random.fork_rng(devices=[]):
        encoder = _EncoderForAnyLength(model.backbone.embed_dim, **model.temporal.settings())
    encoder.load_state_dict(model.temporal.state_dict())
    own.temporal = encoder.requires_grad_(False).eval()
    return own


def write_graphs(model: VideoTextModel, folder: Path, opset: int, fingerprint: str) -> None:
    """Write both graphs; each carries its weights, CLIP's too, in a file ``.onnx.data`` beside it where they are large.

    Args:
        model: on the CPU, in float32.
        folder: to write to.
        opset: version of ONNX's operators.
        fingerprint: of the model, kept in the graphs' metadata.

    Raises:
        InputError: when a library is missing, the opset is not one that can be written, or the model has no single
            vector of a video.
    """
    require_libraries()
    refuse_weighted(model)
    if opset not in OPSETS:
        raise InputError(f"opset must be from {OPSETS[0]} to {OPSETS[-1]}, not {opset}.")
    shape, dim = model.backbone.frames.shape, model.backbone.embed_dim
    mask = torch.tensor([[True, True, True], [True, True, False]])
    pixels = torch.zeros(2, 3, 3, *shape, dtype=torch.uint8)
    _write(FramesToEmbedding(model), "frames", pixels, mask, folder / FRAMES, opset, fingerprint)
    _write(FeaturesToEmbedding(model), "features", torch.zeros(2, 3, dim), mask, folder / FEATURES, opset, fingerprint)


def require_libraries() -> None:
    """Refuse to start without what an export needs.

    Raises:
        InputError: naming what is missing.
    """
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"ONNX needs {', '.join(missing)}: pip install 'prompt-video[export]'")


def _write(
    module: nn.Module, name: str, example: Tensor, mask: Tensor, path: Path, opset: int, fingerprint: str
) -> None:
    axes = {0: torch.export.Dim("videos", min=1), 1: torch.export.Dim("num_frames", min=1)}
    with without_advice(logging.ERROR), torch.no_grad():  # to those who work on torch and onnxscript
        traced = torch.export.export(module, (example, mask), dynamic_shapes=(axes, axes))
        program: Any = torch.onnx.export(
            traced,
            (example, mask),
            input_names=[name, "mask"],
            output_names=["embedding"],
            opset_version=opset,
            dynamic_shapes=(axes, axes),
            dynamo=True,
            verbose=False,
        )
        program.model.metadata_props["prompt_video_model"] = fingerprint
        program.save(path)
