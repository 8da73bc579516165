"""Whose features a run reads, and what becomes of files that are none."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_modules import VideoFolder
from data_modules.features.store import FeatureStore
from data_modules.loading.transforms import ResizeCrop
from data_modules.modules.extraction import recipe_of, store_root
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.cli import main
from prompt_video.search.index import VideoIndex

Make = Callable[[Path, int], Path]
FROZEN = ["--model=RecognitionTask", "--model.prompt=TemplatePrompt", "--model.temporal.num_layers=0"]
FROZEN += ["--model.temporal.num_heads=4", "--trainer.accelerator=cpu", "--trainer.devices=1", "--wandb=disabled"]
FROZEN += ["--data=VideoFolder", "--data.num_workers=0", "--data.frame_rate=4", "--quiet=true", "--data.val_fraction=0"]
BAD = ("dangling", "itself", "device", "pipe")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, make_videos: Make) -> Path:
    """Two classes of three videos."""
    return make_videos(tmp_path_factory.mktemp("world"), 3)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., int]:
    """A verb on a folder, with stores and runs of this test."""

    def called(verb: str, root: Path, *options: str) -> int:
        common = [f"--data.root={root}", f"--data.features_root={tmp_path / 'features'}", f"--runs={tmp_path / 'runs'}"]
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        return main([verb, *FROZEN, *common, f"--run_folder={tmp_path / 'run'}", *options])

    return called


def results(tmp_path: Path) -> dict[str, Any]:
    samples: dict[str, Any] = json.loads((tmp_path / "run" / "results.json").read_text())["samples"]
    return samples


def labelled(root: Path, world: Path) -> Path:
    """A copy whose label file names all videos."""
    shutil.copytree(world, root)
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.mp4"))
    rows = [f"{name},{name.split('/')[0]},{'test' if name.endswith('2.mp4') else 'train'}" for name in names]
    (root / "labels.csv").write_text("\n".join(["path,label,split", *rows]) + "\n")
    return root


def test_two_projects_share_no_store_and_what_is_missing_stays_missing(
    tmp_path: Path, world: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (labelled(tmp_path / name / "videos", world) for name in ("first", "second"))
    assert run("features", first, "--data.labels=labels.csv") == 0
    gone = second / "spinning" / "2.mp4"
    whole = gone.read_bytes()
    gone.unlink()
    assert run("fit", second, "--data.labels=labels.csv") == 1
    assert f"{gone} (cannot be opened: there is no such file)" in capsys.readouterr().err
    allowed = ["--data.labels=labels.csv", "--data.max_broken_fraction=0.5"]
    assert run("fit", second, *allowed) == 0
    assert results(tmp_path)["test"] == {"used": 1, "dropped": 1}
    assert "no such file" in (tmp_path / "run" / "broken.jsonl").read_text()
    assert len(list((tmp_path / "features").iterdir())) == 2
    # One that goes after its features were computed is missing too; they are there again when it is.
    gone.write_bytes(whole)
    assert run("features", second, *allowed) == 0
    moved = gone.rename(tmp_path / "elsewhere")
    assert run("fit", second, *allowed) == 0
    assert results(tmp_path)["test"] == {"used": 1, "dropped": 1}
    moved.rename(gone)
    shards = set((tmp_path / "features").rglob("shard-*"))
    assert run("fit", second, *allowed) == 0
    assert results(tmp_path)["test"] == {"used": 2, "dropped": 0}
    assert set((tmp_path / "features").rglob("shard-*")) == shards


def test_a_store_belongs_to_one_root_however_it_is_written(
    tmp_path: Path, backbone: FrozenBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def store_of(root: str) -> Path:
        data = VideoFolder(Path(root))
        return store_root(backbone, data, recipe_of(backbone, data, data.crops[0]))

    stores = []
    for name in ("one", "other"):
        (tmp_path / name / "videos").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / name / "videos")
        spellings = {store_of(root) for root in (".", "../videos", str(tmp_path / name / "videos"), "./")}
        assert len(spellings) == 1
        stores.append(spellings.pop())
        assert stores[-1].name.startswith("videos-")
    assert stores[0] != stores[1]


def test_all_of_a_clip_that_changes_features_is_in_the_recipe(tmp_path: Path, clip_folder: Path) -> None:
    data = VideoFolder(tmp_path, preprocessing=ResizeCrop(16))
    plain = FrozenBackbone(str(clip_folder))
    recipes = [recipe_of(plain, data, data.crops[0])]
    changes: list[dict[str, Any]] = [{"hidden_act": "gelu"}, {"num_attention_heads": 2}, {"layer_norm_eps": 1e-3}]
    for number, change in enumerate([*changes, {"image_mean": [0.5, 0.5, 0.5]}, {"image_std": [0.5, 0.5, 0.5]}]):
        folder = shutil.copytree(clip_folder, tmp_path / str(number))
        name = "preprocessor_config.json" if "image" in next(iter(change)) else "config.json"
        fields = json.loads((folder / name).read_text()) if (folder / name).exists() else {}
        inner = fields.setdefault("vision_config", {}) if name == "config.json" else fields
        inner.update(change)
        (folder / name).write_text(json.dumps(fields))
        other = FrozenBackbone(str(folder))
        assert other.fingerprint == plain.fingerprint
        recipes.append(recipe_of(other, data, data.crops[0]))
    recipes.append(recipe_of(FrozenBackbone(str(clip_folder), "bfloat16"), data, data.crops[0]))
    assert len({recipe.key() for recipe in recipes}) == len(recipes)


def test_a_test_needs_the_features_of_what_it_tests_alone(tmp_path: Path, world: Path, run: Callable[..., int]) -> None:
    root = labelled(tmp_path / "videos", world)
    assert run("test", root, "--data.labels=labels.csv") == 0
    assert results(tmp_path) == {"test": {"used": 2, "dropped": 0}}
    (store,) = (tmp_path / "features").iterdir()
    assert FeatureStore(store).video_ids == ["moving_left/2.mp4", "spinning/2.mp4"]
    assert run("test", root, "--data.labels=labels.csv", f"--data.features={store}") == 0
    assert run("fit", root, "--data.labels=labels.csv", f"--data.features={store}") == 1


def test_other_files_than_a_named_store_was_made_of_are_told(
    tmp_path: Path, world: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    root = labelled(tmp_path / "videos", world)
    assert run("features", root, "--data.labels=labels.csv") == 0
    (store,) = (tmp_path / "features").iterdir()
    (root / "spinning" / "0.mp4").write_bytes(b"another")
    capsys.readouterr()
    assert run("fit", root, "--data.labels=labels.csv", f"--data.features={store}") == 0
    assert "1 videos are not the files that the features in" in capsys.readouterr().out


@pytest.fixture
def hostile(tmp_path: Path, world: Path) -> Path:
    """Videos, and among them what is no file at all."""
    root = Path(shutil.copytree(world, tmp_path / "videos"))
    place = root / "spinning"
    (place / "dangling.mp4").symlink_to(tmp_path / "nowhere")
    (place / "itself.mp4").symlink_to("itself.mp4")
    (place / "device.mp4").symlink_to("/dev/zero")
    os.mkfifo(place / "pipe.mp4")
    (place / "folder.mp4").mkdir()
    return root


@pytest.mark.parametrize("verb", ["label", "segment"])
def test_one_bad_file_is_named_and_the_others_go_on(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    place = hostile / "spinning"
    named = [str(place / f"{name}.mp4") for name in (*BAD, "0")]
    for given in ([str(place)], named):
        assert main([verb, *given, "--classes=a star, a square", "--device=cpu", f"--csv={tmp_path / 'out.csv'}"]) == 1
        said = capsys.readouterr()
        for name, reason in zip(BAD, ("a link to nothing", "Too many levels", "a device", "a pipe"), strict=True):
            assert f"{name}.mp4: cannot be opened: {reason}" in said.out
        assert "0.mp4" in (tmp_path / "out.csv").read_text()
    assert "folder.mp4" not in said.out


def test_the_index_names_bad_files_and_takes_out_what_became_one(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = ["index", *FROZEN[:4], "--trainer.accelerator=cpu", "--data=VideoFolder", "--data.root=none", "--frozen"]
    index += ["--quiet", "--num_workers=0", str(hostile), f"--out={tmp_path / 'index'}"]
    assert main(index) == 0
    said = capsys.readouterr().out
    assert "4 files are broken and left out" in said
    assert "1 folders called as a video is" in said
    assert VideoIndex(tmp_path / "index").num_videos == 6
    (hostile / "spinning" / "0.mp4").unlink()
    (hostile / "spinning" / "0.mp4").symlink_to(tmp_path / "nowhere")
    assert main(index) == 0
    assert "1 no longer there and taken out, the first being spinning/0.mp4" in capsys.readouterr().out
    assert VideoIndex(tmp_path / "index").num_videos == 5


def test_doctor_and_fit_name_bad_files(
    hostile: Path, tmp_path: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("fit", hostile, "--data.max_broken_fraction=0.9") == 0
    lost = [json.loads(line) for line in (tmp_path / "run" / "broken.jsonl").read_text().splitlines()]
    assert {Path(one["path"]).stem for one in lost} == set(BAD)
    options = [
        *FROZEN,
        f"--data.root={hostile}",
        "--data.features=off",
        "--num_workers=0",
        f"--out={tmp_path / 'd.json'}",
    ]
    assert main(["doctor", *options]) == 1
    videos = json.loads((tmp_path / "d.json").read_text())["videos"]
    assert not videos["broken"]
    assert {Path(one["video_id"]).stem: one["reason"].split(",")[0] for one in videos["missing"]} == {
        "dangling": "a link to nothing",
        "itself": "Too many levels of symbolic links",
        "device": "a device",
        "pipe": "a pipe",
    }
