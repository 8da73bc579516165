"""The doctor on folders and trials with known faults."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from data_modules.batch import Record
from data_modules.protocols import BaseToNovel, ClosedSet, CrossDataset, OpenSet
from data_modules.protocols.trial import Subset, Trial
from prompt_video.cli import main
from prompt_video.preflight import checks
from prompt_video.preflight.check_results import CheckResult, count
from prompt_video.preflight.probes import Probe, lost_share, probe_video, probe_videos, some_of_each_class

FOLDER = Path(__file__).parents[3] / "experiments" / "folder_closed.yaml"
LONG = " ".join("abcdefghijklmnopqrstuvwxyz" * 2)  # a token a letter


def part(names: Sequence[str], *videos: tuple[str, int]) -> Subset:
    return Subset(tuple(names), tuple(Record(video_id, Path(video_id), target) for video_id, target in videos))


def trial(train: Subset, name: str = "first", val: Subset | None = None, **tests: Subset) -> Trial:
    return Trial(name, train, tests, val)


def verdict(result: CheckResult | None) -> tuple[str, list[str]]:
    assert result is not None
    return result.verdict, list(result.examples)


AB = ("a", "b")
GOOD = trial(part(AB, ("1", 0), ("2", 1)), test=part(AB, ("3", 0), ("4", 1)))


def test_good_trials_are_good() -> None:
    results = [
        checks.check_labels([GOOD]),
        checks.check_training_classes([GOOD], learns=True),
        checks.check_test_classes([GOOD], {}),
        checks.check_unique_names([GOOD]),
        checks.check_repeats([GOOD], {}),
        checks.check_overlap([GOOD], {}, {}),
    ]
    assert {result.verdict for result in results} == {"ok"}
    assert checks.check_unseen(ClosedSet(), [GOOD]) is None


def test_labels_outside_of_the_class_list() -> None:
    wrong = trial(part(AB, ("1", 2), ("2", -1)), test=part(AB, ("3", 0)))
    examples = ["train: 1 has label 2 of 2 classes", "train: 2 has label -1 of 2 classes"]
    assert verdict(checks.check_labels([wrong])) == ("error", examples)


def test_classes_without_videos() -> None:
    lonely = trial(part(AB, ("1", 0)), name="x", test=part(AB, ("3", 1)))
    assert verdict(checks.check_training_classes([lonely], learns=True)) == ("warning", ["b"])
    assert verdict(checks.check_training_classes([lonely, GOOD], learns=True)) == ("warning", ["x: b"])
    assert verdict(checks.check_test_classes([lonely], {})) == ("warning", ["a"])
    bare = trial(part(AB), test=part(AB))
    assert checks.check_training_classes([bare], learns=True).verdict == "error"
    assert checks.check_training_classes([bare], learns=False).verdict == "note"
    assert checks.check_test_classes([bare], {}).verdict == "error"


def test_a_class_may_be_tested_in_any_test_of_its_data_set() -> None:
    both = trial(part(AB, ("1", 0), ("2", 1)), base_all=part(AB, ("3", 0)), novel_all=part(AB, ("4", 1)))
    assert checks.check_test_classes([both], {}).verdict == "ok"
    apart = checks.check_test_classes([both], {"base_all": "one", "novel_all": "other"})
    assert verdict(apart) == ("warning", ["a", "b"]) or verdict(apart) == ("warning", ["b", "a"])


def test_names_that_clip_reads_alike() -> None:
    names = ("Ride  a horse", "ride a horse", "walk")
    result = checks.check_unique_names([trial(part(names), test=part(names)), GOOD])
    assert verdict(result) == ("error", ["'Ride  a horse' = 'ride a horse'"])


def test_repeated_videos_by_id_and_by_file() -> None:
    twice = trial(part(AB, ("1", 0), ("1", 1), ("2", 1)), test=part(AB, ("3", 0), ("4", 1)))
    assert verdict(checks.check_repeats([twice], {})) == ("error", ["train: 1"])
    linked = checks.check_repeats([GOOD], {Path("3"): "file", Path("4"): "file"})
    assert verdict(linked) == (
        "error",
        ["test: 3 is the same file as another", "test: 4 is the same file as another"],
    )


def test_overlap_of_parts() -> None:
    leak = trial(part(AB, ("1", 0), ("2", 1)), val=part(AB, ("4", 1)), test=part(AB, ("2", 0), ("4", 1)))
    assert verdict(checks.check_overlap([leak], {}, {})) == ("error", ["2 in train and test", "4 in val and test"])
    mild = trial(part(AB, ("1", 0), ("2", 1)), val=part(AB, ("1", 0)), test=part(AB, ("3", 0)))
    assert verdict(checks.check_overlap([mild], {}, {})) == ("warning", ["1 in train and val"])
    # In another data set the same id may be another video; the same file is the same video.
    other = trial(part(AB, ("1", 0)), elsewhere=part(AB, ("1", 0)))
    dataset_names = {"train": "one", "elsewhere": "other"}
    elsewhere = Subset(AB, (Record("1", Path("other/1"), 0),))
    assert checks.check_overlap([trial(other.train, elsewhere=elsewhere)], dataset_names, {}).verdict == "warning"
    assert checks.check_overlap([other], dataset_names, {}).verdict == "error"
    assert checks.check_overlap([GOOD], {}, {Path("1"): 0, Path("3"): 0}).verdict == "error"


def test_unseen_classes_must_be_unseen() -> None:
    seen = trial(part(("walk", "run")), test=part(("Run", "jump")))
    assert verdict(checks.check_unseen(OpenSet(), [seen])) == ("error", ["Run"])
    assert verdict(checks.check_unseen(CrossDataset(), [seen])) == ("note", ["Run"])
    halves = trial(part(("walk", "run")), base=part(("walk", "run")), novel=part(("jump",)))
    assert verdict(checks.check_unseen(BaseToNovel(), [halves])) == ("ok", [])


def test_sizes() -> None:
    assert (
        checks.check_sizes({"train": 10, "test": 5}, {"train": 10, "test": 5}).summary
        == "10 train, 5 test, as published"
    )
    assert verdict(checks.check_sizes({"train": 10}, {"train": 11})) == ("warning", ["train: 10 listed, 11 published"])
    assert checks.check_sizes({"train": 10}, {}).verdict == "note"


def test_a_look_at_a_video(videos: Path, tmp_path: Path) -> None:
    whole = probe_video(videos / "bear_vp9.webm")
    assert whole.problem is None
    assert whole.num_frames > 1
    assert whole.duration_sec > 0
    assert probe_video(videos / "corrupt_vp9.webm").problem == "broken"
    assert "no video stream" in probe_video(videos / "audio_only.mp4").reason
    assert probe_video(tmp_path / "none.mp4").problem == "missing"
    os.mkfifo(tmp_path / "pipe.mp4")  # which nobody writes to
    assert [probe_video(path).reason for path in (tmp_path, tmp_path / "pipe.mp4", Path("/dev/zero"))] == [
        "a folder, not a file",
        "a pipe, not a file",
        "a device, not a file",
    ]


def test_looks_come_in_order_from_several_processes(videos: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.mp4" for number in range(40)]
    paths[20] = videos / "bear_vp9.webm"
    probed = list(probe_videos(paths, workers=2))
    assert [probe.path for probe in probed] == paths
    assert [probe.problem for probe in probed] == ["missing"] * 20 + [None] + ["missing"] * 19


def test_the_share_that_would_be_lost() -> None:
    records = [Record(str(number), Path(str(number)), 0) for number in range(10)]
    probes = {record.path: Probe(record.path) for record in records}
    probes[Path("0")] = Probe(Path("0"), problem="missing")
    probes[Path("1")] = Probe(Path("1"), problem="broken")
    probes[Path("2")] = Probe(Path("2"), num_frames=3)
    # One of the two that were opened is broken, and so half of the nine that are there.
    assert lost_share(records, probes, set()) == pytest.approx(0.1 + 0.9 / 2)
    assert lost_share(records, probes, {Path("0"), Path("1")}) == 0


def test_a_sample_is_spread_over_each_class() -> None:
    records = [Record(str(number), Path(f"{number:02d}"), number // 10) for number in range(12)]
    assert [str(path) for path in some_of_each_class([records], 2)] == ["02", "07", "10", "11"]
    assert len(some_of_each_class([records, records], 99)) == 12


def test_counts() -> None:
    assert [count(1, "class"), count(1234, "class"), count(2, "class name")] == [
        "1 class",
        "1,234 classes",
        "2 class names",
    ]


@pytest.fixture
def root(tmp_path: Path, make_videos: Callable[[Path, int], Path]) -> Path:
    """Two classes of six videos, divided by hand."""
    made = make_videos(tmp_path / "made", 6)
    for folder in made.iterdir():
        for number, file in enumerate(sorted(folder.iterdir())):
            split = "train" if number < 4 else "test"
            target = tmp_path / "videos" / split / folder.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target)
    return tmp_path / "videos"


@pytest.fixture
def doctor(tmp_path: Path, root: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run it through the command line; gives the exit code and what the JSON file says."""

    def run(*options: str, backbone: str = "tiny") -> tuple[int, dict[str, Any]]:
        out = tmp_path / "report.json"
        common = [
            f"--config={FOLDER}",
            f"--data.root={root}",
            f"--model.backbone={backbone}",
            f"--out={out}",
            "--quiet=true",
        ]
        code = main(["doctor", *common, f"--data.features_root={tmp_path / 'features'}", "--num_workers=0", *options])
        report: dict[str, Any] = json.loads(out.read_text())
        return code, report

    return run


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {check["check"]: check["verdict"] for check in report["checks"]}


