"""The server behind the page: which files it gives away, and what it leaves behind."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from prompt_video.cli import main

pytestmark = pytest.mark.slow


class Served(Protocol):
    """See conftest.py."""

    process: "subprocess.Popen[str]"
    url: str
    temporary: Path


def get(url: str, data: bytes | None = None, kind: str = "application/json") -> tuple[int, str]:
    request = urllib.request.Request(url, data, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode("utf-8", "replace")


def call(url: str, name: str, *values: object) -> str:
    """Press a button of the page, as a program would."""
    status, text = get(f"{url}gradio_api/call/{name}", json.dumps({"data": values}).encode())
    if status != 200:
        return text
    return get(f"{url}gradio_api/call/{name}/{json.loads(text)['event_id']}")[1]


def uploaded(url: str, file: Path, size: int = 0) -> tuple[int, str]:
    mark = "7d5c1e"
    head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{file.name}"\r\n\r\n'.encode()
    body = head + file.read_bytes() + bytes(size) + f"\r\n--{mark}--\r\n".encode()
    return get(f"{url}gradio_api/upload", body, f"multipart/form-data; boundary={mark}")


def video(path: object) -> dict[str, object]:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def test_no_file_outside_the_uploads_can_be_read(server: Served, shapes: Path) -> None:
    status, text = uploaded(server.url, shapes / "square.mp4")
    assert status == 200
    (path,) = json.loads(text)
    assert Path(path).is_relative_to(server.temporary)
    assert get(f"{server.url}gradio_api/file={path}")[0] == 200
    answer = call(server.url, "score", video(path), "a square, a star")
    assert "event: complete" in answer
    assert "a square" in answer
    readme = Path(__file__).parents[3] / "README.md"
    for outside in ("/etc/hostname", readme, shapes / "square.mp4", f"{path}/../../../../../../etc/hostname"):
        assert get(f"{server.url}gradio_api/file={outside}")[0] in (403, 404)
        answer = call(server.url, "score", video(outside), "a square, a star")
        assert "event: complete" not in answer
        assert "cosine" not in answer


def test_a_file_that_is_too_large_is_refused(server: Served, shapes: Path) -> None:
    status, text = uploaded(server.url, shapes / "square.mp4", size=2_000_000)
    assert status == 413
    assert "exceed" in text
    assert uploaded(server.url, shapes / "square.mp4")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_behind(serve: Callable[..., Served], shapes: Path, number: signal.Signals) -> None:
    server = serve()
    status, text = uploaded(server.url, shapes / "square.mp4")
    assert status == 200
    (path,) = json.loads(text)
    assert Path(path).is_file()
    assert server.url.startswith("http://127.0.0.1:"), "nobody else reaches it"
    server.process.send_signal(number)
    assert server.process.wait(60) == 0
    assert not list(server.temporary.glob("prompt-video-*"))


def test_wrong_options_get_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--max_size", "0"]) == 1
    assert "--max_size, --max_duration and --max_work must be positive" in capsys.readouterr().err
    assert main(["serve", "--index", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_other_names_other_sites_and_addresses_are_refused(server: Served, shapes: Path) -> None:
    def status(name: str, value: str) -> int:
        request = urllib.request.Request(f"{server.url}config", headers={name: value})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert status("Host", "evil.example") == 421
    assert status("Origin", "http://evil.example") == 403
    assert status("Origin", server.url.rstrip("/")) == 200
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(1)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/x.mp4"
    assert "no addresses" in call(server.url, "score", video(address), "a square")
    assert get(f"{server.url}gradio_api/file={address}")[0] == 404
    with listener, pytest.raises(TimeoutError):
        listener.accept()
    answer = call(server.url, "score", video("/etc/../etc/hostname"), "a square")
    assert "/etc" not in answer
    assert str(Path.cwd()) not in call(server.url, "score", video("square.mp4"), "a square")
    path = json.loads(uploaded(server.url, shapes / "square.mp4")[1])[0]
    started = time.monotonic()
    assert "has 20,000 letters" in call(server.url, "score", video(path), "x" * 20_000)
    assert time.monotonic() - started < 5


def test_what_a_killed_server_leaves_is_swept(serve: Callable[..., Served], shapes: Path) -> None:
    server = serve()
    assert uploaded(server.url, shapes / "square.mp4")[0] == 200
    server.process.kill()
    server.process.wait(30)
    (left,) = server.temporary.glob("prompt-video-serve-*")
    code = (
        "import sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from prompt_video.web.sweeping import uploads_folder\n"
        "with uploads_folder(): pass"
    )
    subprocess.run([sys.executable, "-c", code, str(server.temporary)], check=True)
    assert not left.exists()


def test_a_port_in_use_is_one_sentence(server: Served, capfd: pytest.CaptureFixture[str]) -> None:
    port = server.url.rstrip("/").rpartition(":")[2]
    command = [sys.executable, "-m", "prompt_video", "serve", "--port", port]
    assert subprocess.run(command, check=False).returncode == 1
    said = capfd.readouterr().err.strip()
    assert said == (
        f"prompt-video: the page cannot be served on 127.0.0.1:{port}: Address already in use; see --host and --port."
    )
