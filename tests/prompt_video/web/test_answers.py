"""What the routes of the page answer, by requests that never leave this process."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from PIL import Image
from starlette.testclient import TestClient

import prompt_video
from prompt_video.cli import main
from prompt_video.inference.loaded import LoadedModel
from prompt_video.search.index import VideoIndex
from prompt_video.web import work
from prompt_video.web.answers import LINES, MANY, Answers
from prompt_video.web.app import MOST_BODY, Page
from prompt_video.web.limits import Limits
from prompt_video.web.uploads import Uploads

EVIL = "<img src=x onerror=alert(1)>"
Content = dict[str, Any]


class Run(Protocol):
    """What the fixtures of tasks train."""

    root: Path

    @property
    def checkpoint(self) -> Path: ...


class Asking:
    """A page, and a person who asks it."""

    def __init__(self, folder: Path, model: LoadedModel, index: VideoIndex | None = None) -> None:
        self.uploads = Uploads(folder, Limits(max_mb=1, max_sec=20.0))
        app = Page(Answers(model, self.uploads, index)).app({"localhost"})
        self.client = TestClient(app, "http://127.0.0.1:7860", raise_server_exceptions=False)

    def upload(self, file: Path) -> str:
        answer = self.client.post("/videos", params={"name": file.name}, content=file.read_bytes())
        assert answer.status_code == 200, answer.text
        word: str = answer.json()["video"]
        return word

    def ask(self, path: str, **question: object) -> Content:
        """The last line, and before it steps alone."""
        answer = self.client.post(path, content=json.dumps(question))
        assert answer.status_code == 200, answer.text
        *self.steps, last = map(json.loads, answer.text.splitlines())
        assert all(0 <= step["done"] <= step["of"] for step in self.steps)
        assert isinstance(last, dict)
        return last


@pytest.fixture(scope="module")
def frozen() -> LoadedModel:
    return prompt_video.load()


@pytest.fixture
def page(tmp_path: Path, frozen: LoadedModel) -> Asking:
    return Asking(tmp_path, frozen)


def about(content: Content) -> list[str]:
    return [mistake["about"] for mistake in content["mistakes"]]


def test_a_clip_is_scored_as_a_whole_and_over_time(page: Asking, shapes: Path) -> None:
    word = page.upload(shapes / "square.mp4")
    names = [f"class {number}" for number in range(20)]
    answer = page.ask("/scores", video=word, texts="\n".join([*names, EVIL, "word " * 190]))["answer"]
    assert len(answer["ranked"]) == MANY
    assert answer["num_texts"] == 22
    assert answer["num_cut"] == 1
    assert answer["similarity_name"] == "Similarity (cosine)"
    ranked = [one["text"] for one in answer["ranked"]]
    chances = [one["probability"] for one in answer["ranked"]]
    assert chances == sorted(chances, reverse=True)
    curve = answer["curve"]
    assert [line["text"] for line in curve["lines"]] == answer["drawn"]
    assert len(answer["drawn"]) == LINES
    found = list(dict.fromkeys(one["text"] for one in answer["apart"]))
    assert answer["drawn"] == (found + [text for text in ranked if text not in found])[:LINES]
    assert {len(line["values"]) for line in curve["lines"]} == {len(curve["times"])}
    assert answer["duration_sec"] == pytest.approx(3.0)
    assert "without a detector" in answer["method"]
    assert "knows simple moving shapes only" in answer["notice"]
    assert "--backbone vit_b16" in answer["notice"]


def test_an_answer_is_taken_along_as_files(page: Asking, shapes: Path, tmp_path: Path) -> None:
    clip = tmp_path / 'ü "x"; =1+1.mp4'
    clip.write_bytes((shapes / "square.mp4").read_bytes())
    answer = page.ask("/scores", video=page.upload(clip), texts="a square moving right, a star, =cmd()")["answer"]

    def file(kind: str, **options: object) -> str:
        got = page.client.get(f"/scores/{answer['id']}/{kind}", params=options)  # type: ignore[arg-type]
        assert got.status_code == 200, got.text
        said = got.headers["content-disposition"]
        assert said.startswith('attachment; filename="')
        assert f"filename*=UTF-8''%C3%BC%20%22x%22%3B%20%3D1%2B1.{kind}" in said
        return got.text

    everything = json.loads(file("json"))
    assert [one["text"] for one in everything["best"]] == [one["text"] for one in answer["ranked"]]
    assert len(everything["segments"]) == len(answer["segments"]) > 0
    assert everything["notice"] == answer["notice"]
    assert everything["video"] == clip.name
    for options, shown in (({}, answer["apart"]), ({"overlapping": "true"}, answer["segments"])):
        rows = list(csv.DictReader(io.StringIO(file("csv", min_score=0, **options))))
        assert [row["label"].lstrip("'") for row in rows] == [one["text"] for one in shown]
        assert [float(row["score"]) for row in rows] == pytest.approx([one["score"] for one in shown], rel=1e-5)
        assert all(row["video_id"] == clip.name for row in rows)
    assert file("srt", min_score=0).startswith("1\n00:00:0")
    assert file("srt", min_score=1) == ""
    for kind, options in (("exe", {}), ("csv", {"min_score": "nan"}), ("csv", {"min_score": "x"})):
        assert page.client.get(f"/scores/{answer['id']}/{kind}", params=options).status_code == 400
    gone = page.client.get("/scores/other/json")
    assert gone.json()["mistakes"] == [{"about": "work", "message": "This answer is no longer here; ask again."}]


def test_each_mistake_is_told_once_with_what_it_is_about(page: Asking, shapes: Path) -> None:
    assert about(page.ask("/scores")) == ["video", "texts"]
    word = page.upload(shapes / "square.mp4")
    assert page.ask("/scores", video=word, texts=" , ")["mistakes"] == [
        {"about": "texts", "message": "There is no text yet: type what may be seen, such as 'slicing onions, "
         "juggling balls'."}
    ]  # fmt: skip
    assert about(page.ask("/scores", video="/etc/hostname", texts="a")) == ["video"]
    assert about(page.ask("/scores", video=word, texts="a \ud800")) == ["texts"]
    assert about(page.ask("/scores", video=word, texts={"a": 1})) == ["work"]
    assert about(page.ask("/hits", query="a square")) == ["query"]
    broken = page.client.post("/videos", params={"name": "x.mp4"}, content=b"no video" * 99)
    assert broken.status_code == 400
    assert about(broken.json()) == ["video"]
    assert "/" not in broken.json()["mistakes"][0]["message"].replace("and/or", "")


def test_requests_have_a_size_and_a_shape(page: Asking) -> None:
    for body, status in ((b" " * (MOST_BODY + 1), 413), (b"[" * 100_000, 400), (b"[]", 400), (b"", 400)):
        assert page.client.post("/scores", content=body).status_code == status
    assert page.client.post("/videos", content=iter([b"x"])).status_code == 411
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/none.js", "/videos/x", "/hits/x/1.jpg"):
        assert page.client.get(path).status_code in (400, 404, 405)
    assert page.client.get("/static/page.js").headers["content-type"].startswith("text/javascript")


def test_of_what_goes_wrong_unforeseen_nothing_is_told(
    page: Asking, shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the secret of the machine")

    word = page.upload(shapes / "square.mp4")
    monkeypatch.setattr(LoadedModel, "score", fail)
    answer = page.ask("/scores", video=word, texts="a")
    assert about(answer) == ["work"]
    assert "secret" not in json.dumps(answer)
    monkeypatch.setattr(Uploads, "take", fail)
    answered = page.client.post("/videos", content=b"x")
    assert answered.status_code == 500
    assert "secret" not in answered.text
    monkeypatch.setattr(work, "WAITING", 0)
    assert "too many people" in page.ask("/scores", video=word, texts="a")["mistakes"][0]["message"]


@pytest.mark.parametrize(
    "task",
    ["recognition", *(pytest.param(task, marks=pytest.mark.slow) for task in ("localization", "retrieval", "probe"))],
)
def test_every_checkpoint_is_answered_with(
    task: str, request: pytest.FixtureRequest, tmp_path: Path, shapes: Path
) -> None:
    run: Run = request.getfixturevalue(task)
    model = prompt_video.load(run.checkpoint)
    page = Asking(tmp_path, model)
    text = page.client.get("/").text
    names = model.class_names or ["a square", "a star"]
    fill = re.search(r"data-names='([^']*)'", text)
    assert bool(fill) == bool(model.class_names)
    if fill:
        assert json.loads(fill[1]) == names
    word = page.upload(shapes / "square.mp4")
    answer = page.ask("/scores", video=word, texts="\n".join(names))["answer"]
    assert {one["text"] for one in answer["ranked"]} <= set(names)
    assert answer["notice"], "it was trained on the toy model"
    if task == "probe":
        assert answer["curve"] is answer["method"] is None
        assert answer["similarity_name"] == "Score"
        rows = page.client.get(f"/scores/{answer['id']}/csv").text.splitlines()
        assert rows[0] == "video,rank,class,probability,similarity,label"
        assert page.client.get(f"/scores/{answer['id']}/srt").status_code == 400
        assert about(page.ask("/scores", video=word, texts="something else")) == ["texts"]
    else:
        assert answer["curve"]
        assert ("checkpoint's detector" in answer["method"]) == (task == "localization")
        steps = page.steps
        assert [step["done"] for step in steps] == sorted(step["done"] for step in steps), "passes are told of as one"
        assert steps[-1]["done"] == pytest.approx(steps[-1]["of"])


def test_a_file_that_a_browser_cannot_play_gets_a_copy(page: Asking, videos: Path, tmp_path: Path) -> None:
    word = page.upload(videos / "flv_h264.flv")
    copy = page.client.get(f"/videos/{word}/copy.mp4", headers={"Range": "bytes=4-7"})
    assert copy.status_code == 206
    assert copy.content == b"ftyp"
    assert copy.headers["content-type"] == "video/mp4"
    assert page.client.get("/videos/other/copy.mp4").status_code == 400


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, shapes: Path, frozen: LoadedModel) -> Callable[[], Asking]:
    folder = tmp_path_factory.mktemp("searched")
    model = ["--config=demo_closed", "--method=frozen_templates"]
    assert main(["index", str(shapes), "--out", str(folder / "index"), "--quiet", *model]) == 0
    index = VideoIndex(folder / "index")

    def make() -> Asking:
        return Asking(tmp_path_factory.mktemp("uploads"), frozen, index)

    return make


def test_moments_are_found_seen_and_played(searched: Callable[[], Asking], shapes: Path) -> None:
    page = searched()
    answer = page.ask("/hits", query="a red square")["answer"]
    assert not answer["truncated"]
    assert page.ask("/hits", query="square " * 90)["answer"]["truncated"]
    hit = answer["hits"][0]
    assert hit["name"] == "square.mp4"
    assert re.fullmatch(r"\d:\d\d-\d:\d\d", hit["span"])
    assert page.client.get("/").text.count("simple moving shapes only") == 3, "in each part of the page"
    picture = page.client.get(f"/hits/{answer['id']}/1.jpg")
    assert Image.open(io.BytesIO(picture.content)).size == (128, 96)
    clip = page.client.get(f"/hits/{answer['id']}/1.mp4", headers={"Range": "bytes=4-7"})
    assert clip.content == b"ftyp"
    for rank in (0, 99):
        assert page.client.get(f"/hits/{answer['id']}/{rank}.jpg").status_code == 400
    assert about(page.ask("/hits", query=" ")) == ["query"]
    video = shapes / "square.mp4"
    video.rename(shapes / "moved")
    try:
        gone = page.client.get(f"/hits/{answer['id']}/1.jpg").json()["mistakes"][0]["message"]
        assert gone == "Square.mp4 is not where it was when the index was made."
    finally:
        (shapes / "moved").rename(video)


def test_what_the_page_needs_is_told_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)  # as if it were not installed
    assert main(["serve", "--ckpt", str(tmp_path / "none.ckpt")]) == 1
    assert "pip install 'prompt-video[serve]'" in capsys.readouterr().err


def test_none_of_these_is_said_and_left_out_of_segments(videos: Path, tmp_path: Path) -> None:
    for threshold, is_known in ((0.0, True), (1.0, False)):
        (folder := tmp_path / str(threshold)).mkdir()
        page = Asking(folder, prompt_video.load(none_below=threshold))
        word = page.upload(videos / "flv_h264.flv")
        answer = page.ask("/scores", video=word, texts="a dog\na cat")["answer"]
        assert answer["verdict"]["is_known"] is is_known
        assert answer["verdict"]["confidence"] == answer["ranked"][0]["probability"]
        assert is_known or not answer["segments"]
        content = page.client.get(f"/scores/{answer['id']}/json").json()
        assert content["label"] == (answer["ranked"][0]["text"] if is_known else None)
        assert content["none_of_these"]["threshold"] == threshold
    (mistake,) = page.ask("/scores", video=word, texts="a dog")["mistakes"]
    assert mistake["about"] == "texts"
    assert "'a dog' is the only class" in mistake["message"]


def test_lessons_take_lists_of_known_clips_alone(page: Asking, shapes: Path) -> None:
    word = page.upload(shapes / "square.mp4")
    one = {"video": word, "class": "a square"}
    for question, reason in (
        ({}, "must be lists"),
        ({"examples": [one], "rest": "x"}, "must be lists"),
        ({"examples": [], "rest": []}, "There are no clips yet"),
        ({"examples": [one] * 501, "rest": []}, "These are 501 clips; up to 500 are taken"),
        ({"examples": [one, one], "rest": []}, "One clip stands in two places"),
        ({"examples": [one], "rest": []}, "There is one action only, 'a square'"),
        ({"examples": [one], "rest": ["../../etc/hostname"]}, "no video that was uploaded here"),
        ({"examples": ["x"], "rest": []}, "A clip must be known by its word"),
        ({"examples": [{**one, "video": ["x"]}], "rest": []}, "A clip must be known by its word"),
        ({"examples": [{**one, "video": "../square.mp4"}], "rest": []}, "no video that was uploaded here"),
        ({"examples": [{**one, "class": " _ "}], "rest": []}, "has no name yet"),
        ({"examples": [{**one, "class": 7}], "rest": []}, "needs a name of letters"),
        ({"examples": [{**one, "class": "x" * 201}], "rest": []}, "up to 200 letters"),
        ({"examples": [{**one, "class": "a\u202eb"}], "rest": []}, "all of which can be read"),
    ):
        (mistake,) = page.ask("/lessons", **question)["mistakes"]
        assert reason in mistake["message"], mistake
        assert mistake["about"] == "examples"
        assert str(page.uploads.folder) not in mistake["message"]
    for place in ("model.ckpt", "labels.csv"):
        gone = page.client.get(f"/lessons/{word}/{place}")
        assert gone.status_code == 400
        assert "no longer here" in gone.text
    assert page.client.get("/lessons/../../x/model.ckpt").status_code == 404
    assert not list(page.uploads.folder.rglob("*.ckpt"))
