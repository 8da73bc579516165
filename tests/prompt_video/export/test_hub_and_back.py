"""A model goes to the hub and comes back: against a stand-in of the hub's endpoints on this machine."""

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import pytest
import torch
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results

import prompt_video
from data_modules.errors import InputError
from prompt_video.cli import main
from prompt_video.export.push import push
from prompt_video.model.checkpoints import read_learned
from prompt_video.model.hub_folder import Learned
from prompt_video.model.video_text_model import VideoTextModel

NAME = "someone/model"


class Run(Protocol):
    """A trained run of the tests."""

    config: Path
    checkpoint: Path


class Hub:
    """Repositories by name, their branches, and what is in them at each commit."""

    def __init__(self) -> None:
        self.branches: dict[str, dict[str, str]] = {}
        self.commits: dict[str, dict[str, bytes]] = {}

    def create(self, name: str) -> None:
        commit = self._commit({})
        self.branches[name] = {"main": commit}

    def add(self, name: str, branch: str, files: dict[str, bytes]) -> str:
        self.branches[name][branch] = self._commit({**self.commits[self.branches[name][branch]], **files})
        return self.branches[name][branch]

    def _commit(self, files: dict[str, bytes]) -> str:
        commit = hashlib.sha1(f"{len(self.commits)}".encode()).hexdigest()
        self.commits[commit] = files
        return commit


