"""A page that is really served, and a browser that really looks at it, by the DevTools protocol."""

import asyncio
import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import av
import axe_core_python
import numpy as np
import pytest
import websockets.asyncio.client as websockets

from data_modules.synthetic.rendering import render, write_mp4

PATIENCE_SEC = 90.0


@dataclass
class Server:
    """``prompt-video serve`` in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    temporary: Path


@dataclass
class Browser:
    """One tab; calls are answered by a thread that talks to the browser."""

    socket: websockets.ClientConnection
    loop: asyncio.AbstractEventLoop
    requested: list[str] = field(default_factory=list)
    answers: dict[int, "Future[dict[str, object]]"] = field(default_factory=dict)
    number: int = 0

    def call(self, method: str, **params: object) -> dict[str, object]:
        self.number += 1
        answer: Future[dict[str, object]] = Future()
        self.answers[self.number] = answer
        message = json.dumps({"id": self.number, "method": method, "params": params})
        asyncio.run_coroutine_threadsafe(self.socket.send(message), self.loop).result(PATIENCE_SEC)
        return answer.result(PATIENCE_SEC)

    def look(self, expression: str) -> object:
        """What some JavaScript comes to."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        found = result["result"]
        assert isinstance(found, dict)
        return found.get("value")

    def wait(self, expression: str, patience_sec: float = PATIENCE_SEC) -> object:
        """Until some JavaScript comes to something."""
        end = time.monotonic() + patience_sec
        while time.monotonic() < end:
            if found := self.look(expression):
                return found
            time.sleep(0.2)
        raise AssertionError(f"never came true: {expression}; the page says: {self.look('document.body.innerText')}")

    def open(self, url: str) -> None:
        self.call("Page.navigate", url="about:blank")  # else a change of the part behind the # loads nothing
        self.call("Page.navigate", url=url)
        self.wait("document.body?.dataset.ready")

    def upload(self, *files: Path, field: str = "#file") -> None:
        """As if they were chosen in a field."""
        root = self.call("DOM.getDocument")["root"]
        assert isinstance(root, dict)
        found = self.call("DOM.querySelector", nodeId=root["nodeId"], selector=field)
        self.call("DOM.setFileInputFiles", nodeId=found["nodeId"], files=list(map(str, files)))

    def type(self, selector: str, text: str) -> None:
        self.look(f"document.querySelector('{selector}').focus()")
        self.call("Input.insertText", text=text)

    def press(self, key: str, text: str = "", *, shift: bool = False) -> None:
        """A key, where the focus is."""
        code = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39, "ArrowLeft": 37, "Home": 36}[key]
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def tab_to(self, selector: str, *, at_most: int = 60) -> None:
        """By the Tab key alone, from where the focus is."""
        for _ in range(at_most):
            self.press("Tab")
            if self.look(f"document.activeElement.matches('{selector}')"):
                return
        raise AssertionError(f"no way by Tab to {selector}")

    def show_as(self, scheme: str = "light", width: int = 1280) -> None:
        """In light or dark colours, on a screen of so many pixels."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=width < 600
        )

    def keep_downloads_in(self, folder: Path) -> None:
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def findings(self) -> list[str]:
        """What axe finds that is serious or critical."""
        axe = Path(axe_core_python.__file__).with_name("axe.min.js").read_text()
        self.call("Runtime.evaluate", expression=axe)
        found = self.look("axe.run().then((all) => all.violations.map((v) => "
                          "`${v.impact}: ${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`))")  # fmt: skip
        assert isinstance(found, list)
        return [one for one in found if one.startswith(("serious", "critical"))]

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of it."""
        place = self.wait(
            f"(() => {{ const e = document.querySelector('{selector}'); if (!e) return null; e.scrollIntoView(); "
            "const r = e.getBoundingClientRect(); return r.width ? [r.x + r.width / 2, r.y + r.height / 2] : null; })()"
        )
        assert isinstance(place, list)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def picture(self, path: Path) -> None:
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(str(data)))


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one video, in which a red square moves to the right for three seconds."""
    folder = tmp_path_factory.mktemp("shapes")
    with av.open(str(folder / "square.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(30):
            image = np.zeros((96, 128, 3), np.uint8)
            image[30:60, 3 * number : 3 * number + 30, 0] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return folder


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Server:
        temporary = tmp_path_factory.mktemp("temporary")
        command = [sys.executable, "-m", "prompt_video", "serve", *options]
        environment = {**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"page: (http\S+)", line):
                return Server(process, found[1], temporary)
        raise AssertionError(f"the page did not come up: {said}")

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait(120)  # on a machine that does much else
        if process.stdout:
            process.stdout.close()


@pytest.fixture(scope="session")
def server(serve: Callable[..., Server], shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """With small limits and an index."""
    index = tmp_path_factory.mktemp("index") / "index"
    model = ["--config=demo_closed", "--method=frozen_templates"]
    command = [sys.executable, "-m", "prompt_video", "index", str(shapes), "--out", str(index), *model]
    subprocess.run(command, check=True, capture_output=True)
    return serve("--index", str(index), "--max_size", "1", "--max_duration", "20")


@pytest.fixture
def many_shapes(shapes: Path, tmp_path: Path) -> Path:
    """Two shapes, one after the other, and a kind of file that no browser plays."""
    frames = [render("square", "moving right", 1).frames, render("star", "spinning", 2).frames]
    write_mp4(frames, tmp_path / "two shapes.mp4")
    return tmp_path / "two shapes.mp4"


@pytest.fixture
def browser(chromium: Callable[..., AbstractContextManager[str]], tmp_path: Path) -> Iterator[Browser]:
    with chromium(tmp_path / "profile", "--window-size=1280,1000") as address:
        loop = asyncio.new_event_loop()
        thread = Thread(target=loop.run_forever)
        thread.start()
        try:
            connecting = asyncio.run_coroutine_threadsafe(_connect(address), loop)
            tab = Browser(connecting.result(PATIENCE_SEC), loop)
            listening = asyncio.run_coroutine_threadsafe(_listen(tab), loop)
            for domain in ("Page", "DOM", "Runtime", "Network"):
                tab.call(f"{domain}.enable")
            yield tab
            asyncio.run_coroutine_threadsafe(tab.socket.close(), loop).result(PATIENCE_SEC)
            listening.result(PATIENCE_SEC)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _connect(address: str) -> websockets.ClientConnection:
    return await websockets.connect(address, max_size=None)


async def _listen(browser: Browser) -> None:
    async for message in browser.socket:
        found = json.loads(message)
        if "id" in found:
            browser.answers.pop(found["id"]).set_result(found.get("result", {"error": found.get("error")}))
        elif found["method"] == "Network.requestWillBeSent":
            browser.requested.append(found["params"]["request"]["url"])
