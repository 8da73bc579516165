"""A hub that cannot be reached is told of at once."""

import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.hub import SECONDS, check_reachable, snapshot_of


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[int]:
    """Of this machine, on which nobody answers; the hub is there, its cache is empty, and there is no proxy."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        number = taken.getsockname()[1]
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{number}")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr("prompt_video.backbones.hub.getproxies", dict)
        yield number


def test_a_hub_that_does_not_answer_is_told_of_in_a_sentence(port: int) -> None:
    start = time.monotonic()
    with pytest.raises(InputError, match=r"'someone/clip'.*127\.0\.0\.1 cannot be reached now.*'tiny'"):
        FrozenBackbone("someone/clip")
    assert time.monotonic() - start < SECONDS


def test_what_is_in_the_cache_needs_no_hub(
    port: int, backbone: FrozenBackbone, clip_folder: Path, tmp_path: Path
) -> None:
    """Only where all of it is: a snapshot without weights has to be fetched."""
    (tmp_path / "models--someone--cached" / "refs").mkdir(parents=True)
    (tmp_path / "models--someone--cached" / "refs" / "main").write_text("0")
    snapshot = shutil.copytree(clip_folder, tmp_path / "models--someone--cached" / "snapshots" / "0")
    cached = FrozenBackbone("someone/cached")
    assert (cached.name, cached.fingerprint) == ("someone/cached", backbone.fingerprint)
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"'someone/cached'.*cannot be reached now"):
        FrozenBackbone("someone/cached")


def test_a_hub_that_answers_or_need_not_is_asked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as behind_a_proxy, socket.socket() as proxy:
        proxy.bind(("127.0.0.1", 0))
        address = f"http://localhost:{proxy.getsockname()[1]}"
        behind_a_proxy.setattr("prompt_video.backbones.hub.getproxies", lambda: {"http": address})
        with pytest.raises(InputError, match="the proxy localhost cannot be reached now"):
            check_reachable("someone/clip")
        proxy.listen()
        check_reachable("someone/clip")
    with monkeypatch.context() as offline:
        offline.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        check_reachable("someone/clip")
    with socket.socket() as hub:
        hub.bind(("127.0.0.1", 0))
        hub.listen()
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{hub.getsockname()[1]}")
        check_reachable("someone/clip")


def test_a_name_that_is_looked_up_for_long_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> socket.socket:
        time.sleep(0.3)
        return socket.socket()

    monkeypatch.setattr("socket.create_connection", slow)
    monkeypatch.setattr("prompt_video.backbones.hub.SECONDS", 0.05)
    with pytest.raises(InputError, match=r"cannot be reached now \(no answer in 0.05 s\)"):
        check_reachable("someone/clip")


def test_what_cannot_be_an_id_is_no_folder_either(port: int) -> None:
    with pytest.raises(InputError, match="no such folder, and an id on the hub is two words with a slash"):
        snapshot_of("my models/clip/b16")
