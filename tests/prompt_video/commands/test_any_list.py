"""Any bytes in the place of an array, a manifest or a shard: a value, or one sentence that names the file."""

import contextlib
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from data_modules.errors import InputError
from data_modules.features.shards import read_shard
from data_modules.features.store import FeatureStore, Recipe, StoreWriter
from prompt_video.inference.loading import load
from prompt_video.io.numpy_files import open_array
from prompt_video.model.checkpoints import CHECKPOINT_FORMAT, read_checkpoint
from prompt_video.model.hub_folder import KIND
from prompt_video.search.manifest import INDEX_FILE, read_manifest


class Run(Protocol):
    """What `recognition` gives."""

    @property
    def checkpoint(self) -> Path: ...


RECIPE = Recipe("tiny", "abcd", 2, 25.0, "resize 32")
FEW = settings(max_examples=25, deadline=None, derandomize=True, database=None)

words = st.sampled_from(
    ["'descr':", "'<f4'", "'|O',", "'fortran_order':", "True,", "'shape':", "(2, 2)", "(-1,)", "9**9"]
)
headers = st.lists(words | st.text("{}():,'\n 03", max_size=4), max_size=12).map(lambda parts: "{" + "".join(parts))
values = (
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20) | st.lists(st.none(), max_size=1)
)
edits = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=3)), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("any") / "store"
    with StoreWriter(root, RECIPE) as writer:
        writer.add("a", torch.ones(3, 2), np.arange(3) / 25, 0.12, root)
    spec = {"backbone": {"name": "tiny", "fingerprint": "abcd"}}
    cutting = {"span_sec": 8.0, "stride_sec": 4.0, "num_frames": 4, "frame_rate": 2.0}
    torch.save(
        {"format": 3, "folder": "/x", "cutting": cutting, "spec": spec, "state": {}, "checksum": 0}, root / INDEX_FILE
    )
    return root


def edited(content: bytes, changes: list[tuple[float, bytes]]) -> bytes:
    """With pieces of it replaced, each at a share of its length."""
    for share, piece in changes:
        place = int(share * len(content))
        content = content[:place] + piece + content[place + len(piece) :]
    return content


def told(place: Path, read: Callable[[], object]) -> None:
    """Whatever is read, or an error that names the place."""
    try:
        read()
    except InputError as error:
        assert str(place) in str(error)  # noqa: PT017 - either is right


@FEW
@given(header=headers, rest=st.binary(max_size=40))
def test_arrays(store: Path, header: str, rest: bytes) -> None:
    path, text = store.parent / "a.npy", header.encode()
    for content in (rest, b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + rest):
        path.write_bytes(content)
        told(path, lambda: open_array(path))


@FEW
@given(
    changes=st.dictionaries(st.sampled_from(["version", "id", *vars(RECIPE), "more"]), values, min_size=1), rest=edits
)
def test_manifests(store: Path, changes: dict[str, object], rest: list[tuple[float, bytes]]) -> None:
    path = store / "manifest.json"
    whole = path.read_bytes()
    try:
        for content in (json.dumps(json.loads(whole) | changes).encode(), edited(whole, rest)):
            path.write_bytes(content)
            told(store, lambda: FeatureStore(store))
    finally:
        path.write_bytes(whole)


@FEW
@given(changes=edits)
def test_shards_whose_checksum_is_right(store: Path, changes: list[tuple[float, bytes]]) -> None:
    (shard,) = store.glob("shard-*")
    path = store.parent / shard.name
    head = shard.read_bytes()[:600]
    path.write_bytes(edited(head, changes) + shard.read_bytes()[600:])
    told(path, lambda: read_shard(path, RECIPE))


@pytest.fixture(scope="module")
def checkpoint(recognition: Run) -> dict[str, Any]:
    return read_checkpoint(recognition.checkpoint)


def places(value: object, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Of all that a mapping holds, at any depth."""
    inner = value.items() if isinstance(value, dict) else ()
    return [place for name, one in inner for place in [(*above, name), *places(one, (*above, name))]]


@settings(FEW, max_examples=30)
@given(data=st.data(), value=values | st.just({}) | st.just(10**400))
def test_what_models_say_of_themselves(
    store: Path, checkpoint: dict[str, Any], data: st.DataObject, value: object
) -> None:
    """The same in a checkpoint and in a folder for the hub."""
    about = copy.deepcopy(checkpoint["prompt_video"])
    *above, name = data.draw(st.sampled_from(places(about)))
    part = about
    for key in above:
        part = part[key]
    assume(not (isinstance(part[name], float) and type(value) is int))  # types are checked to the letter in tests alone
    if value is None:
        del part[name]
    else:
        part[name] = value
    folder = store.parent / "hub"
    folder.mkdir(exist_ok=True)
    save_file(checkpoint["state_dict"], folder / "model.safetensors")
    about = {"kind": KIND, **about, "format": 2 if about.get("format") == CHECKPOINT_FORMAT else about.get("format")}
    (folder / "config.json").write_text(json.dumps(about))
    torch.save({**checkpoint, "prompt_video": about}, store.parent / "any.ckpt")
    for place in (folder, store.parent / "any.ckpt"):
        with contextlib.suppress(InputError):
            load(place)


@FEW
@given(changes=edits)
def test_manifests_of_indexes(store: Path, changes: list[tuple[float, bytes]]) -> None:
    path = store.parent / INDEX_FILE
    path.write_bytes(edited((store / INDEX_FILE).read_bytes(), changes))
    told(path, lambda: read_manifest(store.parent))
