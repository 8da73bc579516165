"""What reaches the page's server, by requests that never leave this process."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_modules.errors import InputError
from prompt_video.web import sweeping
from prompt_video.web.gate import MOST_BODY, Gate, own_names
from prompt_video.web.limits import CLIPS_KEPT, MOST_LETTERS, MOST_TEXTS, Limits, check_letters, texts_of

PORT = 7860
Ask = Callable[..., int]


async def behind(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
    if scope["method"] == "POST":
        assert (await receive())["body"] is not None
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """The status that a request gets."""
    gate = Gate(behind, own_names("127.0.0.1", ["Proxy.example"]), tmp_path, 5_000)

    def run(path: str = "/", method: str = "GET", body: bytes = b"", **headers: str) -> int:
        named = {"host": f"127.0.0.1:{PORT}", **headers}
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()]
        scope = {"type": "http", "path": path, "method": method, "headers": pairs, "query_string": b""}
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(gate(scope, receive, send))  # type: ignore[arg-type]
        status: int = sent[0]["status"]
        return status

    return run


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


@pytest.mark.parametrize(
    "address",
    ["http://evil.example/x.mp4", "HTTPS://x", "//evil.example/x", "file:///etc/passwd", " ftp://x", "\\\\x\\y"],
)
def test_no_address_is_fetched(ask: Ask, address: str) -> None:
    for data in ([{"path": address}], [{"video": {"path": address}}, "a"], {"deep": [[{"path": address}]]}):
        assert ask("/gradio_api/queue/join", "POST", json.dumps({"data": data}).encode()) == 400
    assert ask("/gradio_api/call/score", "POST", json.dumps({"data": [{"path": 1}]}).encode()) == 400
    local = {"path": "/tmp/x/a.mp4", "url": f"http://127.0.0.1:{PORT}/gradio_api/file=/tmp/x/a.mp4"}
    assert ask("/gradio_api/queue/join", "POST", json.dumps({"data": [local, "http://is.text"]}).encode()) == 200


@pytest.mark.parametrize("path", ["proxy=http://a.hf.space/x", "vibe-edit", "component_server", "file=http://evil.example",
                                  "run-history/records", "dev/reload", "process_recording", "file=//evil"])  # fmt: skip
def test_doors_that_the_page_does_not_use_are_closed(ask: Ask, path: str) -> None:
    assert ask(f"/gradio_api/{path}") == 404
    assert ask("/monitoring") == 404
    assert ask("/gradio_api/file=/tmp/x/a.mp4") == 200


def test_requests_have_a_size(ask: Ask, tmp_path: Path) -> None:
    assert ask("/gradio_api/queue/join", "POST", b" " * (MOST_BODY + 1)) == 413
    assert ask("/gradio_api/queue/join", "POST", b"[" * 100_000) == 400
    assert ask("/gradio_api/upload", "POST", b"x") == 411
    assert ask("/gradio_api/upload", "POST", b"x", content_length="4000") == 200
    (tmp_path / "there").write_bytes(bytes(2_000))
    assert ask("/gradio_api/upload", "POST", b"x", content_length="4000") == 413
    assert ask("/gradio_api/upload", "POST", b"x", content_length="-1") == 411


def test_texts_are_bounded() -> None:
    with pytest.raises(InputError, match=r"has 20,000 letters, up to 1,000 are taken: xxx"):
        texts_of("a, " + "x" * 20_000)
    with pytest.raises(InputError, match="these are 1,001 texts"):
        texts_of("\n".join(map(str, range(MOST_TEXTS + 1))))
    with pytest.raises(InputError, match="letters"):
        texts_of("a\n" * MOST_TEXTS * MOST_LETTERS)
    check_letters("x" * MOST_LETTERS)


def test_work_ends_and_old_clips_go(tmp_path: Path) -> None:
    Limits(tmp_path).deadline()(1.0, 2.0)
    with pytest.raises(InputError, match=r"takes longer than 0:00 \(--max_work\)"):
        Limits(tmp_path, max_work_sec=0.0).deadline()(1.0, 2.0)
    places = [Limits(tmp_path).new_clip() for _ in range(CLIPS_KEPT + 3)]
    assert [place.parent.exists() for place in places] == [False] * 3 + [True] * CLIPS_KEPT


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
