"""Write the folder of an ONNX export: the graphs, the bank of classes, and what to know about them."""

from collections.abc import Mapping, Sequence, Set
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data_modules.errors import InputError
from data_modules.files.json_files import write_json
from prompt_video.export.bank import make_bank, model_fingerprint, read_bank
from prompt_video.export.checking import TOLERANCE, check
from prompt_video.export.folders import ABOUT, filled, without_paths
from prompt_video.export.graphs import FEATURES, FRAMES, require_libraries, write_graphs
from prompt_video.export.opset import OPSET
from prompt_video.model.embedding import dim_of
from prompt_video.model.hub_folder import has_public_name
from prompt_video.model.independent import IndependentLabels
from prompt_video.model.video_text_model import VideoTextModel

KIND, FORMAT = "prompt-video ONNX export", 2
BANK = "classes.safetensors"


def write_onnx_folder(
    model: VideoTextModel,
    folder: Path,
    names: Sequence[str] | None,
    opset: int = OPSET,
    task: Mapping[str, Any] | None = None,
) -> float:
    """Write it, and hold the graphs against PyTorch before anything is in its place.

    Args:
        model: on the CPU, in float32.
        folder: to write to.
        names: of the classes in the bank; None: no bank.
        opset: version of ONNX's operators.
        task: what the run looked at, for its users.

    Returns:
        The largest difference between ONNX and PyTorch.

    Raises:
        InputError: when something is missing or cannot be written, or the graphs are wrong.
    """
    require_libraries()
    bank = make_bank(model, names) if names is not None else None
    fingerprint = model_fingerprint(model)
    with filled(folder, KIND) as place:
        write_graphs(model, place, opset, fingerprint)
        difference = check(model, place)
        if bank is not None:
            bank.write(place / BANK)
        about = _about(model, fingerprint, opset, task or {}, difference)
        write_json(place / ABOUT, about)
        (place / "README.md").write_text(_readme(about), encoding="utf-8")
        written = {path.name for path in place.iterdir()}
    _remove_stale(folder, written, fingerprint)
    return difference


def _remove_stale(folder: Path, written: Set[str], fingerprint: str) -> None:
    """Remove what an export of another model left here; a bank of this one stays."""
    for name in {f"{graph}.data" for graph in (FRAMES, FEATURES)} - written:
        (folder / name).unlink(missing_ok=True)
    try:
        read_bank(folder / BANK, fingerprint)
    except InputError:
        (folder / BANK).unlink(missing_ok=True)


def _about(
    model: VideoTextModel, fingerprint: str, opset: int, task: Mapping[str, Any], difference: float
) -> dict[str, Any]:
    backbone = model.backbone
    return {
        "kind": KIND,
        "format": FORMAT,
        "prompt_video_version": version("prompt-video"),
        "model": fingerprint,
        "temperature": model.temperature.item(),
        "frame_shape": list(backbone.frames.shape),
        "feature_dim": backbone.embed_dim,
        "embedding_dim": dim_of(model),
        "num_positions": model.temporal.max_frames if model.temporal.num_layers else None,
        "preprocessing": {
            "recipe": backbone.frames.recipe,
            "in_words": backbone.frames.describe(),
            "channels": "RGB",
            "dtype": "uint8",
            "normalisation": "inside the graph",
        },
        "backbone": {
            "name": backbone.name if has_public_name(backbone.name) else None,
            "fingerprint": backbone.fingerprint,
            "licence": f"{FRAMES} holds the weights of this CLIP's image encoder, whose own licence goes with them",
        },
        "task": without_paths(task),
        "opset": opset,
        "largest_difference": difference,
    }


def answer_of(task: Mapping[str, Any]) -> str:
    """The lines of the example that tell what a video shows: the best class, or of several labels all that count."""
    if (labels := IndependentLabels.of(task)) is None:
        return 'print(json.loads(about["names"])[scores[0].argmax()])'
    return (
        f"probability = 1 / (1 + np.exp(-(scores[0] + {labels.bias!r})))  # of each class by itself\n"
        f'print([name for name, p in zip(json.loads(about["names"]), probability) if p >= {labels.threshold!r}])'
    )


def _readme(about: Mapping[str, Any]) -> str:
    shape, dim = ", ".join(map(str, about["frame_shape"])), about["feature_dim"]
    positions = about["num_positions"]
    more = f"; beyond {positions} frames its learned positions are interpolated, as in PyTorch" if positions else ""
    rate = about["task"].get("frame_rate")
    seen = f" The model was trained at {rate:g} frames a second." if isinstance(rate, (int, float)) else ""
    return f"""\
# Video embeddings with ONNX

| file | what it is |
|---|---|
| `{FRAMES}` | `frames`: uint8 RGB (N, T, 3, {shape}), `mask`: bool (N, T) -> `embedding`: float32 (N, E) |
| `{FEATURES}` | `features`: float32 (N, T, {dim}) of the frozen model, `mask` -> the same `embedding` |
| `{BANK}` | vectors of the classes; another bank of the same model can take its place |
| `{ABOUT}` | sizes, preprocessing, the CLIP inside |

Any number of videos N and of frames T{more}. The mask is True at real frames, which stand before all padding, and each
video has one at least. A graph of more than 1.5 GB keeps its weights in a file `.onnx.data` beside it; move both.

Frames: {about["preprocessing"]["in_words"]}
Pixels stay whole numbers from 0 to 255; they are normalised inside the graph.{seen}

```python
import json
import numpy as np
import onnxruntime
from safetensors import safe_open

session = onnxruntime.InferenceSession("{FRAMES}")
with safe_open("{BANK}", "np") as bank:
    about, vectors, bias = bank.metadata(), bank.get_tensor("vectors"), bank.get_tensor("bias")
assert about["model"] == json.load(open("{ABOUT}"))["model"], "this bank is another model's"

frames = np.zeros((1, 8, 3, {shape}), np.uint8)  # your video
embedding = session.run(None, {{"frames": frames, "mask": np.ones(frames.shape[:2], bool)}})[0]
scores = embedding @ vectors.T / float(about["temperature"]) + bias
{answer_of(about["task"])}
```

A bank of other classes, without writing the graphs again:
`prompt-video export --ckpt CHECKPOINT --bank FILE.safetensors --classes "first class, second class"`

Held against PyTorch on random input when it was written: the largest difference was {about["largest_difference"]:.2g}
({TOLERANCE:g} is allowed). Licence: the learned weights are MIT; {about["backbone"]["licence"]}.
"""