def check(report: dict[str, Any], name: str) -> dict[str, Any]:
    (entry,) = [check for check in report["checks"] if check["check"] == name]
    return dict(entry)


def test_a_sound_folder(doctor: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    code, report = doctor()
    assert code == 0
    assert report["verdict"] == "note"  # a folder has no published sizes
    assert {name for name, verdict in verdicts(report).items() if verdict != "ok"} == {"split sizes"}
    assert report["videos"]["parts"] == {"train": 8, "test": 4}
    assert report["videos"]["decoded"] == report["videos"]["files"] == 12
    # 12 videos of 32 frames of 128 halves, each with its time; a row of four numbers and the id for each video.
    assert "features of 12 videos take about 102 kB" in check(report, "disk space")["summary"]
    assert "nothing is in the way" in capsys.readouterr().out


def test_every_fault_of_a_folder(
    doctor: Callable[..., Any], root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    left, spinning = root / "train" / "moving_left", root / "train" / "spinning"
    # A link to nothing is listed, and cannot be opened.
    (left / "9.mp4").symlink_to(root / "nowhere.mp4")
    whole = (spinning / "0.mp4").read_bytes()
    (spinning / "0.mp4").write_bytes(whole[: len(whole) // 2])
    (root / "test" / "spinning" / "again.mp4").symlink_to(spinning / "1.mp4")
    for name in (LONG, "Spinning"):
        (root / "train" / name).mkdir()
        os.rename(left / f"{len(name) % 3}.mp4", root / "train" / name / "0.mp4")  # noqa: PTH104
    code, report = doctor()
    assert code == 1
    assert report["verdict"] == "error"
    assert verdicts(report) == {
        "protocol": "ok",
        "labels": "ok",
        "duplicate names": "error",
        "training classes": "note",
        "test classes": "warning",
        "repeated videos": "ok",
        "overlap": "error",
        "split sizes": "note",
        "name lengths": "error",
        "video files": "error",
        "broken videos": "error",
        "feature store": "ok",
        "disk space": "ok",
    }
    assert "--data.max_broken_fraction=" in check(report, "broken videos")["summary"]
    assert check(report, "duplicate names")["examples"] == ["'Spinning' = 'spinning'"]
    assert check(report, "name lengths")["examples"] == [f"'{LONG}' has 52 tokens"]
    assert "43 tokens beside 16 + 16 learned vectors" in check(report, "name lengths")["summary"]
    assert check(report, "overlap")["examples"] == ["test/spinning/again.mp4 in train and test"]
    assert [video["video_id"] for video in report["videos"]["missing"]] == ["train/moving_left/9.mp4"]
    (broken,) = report["videos"]["broken"]
    assert (broken["video_id"], broken["parts"]) == ("train/spinning/0.mp4", ["train"])
    assert broken["reason"]
    out = capsys.readouterr().out
    examples = [line for line in out.splitlines() if line.startswith("  · ")]
    assert f"  · '{LONG}' has 52 tokens" in examples  # whole, to be copied
    table = [line for line in out.splitlines() if line not in examples and "report.json" not in line]
    assert max(len(line) for line in table if str(root) not in line) <= 80
    assert "1 of the videos are in two classes or splits by links" in out
    assert "5 errors, 1 warning" in out


def test_losses_below_the_limit_are_a_warning(doctor: Callable[..., Any], root: Path) -> None:
    (root / "train" / "spinning" / "9.mp4").write_bytes(b"no video")
    code, report = doctor("--data.max_broken_fraction=0.2")
    assert code == 0
    assert check(report, "broken videos")["verdict"] == "warning"
    assert check(report, "broken videos")["summary"] == "cannot be decoded: 1 of 9 train videos (11.1%)"
    _, report = doctor()
    way_out = (
        "a run may lose 1.0% of a part: fetch them once more, or do without them, with --data.max_broken_fraction="
    )
    assert check(report, "broken videos")["summary"].endswith(f"(11.1%), and {way_out}0.12")
    code, report = doctor("--data.max_broken_fraction=0.2", "--decode=none")
    assert code == 0
    assert check(report, "broken videos")["summary"] == "not checked: no video was decoded"
    assert report["videos"]["decoded"] == 0
    _, report = doctor("--decode=sample", "--samples=1")
    assert report["videos"]["decoded"] == 4


def test_a_named_store_makes_a_missing_file_good(doctor: Callable[..., Any], root: Path, tmp_path: Path) -> None:
    common = [f"--config={FOLDER}", f"--data.root={root}", "--model.backbone=tiny", "--quiet=true", "--wandb=disabled"]
    common += [f"--data.features_root={tmp_path / 'features'}", f"--runs={tmp_path / 'runs'}", "--data.num_workers=0"]
    assert main(["features", *common, "--trainer.accelerator=cpu", "--trainer.devices=1"]) == 0
    code, report = doctor()
    assert code == 0
    assert check(report, "feature store")["summary"] == "features of 12 of 12 videos are computed already"
    assert check(report, "disk space")["summary"] == "nothing is to be stored"
    # A folder lists its files itself, so one that is gone stays in the list as a link to nothing.
    file = root / "train" / "spinning" / "0.mp4"
    file.unlink()
    file.symlink_to(root / "nowhere.mp4")
    code, report = doctor()
    assert code == 1
    assert check(report, "video files")["summary"].startswith("missing: 1 of 8 train videos (12.5%), and")
    assert check(report, "feature store")["summary"] == "features of 11 of 12 videos are computed already"
    # A store that is named may outlive its videos.
    (store,) = (tmp_path / "features").iterdir()
    code, report = doctor(f"--data.features={store}")
    assert code == 0
    assert check(report, "video files")["summary"] == "1 file missing, but their features are stored"
    code, report = doctor(f"--data.features={store}", "--data.frame_rate=3")
    assert code == 1
    assert "frame_rate" in check(report, "feature store")["summary"]
    (shard, *_) = store.glob("shard-*")
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    code, report = doctor(f"--data.features={store}")
    assert code == 1
    assert "is damaged (its checksum differs" in check(report, "feature store")["summary"]


def test_without_clip_everything_else_is_checked(doctor: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, report = doctor(backbone=str(tmp_path / "empty"))
    assert code == 0
    lengths = check(report, "name lengths")
    assert lengths["verdict"] == "warning"
    assert lengths["summary"].startswith("not checked: cannot load backbone")
    assert check(report, "broken videos")["verdict"] == "ok"
    assert "with 512 numbers a frame" in check(report, "disk space")["summary"]


def test_a_model_that_cannot_be_built_is_an_error(doctor: Callable[..., Any]) -> None:
    code, report = doctor("--model.prompt.num_prefix=99")
    assert code == 1
    assert "leave no room for a text" in check(report, "model")["summary"]
    assert check(report, "labels")["verdict"] == "ok"


def test_data_that_cannot_be_read_is_an_error(doctor: Callable[..., Any], tmp_path: Path) -> None:
    code, report = doctor(f"--data.root={tmp_path / 'nowhere'}")
    assert code == 1
    assert "there is no folder" in check(report, "data")["summary"]


def test_mistakes_in_options_are_said_as_ever(doctor: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    for options in (["--data.samplr.num_frames=3"], ["--data.batch_size=0"], ["--samples=0"]):
        assert main(["doctor", f"--config={FOLDER}", "--model.backbone=tiny", "--data.root=x", *options]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert "did you mean 'sampler'?" in errors[0]
    assert "--data.batch_size is 0: more than 0 is wanted" in errors[1]
    assert "--samples must be 1 or more" in errors[2]
