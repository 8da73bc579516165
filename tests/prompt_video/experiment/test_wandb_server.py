"""Whatever wandb's server or the network does, a run knows within seconds, says so in a line, and goes on."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import wandb

from prompt_video.experiment import loggers
from prompt_video.experiment.loggers import close_loggers, make_loggers, offline_reason
from prompt_video.experiment.option_names import WandbMode

KEY = "k" * 40
NOBODY = json.dumps({"data": {"viewer": None}})


@contextmanager
def server(status: int, body: str = "", trickle_sec: float = 0.0, to_wandb: int | None = None) -> Iterator[str]:
    """Answers everything alike, or wandb with another status; a byte at a time where it is to trickle."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            is_ours = self.headers["User-Agent"] == "prompt-video"
            self.send_response(status if is_ours or to_wandb is None else to_wandb)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                for sign in body:
                    self.wfile.write(sign.encode())
                    self.wfile.flush()
                    time.sleep(trickle_sec)
            except OSError:  # whoever asked has left
                pass

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@contextmanager
def silent() -> Iterator[str]:
    """Takes connections, and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def nobody() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def no_name() -> Iterator[str]:
    yield "http://nowhere.invalid"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr(loggers, "ANSWER_SEC", 0.5)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("mode", ["auto", "online"])
@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (lambda: server(401), "127.0.0.1 refuses the key: `wandb login --relogin` sets another"),
        (lambda: server(200, NOBODY), "127.0.0.1 refuses the key: `wandb login --relogin` sets another"),
        (lambda: server(503), "127.0.0.1 answers 503"),
        (lambda: server(200, "<html>"), "127.0.0.1 does not answer"),
        (lambda: server(200, NOBODY, trickle_sec=0.3), "127.0.0.1 does not answer"),
        (silent, "127.0.0.1 does not answer"),
        (nobody, "127.0.0.1 does not answer"),
        (no_name, "nowhere.invalid does not answer"),
    ],
    ids=["401", "nobody", "503", "html", "trickles", "silent", "refused", "no name"],
)
def test_a_server_that_cannot_be_used(
    place: Callable[[], AbstractContextManager[str]],
    reason: str,
    mode: WandbMode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with place() as address:
        monkeypatch.setenv("WANDB_BASE_URL", address)
        started = time.monotonic()
        assert offline_reason(mode) == reason
        assert time.monotonic() - started < 2


@pytest.mark.usefixtures("account")
def test_a_server_that_knows_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(200, json.dumps({"data": {"viewer": {"id": "me"}}})) as address:
        monkeypatch.setenv("WANDB_BASE_URL", address)
        assert offline_reason("auto") is None
        assert offline_reason("offline") == "as asked"


@pytest.mark.usefixtures("account")
@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 500])
def test_where_wandb_cannot_begin_online_it_begins_offline(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loggers, "ANSWER_SEC", 10.0)
    wandb.teardown()  # what it has read of the environment in another test
    with server(200, json.dumps({"data": {"viewer": {"id": "me"}}}), to_wandb=status) as address:
        monkeypatch.setenv("WANDB_BASE_URL", address)
        monkeypatch.setitem(loggers.PATIENCE, "init_timeout", 3.0)
        started = time.monotonic()
        made = make_loggers(tmp_path, "mine", "auto")
        for logger in made:
            logger.log_metrics({"loss": 1.0}, 0)
            logger.finalize("success")
        close_loggers()
        assert time.monotonic() - started < 30
    assert "wandb: offline" in caplog.text
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))
