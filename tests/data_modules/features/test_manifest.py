import dataclasses
import json
import os
from pathlib import Path
from typing import Any, Literal

import pytest

from data_modules.errors import InputError
from data_modules.features.shards import read_shard
from data_modules.features.store import FeatureStore, Recipe, StoreWriter, pending
from tests.data_modules.features.small_stores import RECIPE, fill

CHANGES = [
    ("backbone_fingerprint", "ef01", "backbone_fingerprint: the store has abcd, this run asks for ef01"),
    ("dim", 16, "dim: the store has 8, this run asks for 16"),
    ("frame_rate", 12.5, "frame_rate: the store has 25, this run asks for 12.5"),
    ("frame_rate", None, "frame_rate: the store has 25, this run asks for native"),
    ("transform", "none", "transform: the store has resize 32, centre crop, this run asks for none"),
    ("dtype", "float32", "dtype: the store has float16, this run asks for float32"),
]


@pytest.mark.parametrize(("field", "value", "line"), CHANGES)
def test_another_recipe_is_refused_and_the_difference_named(
    tmp_path: Path, video: Path, field: str, value: str | float | None, line: str
) -> None:
    fill(tmp_path, video)
    other = Recipe(**(dataclasses.asdict(RECIPE) | {field: value}))
    assert RECIPE.differences(other) == [line]
    assert RECIPE.key() != other.key()
    for refuse in (FeatureStore, StoreWriter, lambda root, recipe: pending(root, recipe, [])):
        with pytest.raises(InputError) as caught:
            refuse(tmp_path, other)
        assert line in str(caught.value)
        assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("backbone_dtype", ["bfloat16", "float16"])
def test_features_of_half_precision_are_not_taken_for_others(
    tmp_path: Path, video: Path, backbone_dtype: Literal["bfloat16", "float16"]
) -> None:
    half = dataclasses.replace(RECIPE, backbone_dtype=backbone_dtype)
    assert half.key() != RECIPE.key()
    fill(tmp_path / "half", video, recipe=half)
    assert FeatureStore(tmp_path / "half", half).recipe == half
    other = dataclasses.replace(RECIPE, backbone_dtype="float16" if backbone_dtype == "bfloat16" else "bfloat16")
    for asked in (RECIPE, other):
        for refuse in (FeatureStore, StoreWriter, lambda root, recipe: pending(root, recipe, [])):
            with pytest.raises(InputError) as caught:
                refuse(tmp_path / "half", asked)
            line = f"backbone_dtype: the store has {backbone_dtype}, this run asks for {asked.backbone_dtype}"
            assert line in str(caught.value)


def test_features_of_float32_serve_a_run_in_half_precision(tmp_path: Path, video: Path) -> None:
    """None are more exact; but nothing less exact is written among them."""
    fill(tmp_path, video)
    half = dataclasses.replace(RECIPE, backbone_dtype="bfloat16")
    store = FeatureStore(tmp_path, half)
    assert (len(store), store.recipe.backbone_dtype) == (12, "float32")
    with pytest.raises(InputError, match="backbone_dtype: the store has float32, this run asks for bfloat16"):
        StoreWriter(tmp_path, half)


def test_clip_is_known_by_its_weights_not_its_name(tmp_path: Path, video: Path) -> None:
    fill(tmp_path, video)
    renamed = dataclasses.replace(RECIPE, backbone_name="a/copy")
    assert renamed.key() == RECIPE.key()
    assert len(RECIPE.key()) == 8
    assert len(FeatureStore(tmp_path, renamed)) == 12
    other = dataclasses.replace(renamed, backbone_fingerprint="ef01")
    assert [line.partition(":")[0] for line in RECIPE.differences(other)] == ["backbone_name", "backbone_fingerprint"]


def test_a_store_that_says_clip_is_read_and_found(tmp_path: Path, video: Path) -> None:
    """As those of before other models than CLIP could be taken; the name of its folder is as it was."""
    fill(tmp_path, video)
    path = tmp_path / "manifest.json"
    text = path.read_text()
    assert "backbone_name" in text
    path.write_text(text.replace('"backbone_', '"clip_'))
    assert FeatureStore(tmp_path, RECIPE).recipe == RECIPE
    assert RECIPE.key() == "80b29cd3"


def test_what_is_not_a_store_is_refused(tmp_path: Path, video: Path) -> None:
    with pytest.raises(InputError, match="nowhere does not exist"):
        FeatureStore(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"is not a feature store: it has no manifest\.json"):
        FeatureStore(tmp_path)
    fill(tmp_path, video)
    manifest = tmp_path / "manifest.json"
    fields = json.loads(manifest.read_text())
    wrong: list[dict[str, Any]] = [
        {"dim": "8"},
        {"dim": 0},
        {"dim": True},
        {"dtype": "int8"},
        {"backbone_dtype": "int8"},
    ]
    wrong += [{"frame_rate": rate} for rate in (0.0, -1.0, float("nan"), float("inf"), "25", None)]
    wrong += [{"transform": None}, {"backbone_name": 1}, {"more": 1}]
    lacking = [{name: fields[name] for name in fields if name != left_out} for left_out in fields]
    texts = [json.dumps(one) for one in (*(fields | change for change in wrong), *lacking)]
    for text in ("", "{", "[]", "{}", "[" * 100_000, *texts):
        manifest.write_text(text)
        with pytest.raises(InputError, match=r"manifest\.json is damaged"):
            FeatureStore(tmp_path)
    manifest.write_text(json.dumps(fields | {"version": 1, "new": 1}))
    with pytest.raises(InputError, match="has store version 1, this program reads version 2"):
        StoreWriter(tmp_path, RECIPE)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_truncated_shard_is_named(tmp_path: Path, video: Path, share: float) -> None:
    fill(tmp_path, video, max_shard_bytes=200)
    shard = sorted(tmp_path.glob("*.safetensors"))[1]
    os.truncate(shard, int(shard.stat().st_size * share))
    for use in (lambda: FeatureStore(tmp_path), lambda: pending(tmp_path, RECIPE, [("0", video)])):
        with pytest.raises(InputError, match=rf"{shard.name} is damaged .* delete it"):
            use()
    lost = 12 - sum(len(read_shard(path, RECIPE).video_ids) for path in tmp_path.glob("*.safetensors") if path != shard)
    shard.unlink()
    assert len(pending(tmp_path, RECIPE, [(str(number), video) for number in range(12)])) == lost > 0
