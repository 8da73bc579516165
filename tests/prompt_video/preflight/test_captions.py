"""The doctor on captioned videos: what it says of captions, and that checks of classes keep silent."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from data_modules.annotations.captions import CaptionTally
from data_modules.batch import CaptionedRecord
from data_modules.protocols.trial import Subset, Trial
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import TextShape
from prompt_video.cli import main
from prompt_video.model.prompt import PromptLearner, TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.preflight import checks
from prompt_video.preflight.captions import check_captions, check_lengths, check_shared
from prompt_video.preflight.check_results import CheckResult
from prompt_video.preflight.probes import some_of_each_class

LONG = " ".join("abcdefghijklmnopqrstuvwxyz" * 2)  # a token a letter


def part(**captions: Sequence[str]) -> Subset:
    return Subset((), tuple(CaptionedRecord(i, Path(i), captions=tuple(own)) for i, own in captions.items()))


def trial(train: Subset, name: str = "one", val: Subset | None = None, **tests: Subset) -> Trial:
    return Trial(name, train, tests, val)


def captions_of(one: Trial, tally: CaptionTally | None = None, learns: bool = True) -> CheckResult:
    parts = {name: part.records for name, part in one.subsets.items()}
    return check_captions([one], parts, tally or CaptionTally(), learns)


def verdict(result: CheckResult) -> tuple[str, str, list[str]]:
    return result.verdict, result.summary, list(result.examples)


GOOD = trial(part(a=["one", "two"], b=["three", "four"]), test=part(c=["five"], d=["six", "seven", "eight"], e=["9"]))


def test_sizes_in_words() -> None:
    said = "train: 2 videos with 4 captions, 2 each; test: 3 videos with 5 captions, 1 to 3 each, median 1"
    assert verdict(captions_of(GOOD)) == ("ok", said, [])
    tally = CaptionTally(empty=["x"], repeated=["y"], bare=["x"])
    told = captions_of(GOOD, tally)
    assert told.verdict == "warning"
    assert told.summary.startswith(f"{said}; left out: 1 empty caption")
    assert told.examples == ["x: an empty caption", "y: a caption that it has already", "x: no caption at all"]


def test_parts_without_videos() -> None:
    empty = trial(part(), test=part(c=["five"]))
    assert captions_of(empty).verdict == "error"
    said = "train: no videos; test: 1 video with 1 caption, 1 each"
    assert verdict(captions_of(empty, learns=False)) == ("ok", said, [])
    untested = trial(part(a=["one"]), test=part())
    assert verdict(captions_of(untested)) == ("error", "the test 'test' has no videos", [])


def test_captions_that_are_read_alike() -> None:
    assert check_shared([GOOD]).verdict == "ok"
    one = trial(
        part(a=["A man  sings", "a man sings"], b=["a MAN sings"], c=["x"], d=["x"], e=["x"], f=["x"]),
        val=part(v=["x", "z"], w=["z"]),
        test=part(t=["a man sings", "y", "Y"], u=["z"]),
    )
    assert verdict(check_shared([one])) == (
        "note",
        "2 captions of several train videos, which they do not tell apart; 1 caption of several val videos, which they "
        "do not tell apart; 1 test caption also in training",
        [
            "train: 'a man sings' of a, b",
            "train: 'x' of c, d, e and 1 more",
            "val: 'z' of v, w",
            "test and train: 'a man sings' of t",
        ],
    )
    several = check_shared([GOOD, trial(one.train, name="other", test=part(t=["x"]))])
    assert "other: 1 test caption also in training" in several.summary


def model(backbone: FrozenBackbone, **options: Any) -> VideoTextModel:  # noqa: ANN401
    def prompt(shape: TextShape) -> PromptLearner:
        return PromptLearner(shape, **options)

    return VideoTextModel(backbone, prompt, lambda dim: TemporalEncoder(dim, num_layers=1, num_heads=1))


def test_captions_that_are_cut(backbone: FrozenBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    some = {f"v{number}": [f"v {number}"] for number in range(97)}
    few = {"train": part(**some, a=[LONG], b=[LONG, "b"]).records, "test": part(c=["c"]).records}
    told = check_lengths(model(backbone, too_long="truncate"), few)
    assert verdict(told) == (
        "note",
        "longer than the 43 tokens beside 16 + 16 learned vectors: 2 of 100 train captions (2.00%); cut off",
        [f"train: 52 tokens, '{LONG}'"],
    )
    many = {"train": part(a=["a"]).records, "test": part(b=["b", LONG]).records}
    assert check_lengths(model(backbone, too_long="truncate"), many).verdict == "warning"
    refused = check_lengths(model(backbone), many)
    assert refused.verdict == "error"
    assert refused.summary.endswith(
        "1 of 2 test captions (50.00%); set too_long of the prompt to 'truncate' to cut them"
    )
    # With fewer learned vectors there is room for all, and the frozen CLIP has room for more.
    short = check_lengths(model(backbone, num_prefix=4, num_suffix=4), many)
    said = "the longest has 52 tokens, and there is room for 67 beside 4 + 4 learned vectors"
    assert verdict(short) == ("ok", said, [])
    longer = {"test": part(b=[LONG + " " + LONG]).records}
    frozen = VideoTextModel(backbone, TemplatePrompt, lambda dim: TemporalEncoder(dim, num_layers=1, num_heads=1))
    assert check_lengths(frozen, longer).verdict == "error"
    assert "75 tokens in the templates: 1 of 1 test caption (100.00%)" in check_lengths(frozen, longer).summary

    asked: list[str] = []
    tokenize = FrozenBackbone.tokenize

    def count(self: FrozenBackbone, texts: Sequence[str]) -> list[list[int]]:
        asked.extend(texts)
        return tokenize(self, texts)

    monkeypatch.setattr(FrozenBackbone, "tokenize", count)
    check_lengths(model(backbone, too_long="truncate"), few)
    assert max(asked.count(text) for text in asked) <= 2


def test_a_sample_of_videos_without_classes() -> None:
    records = part(**{f"v{number:02d}": ["x"] for number in range(10)}).records
    assert [str(path) for path in some_of_each_class([records, records], 2)] == ["v02", "v07"]


def test_repeats_and_overlap_are_found_among_captioned_videos() -> None:
    leak = trial(part(a=["x"], b=["y"]), test=part(b=["z"], c=["w"]))
    assert checks.check_overlap([leak], {}, {}).examples == ["b in train and test"]
    assert checks.check_repeats([leak], {Path("a"): 1, Path("b"): 1}).verdict == "error"


CONFIG = """
trainer: {parts}/trainer.yaml
data:
  class_path: CaptionedFolder
  init_args: {{root: {root}, val_fraction: 0.0, max_broken_fraction: 0.3, features_root: {root}/features}}
