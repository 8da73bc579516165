"""What makes features of frames, as the data modules know it."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, UInt8
from torch import Tensor

from data_modules.features.manifest import Precision


@runtime_checkable
class FrameEncoder(Protocol):
    """What makes features of frames: a frozen image-text model, which a task has as ``task.encoder``."""

    @property
    def name(self) -> str:
        """As a person says it."""

    @property
    def fingerprint(self) -> str:
        """Hash of its weights."""

    @property
    def configured(self) -> str:
        """What changes its features beside its weights and the crop."""

    @property
    def dtype(self) -> Precision:
        """What it computes in."""

    @property
    def embed_dim(self) -> int:
        """D, numbers per frame."""

    @property
    def image_size(self) -> int:
        """S, side of the square that it sees, pixels."""

    def encode_frames(self, pixels: UInt8[Tensor, "N 3 S S"], /) -> Float[Tensor, "N D"]:
        """Features of RGB frames, on the device where the frames are."""
