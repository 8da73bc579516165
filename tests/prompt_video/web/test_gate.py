"""Which requests are answered at all, and what is left behind."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from prompt_video.web import sweeping
from prompt_video.web.gate import HEADERS, Gate, own_names

PORT = 7860
Ask = Callable[..., int]


@pytest.fixture
def client() -> TestClient:
    middleware = [Middleware(Gate, names=own_names("127.0.0.1", ["Proxy.example"]))]
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("here"))], middleware=middleware)
    return TestClient(app, f"http://127.0.0.1:{PORT}")


@pytest.fixture
def ask(client: TestClient) -> Ask:
    """The status that a request gets."""
    return lambda **headers: client.get("/", headers=headers).status_code


def test_only_its_own_names_are_answered(ask: Ask) -> None:
    for own in ("127.0.0.1:7860", "localhost:7860", "LOCALHOST", "[::1]:7860", "192.168.1.5", "proxy.example:443"):
        assert ask(host=own) == 200
    for other in ("evil.example", "evil.example:7860", "localhost.evil.example", "127.0.0.1.evil.example", ""):
        assert ask(host=other) == 421


def test_no_other_site_is_answered(ask: Ask) -> None:
    assert ask(origin=f"http://127.0.0.1:{PORT}") == 200
    assert ask(host="proxy.example", origin="https://proxy.example") == 200
    for origin in ("http://evil.example", "null", "", "http://127.0.0.1:9999", f"http://localhost:{PORT}"):
        assert ask(origin=origin) == 403


def test_a_browser_is_told_to_load_nothing_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/")
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/"):
        pass


def test_what_a_killed_server_leaves_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    killed = tmp_path / f"{sweeping.PREFIX}killed"
    killed.mkdir()
    (killed / sweeping.LOCK).touch()
    (killed / "upload.mp4").write_bytes(b"x")
    linked = tmp_path / f"{sweeping.PREFIX}link"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / sweeping.LOCK).touch()
    linked.symlink_to(tmp_path / "other")
    with sweeping.uploads_folder() as first:
        assert not killed.exists()
        assert (tmp_path / "other").exists()
        reader, writer = os.pipe()
        if os.fork() == 0:  # a lock is another process's to try
            with sweeping.uploads_folder() as second:
                os.write(writer, b"1" if first.exists() and second.exists() else b"0")
            os._exit(0)
        os.wait()
        assert os.read(reader, 1) == b"1", "the folder of a server that lives stays"
        os.close(reader)
        os.close(writer)
    assert not first.exists()