model: RecognitionTask
method: prompts_temporal
backbone: vit_b16
"""


@pytest.fixture
def doctor(tmp_path: Path, make_videos: Callable[[Path, int], Path]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run it through the command line on 12 videos; gives the exit code and what the JSON file says."""
    root = make_videos(tmp_path / "videos", 6)
    parts = Path(__file__).parents[3] / "experiments" / "parts"
    config = tmp_path / "captioned.yaml"
    config.write_text(CONFIG.format(parts=parts, root=root))

    def run(*rows: str, options: Sequence[str] = (), backbone: str = "tiny") -> tuple[int, dict[str, Any]]:
        (root / "captions.csv").write_text("\n".join(["video,caption,split", *rows]))
        out = tmp_path / "report.json"
        common = [
            f"--config={config}",
            f"--model.backbone={backbone}",
            f"--out={out}",
            "--quiet=true",
            "--num_workers=0",
        ]
        code = main(["doctor", *common, *options])
        report: dict[str, Any] = json.loads(out.read_text())
        return code, report

    return run


ROWS = [
    f"{folder}/{number},{folder} {text} {number},{'train' if number < 4 else 'test'}"
    for folder in ("moving_left", "spinning")
    for number in range(6)
    for text in ("one", "two")
]


def results(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {check["check"]: (check["verdict"], check["summary"]) for check in report["checks"]}


def test_sound_captions(doctor: Callable[..., Any]) -> None:
    code, report = doctor(*ROWS)
    assert code == 0
    checks = results(report)
    assert list(checks) == [
        "protocol",
        "captions",
        "shared captions",
        "repeated videos",
        "overlap",
        "split sizes",
        "video files",
        "broken videos",
        "caption lengths",
        "feature store",
        "disk space",
    ]
    assert {name for name, (verdict, _) in checks.items() if verdict != "ok"} == {"split sizes"}
    assert checks["captions"][1] == "train: 8 videos with 16 captions, 2 each; test: 4 videos with 8 captions, 2 each"
    assert (report["videos"]["decoded"], report["videos"]["files"]) == (12, 12)
    _, report = doctor(*ROWS, options=["--decode=sample", "--samples=2"])
    assert report["videos"]["decoded"] == 4


def test_faults_of_captions(doctor: Callable[..., Any], tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    (videos / "again.mp4").symlink_to(videos / "spinning" / "0.mp4")
    (videos / "spinning" / "1.mp4").write_bytes(b"no video")
    rows = [
        *ROWS,
        f"spinning/0,{LONG},train",
        "spinning/0,,train",
        "spinning/1,SPINNING one 0,train",
        "again,Spinning One 0,test",
        "gone,x,train",
    ]
    code, report = doctor(*rows, options=["--model.prompt.too_long=truncate"])
    assert code == 1
    checks = results(report)
    assert {name: verdict for name, (verdict, _) in checks.items() if verdict != "ok"} == {
        "captions": "warning",
        "shared captions": "note",
        "overlap": "error",
        "split sizes": "note",
        "caption lengths": "warning",
        "video files": "warning",
        "broken videos": "warning",
    }
    assert "; left out: 1 empty caption" in checks["captions"][1]
    assert "1 test caption also in training" in checks["shared captions"][1]
    assert "1 of 19 train captions (5.26%); cut off" in checks["caption lengths"][1]
    assert [video["video_id"] for video in report["videos"]["missing"]] == ["gone"]


def test_without_clip_captions_are_not_measured(doctor: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, report = doctor(*ROWS, backbone=str(tmp_path / "empty"))
    checks = results(report)
    assert code == 0
    assert "name lengths" not in checks
    assert checks["caption lengths"][0] == "warning"
    assert checks["caption lengths"][1].startswith("not checked: cannot load backbone")


def test_captions_that_cannot_be_read_are_an_error(doctor: Callable[..., Any]) -> None:
    code, report = doctor("a,b")
    assert code == 1
    assert "captions.csv, line 2: 2 columns where the header has 3" in results(report)["data"][1]
    code, report = doctor("elsewhere,b,train", "elsewhere2,b,test")
    assert code == 1
    assert "none of the 2 videos" in results(report)["data"][1]
