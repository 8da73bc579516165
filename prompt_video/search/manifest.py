"""What stands beside the vectors of an index: all that is needed to read a query as the videos were read."""

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.io.former_settings import RENAMED, spec_of_today
from prompt_video.model.checkpoints import save_whole
from prompt_video.model.model_spec import model_of_spec, spec_of_model
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.search.spans import Cutting

INDEX_FILE = "search.pt"
FORMAT = 3
READ_FORMATS = (2, FORMAT)
BACKBONE = ("backbone", "clip")  # names of it in a spec, today and once


@dataclass(frozen=True)
class IndexManifest:
    """One index.

    Args:
        folder: of the videos.
        cutting: how they were cut.
        written: the spec of the model, in the words in which the index was first made: its vectors name a hash of them.
        state: its learned weights.
    """

    folder: Path
    cutting: Cutting
    written: Mapping[str, Any]
    state: Mapping[str, Tensor]

    @classmethod
    def of(cls, model: VideoTextModel, folder: Path, cutting: Cutting) -> "IndexManifest":
        """Of a model and a folder."""
        spec = spec_of_model(model)
        if (place := Path(spec["backbone"]["name"]).expanduser()).is_dir():
            spec["backbone"]["name"] = str(place.resolve())  # searching may start from another folder
        state = {name: weight.cpu().clone() for name, weight in model.learned_state().items()}
        return cls(folder.resolve(), cutting, spec, state)

    @property
    def spec(self) -> dict[str, Any]:
        """Of the model, see `spec_of_model`."""
        return dict(spec_of_today(self.written))

    def continuing(self, other: "IndexManifest") -> "IndexManifest":
        """The same in the words of another one of the same model, so that its vectors need not be made again."""
        own, others = self.spec, other.spec
        if any(own.get(name) != others.get(name) for name in {*own, *others} - {"backbone"}):
            return self
        written = {
            name: own.get(RENAMED.get(name, name)) if name in BACKBONE else value
            for name, value in other.written.items()
        }
        return dataclasses.replace(self, written=written)

    @property
    def fingerprint(self) -> str:
        """A hash of the learned weights and their settings; the backbone counts by its own in the recipe of a store."""
        about = {name: "" if name in BACKBONE else value for name, value in self.written.items()}
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for name, weight in sorted(self.state.items()):
            digest.update(name.encode())
            digest.update(weight.float().contiguous().numpy().data)
        return digest.hexdigest()[:16]

    @property
    def made_with(self) -> str:
        """How the videos were cut, and by which model they were seen: what the vectors' recipe ends with."""
        cutting = self.cutting
        spans = f"spans of {cutting.span_sec:g} s every {cutting.stride_sec:g} s, {cutting.num_frames} frames each"
        return f"{spans}/model {self.fingerprint}"

    def write(self, root: Path) -> None:
        """Write it into the folder of an index."""
        root.mkdir(parents=True, exist_ok=True)
        content = {
            "format": FORMAT,
            "folder": str(self.folder),
            "cutting": dataclasses.asdict(self.cutting),
            "spec": dict(self.written),
            "state": dict(self.state),
            "checksum": self._checksum,
        }
        save_whole(root / INDEX_FILE, content)

    @property
    def _checksum(self) -> int:
        """Of all but the weights, which the recipe of the vectors names."""
        said = [str(self.folder), dataclasses.asdict(self.cutting), dict(self.written)]
        return zlib.crc32(json.dumps(said, sort_keys=True).encode())

    def model(self, backbone: str | None = None) -> VideoTextModel:
        """The model, on the CPU; queries that are too long for it are cut.

        Args:
            backbone: where its backbone is; None: where it was.

        Raises:
            InputError: when the backbone is not there, or is another one.
        """
        made_with = self.spec["backbone"]
        name = backbone or made_with["name"]
        try:
            frozen = FrozenBackbone(name)
        except InputError as error:
            reason = str(error)
        else:
            return self._model_on(frozen)
        # Outside of the handler, since the innermost message is the one that the command line shows.
        raise InputError(
            f"the index was made with backbone '{made_with['name']}', and a search needs it to read the query. Put it "
            f"back, or say where it is with --backbone. {reason}"
        )

    def _model_on(self, backbone: FrozenBackbone) -> VideoTextModel:
        made_with = self.spec["backbone"]
        if backbone.fingerprint != made_with["fingerprint"]:
            raise InputError(
                f"the index was made with a backbone of fingerprint {made_with['fingerprint']}, and "
                f"'{backbone.name}' has {backbone.fingerprint}: their vectors cannot be compared. Name the "
                "right one with --backbone, or index the videos again into another folder."
            )
        settings = {**self.spec["prompt"]["settings"], "too_long": "truncate"}
        spec = {**self.spec, "prompt": {**self.spec["prompt"], "settings": settings}}
        model = model_of_spec(spec, backbone)
        model.load_learned_state(self.state)
        return model.eval().requires_grad_(False)


def read_manifest(root: Path) -> IndexManifest:
    """The manifest of an index.

    Raises:
        InputError: when there is none, or it is damaged or of another version.
    """
    path = root / INDEX_FILE
    if not path.is_file():
        what = f"is no index of videos: it has no {INDEX_FILE}" if root.is_dir() else "does not exist"
        raise InputError(f"the index {root} {what}. Make one with `prompt-video index`, or correct the path.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        version = content["format"]
        if version in READ_FORMATS:
            manifest = IndexManifest(
                Path(content["folder"]), Cutting(**content["cutting"]), content["spec"], content["state"]
            )
            if content["checksum"] != manifest._checksum:
                raise ValueError("its checksum differs")
            _check(manifest)
            return manifest
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(f"{path} is damaged. Run `prompt-video index` again to write it anew.") from error
    raise InputError(
        f"{path} has version {version}, and this program reads versions {READ_FORMATS[0]} and {FORMAT}; index again."
    )


def _check(manifest: IndexManifest) -> None:
    """Types and ranges of what was read.

    Raises:
        ValueError: when they are wrong.
    """
    names = [manifest.spec["backbone"][key] for key in ("name", "fingerprint")]
    is_text = all(isinstance(name, str) for name in names) and manifest.folder.is_absolute()
    if not is_text or not all(weight.isfinite().all() for weight in manifest.state.values()) or not manifest.made_with:
        raise ValueError("a field is not as it should be")
