"""The server behind the page: which files it gives away, and what it leaves behind."""

import http.client
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
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


def get(url: str, data: bytes | None = None, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode("utf-8", "replace")


def uploaded(url: str, file: Path) -> tuple[int, str]:
    return get(f"{url}videos?name={file.name}", file.read_bytes())


def test_a_video_is_answered_and_no_path_is(server: Served, shapes: Path) -> None:
    status, text = uploaded(server.url, shapes / "square.mp4")
    assert status == 200
    word = json.loads(text)["video"]
    (path,) = server.temporary.glob(f"prompt-video-serve-*/{word}/video.mp4")
    question = {"video": word, "texts": "a square, a star"}
    *steps, last = get(f"{server.url}scores", json.dumps(question).encode())[1].splitlines()
    assert steps
    assert json.loads(last)["answer"]["num_texts"] == 2
    for outside in ("/etc/hostname", str(path), str(shapes / "square.mp4"), f"../{word}", "http://127.0.0.1/x.mp4"):
        question["video"] = outside
        answer = get(f"{server.url}scores", json.dumps(question).encode())[1]
        assert "no video that was uploaded here" in answer
        assert "answer" not in json.loads(answer)
    for name in ("static/../gate.py", "static/%2e%2e/gate.py", "static//etc/hostname", "static/%2fetc/hostname"):
        assert get(f"{server.url}{name}")[0] in (400, 404)
    started = time.monotonic()
    question = {"video": word, "texts": "x" * 20_000}
    assert "has 20,000 letters" in get(f"{server.url}scores", json.dumps(question).encode())[1]
    assert time.monotonic() - started < 5


def test_a_file_that_is_too_large_is_refused(server: Served, shapes: Path) -> None:
    place = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(place.netloc, timeout=60)
    # The answer comes before the file, whose rest would meet a closed door.
    connection.putrequest("POST", "/videos?name=square.mp4")
    connection.putheader("Content-Length", "2000000")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 400
    assert "up to 1 MB are taken (--max_size)" in answer.read().decode()
    connection.close()
    assert uploaded(server.url, shapes / "square.mp4")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_behind(serve: Callable[..., Served], shapes: Path, number: signal.Signals) -> None:
    server = serve()
    assert uploaded(server.url, shapes / "square.mp4")[0] == 200
    assert list(server.temporary.glob("prompt-video-*/*/video.mp4"))
    assert server.url.startswith("http://127.0.0.1:"), "nobody else reaches it"
    server.process.send_signal(number)
    assert server.process.wait(60) == 0
    assert not list(server.temporary.glob("prompt-video-*"))


def test_other_names_and_other_sites_are_refused(server: Served) -> None:
    assert get(server.url, Host="evil.example")[0] == 421
    assert get(server.url, Origin="http://evil.example")[0] == 403
    assert get(server.url, Origin=server.url.rstrip("/"))[0] == 200


def test_wrong_options_get_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--max_size", "0"]) == 1
    assert "--max_size, --max_duration and --max_work must be positive" in capsys.readouterr().err
    assert main(["serve", "--index", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


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
