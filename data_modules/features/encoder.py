"""What makes features of frames, and what frames are made into for it, as the data modules know both."""

from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Float, UInt8
from torch import Tensor

from data_modules.features.manifest import Precision

Place = Literal["center", "start", "end"]
CENTER: Place = "center"


@runtime_checkable
class FrameTransform(Protocol):
    """From decoded frames of any size to pictures of one, in bytes."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what comes out."""

    @property
    def recipe(self) -> str:
        """What is done, for the manifest of stored features."""

    def describe(self) -> str:
        """What is done, as a sentence for people."""

    @property
    def place(self) -> Place:
        """What of a frame it looks at."""

    @property
    def places(self) -> tuple[Place, ...]:
        """What of a frame it can look at; all of it where it leaves nothing out."""

    def at(self, place: Place) -> "FrameTransform":
        """The same, of another part of the frame.

        Raises:
            InputError: when it is none of `places`.
        """

    def __call__(self, frames: UInt8[Tensor, "*N 3 H W"], pixel_aspect: float = 1.0) -> UInt8[Tensor, "*N 3 h w"]:
        """Resize and cut; any number of leading axes.

        Args:
            frames: as they are stored.
            pixel_aspect: width of a pixel to its height; the picture is shown as a player does, with square ones.
        """


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
        """What changes its features beside its weights and `frames`."""

    @property
    def dtype(self) -> Precision:
        """What it computes in."""

    @property
    def embed_dim(self) -> int:
        """D, numbers per frame."""

    @property
    def frames(self) -> FrameTransform:
        """From a decoded frame to what it sees."""

    def encode_frames(self, pixels: UInt8[Tensor, "N 3 H W"], /) -> Float[Tensor, "N D"]:
        """Features of RGB frames, on the device where the frames are."""
