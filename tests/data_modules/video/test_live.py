"""Sources that are still going on: files, growing files, and a stream over HTTP that is cut and comes back."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from data_modules.errors import InputError
from data_modules.synthetic.rendering import FRAME_RATE, encode
from data_modules.video import live
from data_modules.video.decoding import VideoReader
from data_modules.video.live import Back, LivePicture, LiveSource, Lost, without_secrets

VIDEOS = Path(__file__).parents[1] / "videos"
SIZE = 96


def grey(number: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), 20 + number * 2, np.uint8)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds that grow brighter frame by frame, as a transport stream."""
    path = tmp_path_factory.mktemp("stream") / "brighter.ts"
    options = {"qp": "10", "preset": "ultrafast", "g": "8", "bf": "0"}
    encode(str(path), "mpegts", "libx264", options, map(grey, range(4 * FRAME_RATE)))
    return path


def pictures(events: Iterator[object]) -> list[LivePicture]:
    return [event for event in events if isinstance(event, LivePicture)]


def test_a_file_gives_what_is_on_screen_at_each_tick() -> None:
    video = VIDEOS / "cleaning_pool_gap_h264.mp4"
    with LiveSource(str(video), rate=4.0) as source:
        found = pictures(iter(source))
    times = np.array([one.time_sec for one in found])
    assert np.allclose(np.diff(times), 0.25)
    with VideoReader(video) as reader:
        shown, _ = reader.decode(times)
        assert times[-1] <= reader.timeline.duration_sec < times[-1] + 0.5
    for one, picture in zip(found, shown, strict=True):
        assert torch.equal(one.picture, picture)


def test_a_growing_file_is_followed_until_nothing_comes(
    stream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SILENT_SEC", 1.0)
    whole, growing = stream.read_bytes(), tmp_path / "growing.ts"
    half = len(whole) // 2
    growing.write_bytes(whole[:half])

    def write() -> None:
        time.sleep(0.5)
        with growing.open("ab") as file:
            file.write(whole[half:])

    writer = threading.Thread(target=write)
    writer.start()
    silences = []
    read = live._Growing.read

    def timed(file: live._Growing, size: int) -> bytes:
        began = time.monotonic()
        content = read(file, size)
        silences.append(0.0 if content else time.monotonic() - began)
        return content

    monkeypatch.setattr(live._Growing, "read", timed)
    with LiveSource(str(growing), rate=2.0, follow=True) as source:
        found = pictures(iter(source))
    writer.join()
    assert sum(silence > 0.8 for silence in silences) == 1, "its end is waited for once"
    assert [one.time_sec for one in found][:7] == [0.5 * tick for tick in range(7)]
    levels = [one.picture.float().mean().item() for one in found]
    assert levels == sorted(levels)


@pytest.fixture
def address(stream: Path) -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """The stream at the pace of its clock; while the first event is set it is cut, and the second ends each answer."""
    content, cut, stop = stream.read_bytes(), threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if cut.is_set():
                self.send_error(503)
                return
            self.send_response(200)
            self.end_headers()
            began, sent = time.monotonic(), 0
            while sent < len(content) and not stop.is_set() and not cut.is_set():
                due = min(len(content), int((time.monotonic() - began) / 4 * len(content)) // 188 * 188 + 188 * 20)
                try:
                    self.wfile.write(content[sent:due])
                except OSError:
                    return
                sent = due
                time.sleep(0.05)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://user:secret@127.0.0.1:{server.server_port}/live", cut, stop
    stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.slow
def test_a_stream_that_is_cut_comes_back(address: tuple[str, threading.Event, threading.Event]) -> None:
    url, cut, _ = address
    events: list[object] = []
    with LiveSource(url, rate=4.0) as source:
        assert "secret" not in source.name
        for event in source:
            events.append(event)
            if len(events) == 8:
                cut.set()
            if isinstance(event, Lost):
                assert "secret" not in event.reason
                threading.Timer(0.7, cut.clear).start()
            if len(pictures(iter(events))) >= 14 and any(isinstance(one, Back) for one in events):
                break
    (back,) = (event for event in events if isinstance(event, Back))
    kinds = [type(event) for event in events]
    assert kinds.index(Lost) + 1 == kinds.index(Back)
    assert 0.5 < back.gap_sec < 10
    times = [one.time_sec for one in pictures(iter(events))]
    assert times == sorted(times), "one clock"
    assert source.skipped == 0


def test_a_slow_reader_loses_the_oldest_of_a_live_source_and_memory_stays(stream: Path) -> None:
    source = LiveSource(str(stream), rate=8.0)
    pictures(iter(source))
    source.is_live = True  # as a camera's pictures come, whoever takes them
    picture = LivePicture(0.0, torch.zeros(3, 2, 2, dtype=torch.uint8), 1.0)
    for number in range(100):
        source._put(picture._replace(time_sec=float(number)))
    source._put(Lost("gone"))
    held = list(source._held)
    assert len(held) == round(live.HELD_SEC * 8) + 1
    assert source.skipped == 100 - round(live.HELD_SEC * 8)
    assert [event.time_sec for event in held if isinstance(event, LivePicture)][-1] == 99
    source.close()


@pytest.mark.slow
def test_a_source_that_does_not_come_back_is_given_up(
    address: tuple[str, threading.Event, threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, cut, _ = address
    monkeypatch.setattr(live, "FIRST_WAIT_SEC", 0.1)
    with LiveSource(url, rate=2.0, give_up_sec=0.5) as source:
        events = iter(source)
        next(events)
        cut.set()
        with pytest.raises(InputError, match="did not come back"):
            list(events)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.mp4", "there is no file nowhere.mp4 to watch"),
        ("http://user:secret@127.0.0.1:9/x", r"^http://127.0.0.1:9/x cannot be opened: .*refused"),
        (__file__, "cannot be opened: Invalid data"),
        ("rtsp://127.0.0.1:9/x", "cannot be opened: Connection refused"),
        ("/dev/video99", "/dev/video99 cannot be opened"),
    ],
)
def test_what_cannot_be_watched(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LiveSource(name, 1.0)


def test_sound_alone_has_no_pictures(tmp_path: Path) -> None:
    import av

    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(audio.encode(frame))
        container.mux(audio.encode())
    with LiveSource(str(path), 1.0) as source, pytest.raises(InputError, match="has no video stream"):
        list(source)


def test_addresses_are_told_without_user_and_password() -> None:
    assert without_secrets("rtsp://me:a%40b@camera/1 of rtsp://x@y") == "rtsp://camera/1 of rtsp://y"