class Answers(BaseHTTPRequestHandler):
    """The endpoints that huggingface_hub asks for uploading and fetching small files."""

    hub: Hub

    def __init__(self, hub: Hub, *arguments: Any) -> None:  # noqa: ANN401 - http.server's own
        self.hub = hub
        super().__init__(*arguments)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != "Bearer hf_secret":
            return self.answer(401, {"error": "Invalid credentials"})
        parts = unquote(self.path).strip("/").split("/")
        if parts == ["api", "repos", "create"]:
            said = json.loads(body)
            name = f"{said.get('organization') or 'someone'}/{said['name']}"
            if name in self.hub.branches:
                return self.answer(409, {"error": "exists", "url": f"/{name}"})
            self.hub.create(name)
            return self.answer(200, {"url": f"http://{self.headers['Host']}/{name}"})
        if parts == ["api", "validate-yaml"]:
            return self.answer(200, {"errors": [], "warnings": []})
        name, what, branch = "/".join(parts[2:4]), parts[4], "/".join(parts[5:])
        if what == "branch":
            self.hub.branches[name].setdefault(branch, self.hub.branches[name]["main"])
            return self.answer(200, {})
        if what == "preupload":
            paths = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]
            return self.answer(200, {"files": modes})
        values = [said["value"] for said in map(json.loads, body.splitlines()) if said["key"] == "file"]
        commit = self.hub.add(name, branch, {file["path"]: base64.b64decode(file["content"]) for file in values})
        return self.answer(
            200, {"commitUrl": f"http://{self.headers['Host']}/{name}/commit/{commit}", "commitOid": commit}
        )

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path.count("/") < 5:  # who I am, and what else is asked before a commit
            return self.answer(200, {"name": "someone", "type": "user"})
        user, model, _, revision, file = unquote(self.path).strip("/").split("/", 4)
        branches = self.hub.branches.get(f"{user}/{model}")
        if branches is None:
            return self.answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        commit = branches.get(revision, revision)
        if commit not in self.hub.commits:
            return self.answer(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
        content = self.hub.commits[commit].get(file)
        if content is None:
            return self.answer(
                404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}
            )
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        return self.answer(200, content, headers)

    def answer(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not to the terminal."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """Listens on this machine; the cache is empty, and there is no proxy."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Answers, hub))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    aim(monkeypatch, server.server_port)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


def aim(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    endpoint, template = f"http://127.0.0.1:{port}", "{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)  # what HF_ENDPOINT sets in a new process
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", f"{endpoint}/{template}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("prompt_video.backbones.hub.getproxies", dict)


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port of this machine on which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def assert_same(found: Learned, wanted: Learned) -> None:
    assert found.class_names == wanted.class_names
    assert found.state.keys() == wanted.state.keys()
    assert all(torch.equal(found.state[name], weight) for name, weight in wanted.state.items())


def test_a_model_goes_to_the_hub_and_comes_back(
    hub: Hub,
    trained: Callable[..., VideoTextModel],
    save_checkpoint: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also a second one on a branch, each loaded by what names it."""
    first, folder = save_checkpoint(trained()), tmp_path / "folder"
    (first.parent.parent / "results.json").write_text(
        json.dumps({"protocol": "Closed set.", "seed": 1, "metrics": {"test/top1": 0.75, "val/top1": 0.5}})
    )
    assert main(["export", f"--ckpt={first}", f"--hub={folder}", f"--push={NAME}"]) == 0
    assert f"/{NAME}" in capsys.readouterr().out
    one = read_learned(first)
    assert one.state
    second = save_checkpoint(trained(seed=7))
    assert main(["export", f"--ckpt={second}", f"--hub={folder}", f"--push={NAME}@v2"]) == 0
    assert not torch.equal(*(read_learned(second).state["model.prompt.context"], one.state["model.prompt.context"]))
    assert_same(read_learned(Path(NAME)), one)
    assert_same(read_learned(Path(f"{NAME}@v2")), read_learned(second))
    commit = hub.branches[NAME]["main"]
    assert_same(read_learned(Path(f"{NAME}@{commit}")), one)
    front = yaml.safe_load(hub.commits[commit]["README.md"].decode().split("---")[1])
    (result,) = model_index_to_eval_results(front["model-index"])[1]
    assert (result.metric_type, result.metric_value, result.metric_name) == ("accuracy", 0.75, "top1")
    assert result.dataset_name == "Closed set."
    assert set(hub.commits[commit]) == {"README.md", "LICENSE", "config.json", "model.safetensors"}


def test_loaded_models_score_alike(
    hub: Hub,
    trained: Callable[..., VideoTextModel],
    save_checkpoint: Callable[..., Path],
    clip_folder: Path,
    tmp_path: Path,
    videos: Path,
) -> None:
    checkpoint = save_checkpoint(trained())
    assert main(["export", f"--ckpt={checkpoint}", f"--hub={tmp_path / 'folder'}", f"--push={NAME}"]) == 0
    video, out = videos / "cleaning_pool_h264.mp4", tmp_path / "labels.json"
    wanted = prompt_video.load(checkpoint, device="cpu").score(video, ["the star", "red"])
    model = prompt_video.load(NAME, backbone=str(clip_folder), device="cpu")
    torch.testing.assert_close(model.score(video, ["the star", "red"]).similarity, wanted.similarity)
    label = ["label", str(video), f"--ckpt={NAME}", f"--backbone={clip_folder}", "--device=cpu", f"--json={out}"]
    assert main(label) == 0
    assert json.loads(out.read_text())["videos"]


def test_an_experiment_tests_a_model_of_the_hub(
    hub: Hub, recognition: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the figures of the checkpoint that it was made of."""
    folder = tmp_path / "folder"
    assert main(["export", f"--ckpt={recognition.checkpoint}", f"--hub={folder}", f"--push={NAME}"]) == 0
    figures = []
    for number, source in enumerate((NAME, str(recognition.checkpoint))):
        out = tmp_path / f"tested{number}"
        options = ["--config", str(recognition.config), f"--run_folder={out}", "--wandb=disabled", "--quiet=true"]
        assert main(["test", *options, f"--ckpt={source}"]) == 0
        results = json.loads((out / "results.json").read_text())
        assert results["tested"] == source
        figures.append({name: value for name, value in results["metrics"].items() if name.startswith("test/")})
    assert figures[0] == figures[1] != {}
    capsys.readouterr()
    fit = ["fit", "--config", str(recognition.config), f"--run_folder={tmp_path / 'more'}", "--wandb=disabled"]
    for source in (NAME, str(folder)):
        assert main([*fit, f"--ckpt={source}"]) == 1
        assert f"--model.start_from {source} begins a training with it." in capsys.readouterr().err
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main(["test", "--config", str(recognition.config), "--ckpt=someone/other", "--wandb=disabled"]) == 1
    said = capsys.readouterr().err.strip()
    assert "has not been fetched from the hub before, and HF_HUB_OFFLINE is set." in said
    assert "Traceback" not in said


def test_what_was_fetched_serves_without_a_network(
    hub: Hub,
    trained: Callable[..., VideoTextModel],
    save_checkpoint: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    nobody: int,
) -> None:
    checkpoint = save_checkpoint(trained())
    assert main(["export", f"--ckpt={checkpoint}", f"--hub={tmp_path / 'folder'}", f"--push={NAME}"]) == 0
    fetched = read_learned(Path(NAME))
    aim(monkeypatch, nobody)
    assert_same(read_learned(Path(NAME)), fetched)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert_same(read_learned(Path(NAME)), fetched)
    with pytest.raises(InputError, match=r"no someone/other here, .* and HF_HUB_OFFLINE is set"):
        read_learned(Path("someone/other"))


def test_what_is_not_there_is_told_of_in_a_sentence_at_once(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, nobody: int, tmp_path: Path
) -> None:
    hub.create(NAME)
    start = time.monotonic()
    for name, message in (
        ("someone/nothing", "no someone/nothing here, and the hub has no such model, or it is private"),
        (f"{NAME}@v9", "no someone/model@v9 here, and the hub has no such revision of it"),
        (NAME, "no someone/model here, and what the hub has there is no model of prompt-video"),
        ("checkpoints/last.ckpt", "there is no checkpoint checkpoints/last.ckpt"),
    ):
        with pytest.raises(InputError, match=message) as told:
            read_learned(Path(name))
        assert "\n" not in str(told.value)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(InputError, match=r"cannot be pushed to someone/model: .*HF_TOKEN"):
        push(tmp_path, NAME)
    aim(monkeypatch, nobody)
    with pytest.raises(InputError, match=r"has not been fetched .* 127\.0\.0\.1 cannot be reached now"):
        read_learned(Path("someone/model"))
    with pytest.raises(InputError, match=r"cannot be pushed to someone/model: 127\.0\.0\.1 cannot be reached now"):
        push(tmp_path, NAME)
    assert time.monotonic() - start < 3


def test_a_push_needs_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", f"--ckpt={tmp_path}", f"--bank={tmp_path / 'x.safetensors'}", f"--push={NAME}"]) == 1
    assert "--hub DIR" in capsys.readouterr().err
