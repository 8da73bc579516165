"""Features of clips kept from one labelling to the next: the frozen model looks at a clip once, whatever is learned."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from data_modules.files.atomic import write_whole

ENDS = 1 << 20  # bytes at each end of a file, by which its content is known, with its size

Views = tuple[Float[Tensor, "V T D"], float]  # of the moments that stand for a video, and its duration in seconds


class KeptViews:
    """A folder with a file for each clip and recipe.

    Args:
        folder: made when there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def views(self, video: Path, recipe: str, make: Callable[[], Views]) -> Views:
        """What is kept of a clip, or what is made of it now; a file that is damaged is made again.

        Args:
            video: the file, wherever it lies: its content counts.
            recipe: all else that the features depend on.
            make: them.
        """
        try:
            kept = self.folder / f"{_content(video, recipe)}.safetensors"
        except OSError:  # whoever makes them says what is wrong
            return make()
        try:
            found = load_file(kept)
            return found["features"], float(found["duration_sec"])
        except (OSError, SafetensorError, KeyError):
            features, duration_sec = make()
        tensors = {"features": features.cpu().contiguous(), "duration_sec": torch.tensor(duration_sec).double()}
        with suppress(OSError):  # as where the disk is full: it is made again another time
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(kept, lambda partial: save_file(tensors, partial))
        return features, duration_sec


def _content(video: Path, recipe: str) -> str:
    size = video.stat().st_size
    digest = hashlib.sha256(f"{recipe}/{size}".encode())
    with video.open("rb") as file:
        digest.update(file.read(ENDS))
        file.seek(max(size - ENDS, 0))
        digest.update(file.read(ENDS))
    return digest.hexdigest()[:32]
