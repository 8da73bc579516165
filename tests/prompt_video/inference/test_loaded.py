"""What `load` gives, held against what the run itself finds in the same videos."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest
import torch

import prompt_video
from data_modules.errors import BrokenVideoError, InputError
from prompt_video.cli import main
from prompt_video.inference.results import VideoSegments
from prompt_video.model.checkpoints import CHECKPOINT_FORMAT, read_checkpoint


class Run(Protocol):
    """What the fixtures of tasks train."""

    folder: Path
    root: Path

    @property
    def checkpoint(self) -> Path: ...

    def again(self, verb: str, folder: Path) -> None: ...


def test_scores_are_those_of_the_run(recognition: Run, tmp_path: Path) -> None:
    recognition.again("predict", tmp_path / "again")
    rows = json.loads((tmp_path / "again" / "predictions.json").read_text())["predictions"]
    model = prompt_video.load(recognition.checkpoint)
    assert model.task == "recognition"
    assert model.class_names == ["moving left", "spinning"]
    assert len(rows) == 4
    for row in rows:
        found = model.score(recognition.root / row["video"], model.class_names)
        scores = {one["class"]: one["probability"] for one in row["best"]}
        assert {one.text: one.probability for one in found.best()} == pytest.approx(scores, abs=1e-5)
        assert found.probability.sum().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("part", "times"), [("prompt", 1e30), ("temporal", torch.inf)])
def test_weights_too_large_to_score_with_are_told(recognition: Run, part: str, times: float) -> None:
    model = prompt_video.load(recognition.checkpoint)
    with torch.inference_mode():
        for weight in getattr(model.model, part).parameters():
            weight.mul_(times)
    video, names = min(recognition.root.rglob("*.mp4")), ["moving left", "spinning"]
    for look in (model.score, model.similarity, model.segments):
        with pytest.raises(InputError, match="not finite"):
            look(video, names)
    with pytest.raises(InputError, match="not finite"):
        model.embed_video(video) if part == "temporal" else model.embed_text(names)


def test_segments_are_those_of_the_run(localization: Run, tmp_path: Path) -> None:
    localization.again("predict", tmp_path / "again")
    (path,) = (tmp_path / "again").rglob("clip_only/*.json")
    results = json.loads(path.read_text())["results"]
    model = prompt_video.load(localization.checkpoint)
    assert model.has_detector
    assert model.task == "localization"
    names = model.class_names
    for video_id, expected in results.items():
        found = model.segments(localization.root / video_id, names)
        assert found.method == "detector"
        assert len(found.segments) == len(expected)
        for mine, theirs in zip(found.segments, expected, strict=True):
            # The run reads stored features, which have half the precision.
            assert mine.score == pytest.approx(theirs["score"], abs=5e-3)
        best, other = found.segments[0], max(expected, key=lambda one: one["score"])
        assert best.label == other["label"]
        assert [best.start_sec, best.end_sec] == pytest.approx(other["segment"], abs=0.05)


@pytest.mark.parametrize("number", [500, pytest.param(2_000, marks=pytest.mark.slow)])
def test_thousands_of_texts_change_nothing_but_the_company(localization: Run, number: int) -> None:
    model = prompt_video.load(localization.checkpoint)
    (video, *_) = sorted(localization.root.rglob("*.mp4"))
    texts = [*model.class_names, *(f"thing number {n}" for n in range(number))]
    found = model.segments(video, texts, max_segments=50)
    assert found.segments
    assert len(found.segments) <= 50
    assert list(found.segments) == sorted(found.segments, key=lambda one: -one.score)


def test_two_checkpoints_share_one_clip(recognition: Run, localization: Run) -> None:
    one, other = prompt_video.load(recognition.checkpoint), prompt_video.load(localization.checkpoint)
    assert one.model.backbone.towers is other.model.backbone.towers
    assert one.model.prompt is not other.model.prompt


def test_the_checkpoint_says_what_was_looked_at(recognition: Run, localization: Run) -> None:
    task = read_checkpoint(recognition.checkpoint)["prompt_video"]["task"]
    assert task["kind"] == "RecognitionTask"
    assert task["crops"] == ["center", "start", "end"]
    assert task["sampler"]["kind"] == "WindowSampler"
    assert task["sampler"]["settings"]["num_views"] == 2
    task = read_checkpoint(localization.checkpoint)["prompt_video"]["task"]
    assert task["windows"] == {"kind": "SlidingWindows", "settings": {"num_frames": 48, "overlap": 0.5}}
    assert (task["frame_rate"], task["frames_inside"], task["detector"]["channels"]) == (6, 8, 16)
    json.dumps(task)


def test_embeddings_multiply_to_the_similarity(recognition: Run) -> None:
    model = prompt_video.load(recognition.checkpoint)
    (video, *_) = sorted(recognition.root.rglob("*.mp4"))
    texts = ["moving left", "spinning", "a word that no run has seen"]
    vectors, video_vector = model.embed_text(texts), model.embed_video(video)
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(3))
    assert video_vector.norm().item() == pytest.approx(1, abs=1e-6)
    order = model.score(video, texts).similarity.argsort()
    assert torch.equal((vectors @ video_vector).argsort(), order)


def test_frozen_clip_needs_no_checkpoint(videos: Path) -> None:
    model = prompt_video.load()
    assert "nothing is learned" in model.describe()
    found = model.score(videos / "cleaning_pool_h264.mp4", ["cleaning a pool", "juggling balls"])
    assert found.duration_sec == pytest.approx(10, abs=0.5)
    assert [one.text for one in found.best(1)] == [found.texts[int(found.similarity.argmax())]]
    segments = model.segments(videos / "cleaning_pool_h264.mp4", ["cleaning a pool", "juggling balls"])
    assert segments.method == "training-free"
    assert "without a detector" in segments.describe()


def test_a_whole_class_of_mistakes_is_told(videos: Path, probe: Run) -> None:
    model, video = prompt_video.load(), videos / "cleaning_pool_h264.mp4"
    with pytest.raises(InputError, match="no text to compare"):
        model.score(video, [])
    with pytest.raises(InputError, match="one of the texts is empty"):
        model.score(video, ["a", " "])
    with pytest.raises(InputError, match="a list of them"):
        model.score(video, "spinning")
    with pytest.raises(InputError, match=r"there is no video .*nowhere\.mp4"):
        model.score(videos / "nowhere.mp4", ["a"])
    with pytest.raises(BrokenVideoError, match="no video stream"):
        model.score(videos / "audio_only.mp4", ["a"])
    with pytest.raises(InputError, match="there is no checkpoint"):
        prompt_video.load(videos / "nothing.ckpt")
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        prompt_video.load(video)
    learned = prompt_video.load(probe.checkpoint)
    assert learned.score(video, ["spinning"]).probability.tolist() == pytest.approx([1.0])
    with pytest.raises(InputError, match="linear probe"):
        learned.score(video, ["juggling balls"])
    with pytest.raises(InputError, match="linear probe"):
        learned.embed_text(["spinning"])


@pytest.mark.parametrize(
    ("number", "wanted"), [(1, "train again, or have the older version"), (9, "update prompt-video")]
)
def test_a_checkpoint_of_another_format_is_refused(
    recognition: Run, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int, wanted: str
) -> None:
    """Read by hand, and by a run that would go on from it."""
    checkpoint = read_checkpoint(recognition.checkpoint)
    checkpoint["prompt_video"]["format"] = number
    path = tmp_path / "checkpoints" / "last.ckpt"
    path.parent.mkdir()
    torch.save(checkpoint, path)
    with pytest.raises(InputError, match=f"has format {number}.*reads format .*{CHECKPOINT_FORMAT}: {wanted}"):
        prompt_video.load(path)
    assert main(["label", str(videos), "--ckpt", str(path), "--classes=star"]) == 1
    assert wanted in capsys.readouterr().err


def test_a_checkpoint_that_says_clip_is_read(recognition: Run, tmp_path: Path) -> None:
    """As those of before other models than CLIP could be taken."""
    checkpoint = read_checkpoint(recognition.checkpoint)
    about = checkpoint["prompt_video"]
    about["format"], about["spec"]["clip"] = 2, about["spec"].pop("backbone")
    torch.save(checkpoint, tmp_path / "old.ckpt")
    own, old = prompt_video.load(recognition.checkpoint), prompt_video.load(tmp_path / "old.ckpt")
    assert torch.equal(old.embed_text(["spinning"]), own.embed_text(["spinning"]))


def test_a_sampler_of_ones_own_is_named(recognition: Run, tmp_path: Path) -> None:
    checkpoint = read_checkpoint(recognition.checkpoint)
    checkpoint["prompt_video"]["task"]["sampler"] = {"kind": "MySampler", "settings": {}}
    torch.save(checkpoint, tmp_path / "own.ckpt")
    with pytest.raises(InputError, match="MySampler"):
        prompt_video.load(tmp_path / "own.ckpt")


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, prompt_video; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_progress_reaches_the_end(videos: Path) -> None:
    told: list[tuple[float, float]] = []
    video = videos / "cleaning_pool_h264.mp4"
    found: VideoSegments = prompt_video.load().segments(video, ["a"], progress=lambda *now: told.append(now))
    assert told[-1] == (found.duration_sec, found.duration_sec)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_moments_are_a_players_where_sound_comes_first(videos: Path) -> None:
    """The picture starts at 3 s, dark, and is bright from 5 s on."""
    model, video = prompt_video.load(), videos.parent / "cases" / "late.mp4"
    curve = model.similarity(video, ["night", "snow"], span_sec=1.0)
    assert (curve.start_sec, curve.duration_sec) == (3.0, 8.0)
    assert curve.times_sec[0] == 3.5
    assert curve.times_sec[-1] == 7.5
    change = (curve.similarity[1:] - curve.similarity[:-1]).norm(dim=-1)
    assert 4.0 <= curve.times_sec[change.argmax()] <= 5.25
    found = model.segments(video, ["night", "snow"], min_score=0.0)
    assert all(3.0 <= one.start_sec < one.end_sec <= 8.0 for one in found.segments)
    assert model.score(video, ["night", "snow"]).duration_sec == 8.0


def test_objects_show_themselves_in_a_notebook(videos: Path) -> None:
    model, video, texts = prompt_video.load(), videos / "flv_h264.flv", ["a <dog>", "a cat"]
    shown = (model, model.score(video, texts), model.similarity(video, texts), model.segments(video, texts))
    for one in shown:
        html = one._repr_html_()
        for said in (repr(one), html):
            assert "tensor(" not in said
            assert " at 0x" not in said
        assert len(repr(one)) < 250
        assert html.startswith("<table>")
        assert "<dog>" not in html
    assert repr(shown[1]).startswith("VideoScores(flv_h264.flv, 2 texts, best: a ")
    assert "knows simple moving shapes only" in shown[0]._repr_html_()
