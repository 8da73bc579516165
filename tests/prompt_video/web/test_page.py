"""The page as a person meets it: a real server, a real browser, a real upload and real clicks."""

import re
import subprocess
import time
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow


class Served(Protocol):
    """See conftest.py."""

    process: "subprocess.Popen[str]"
    url: str


class Looking(Protocol):
    """See conftest.py."""

    requested: list[str]

    def open(self, url: str) -> None: ...
    def upload(self, file: Path) -> None: ...
    def type(self, selector: str, text: str) -> None: ...
    def click(self, selector: str) -> None: ...
    def wait(self, expression: str) -> object: ...
    def picture(self, path: Path) -> None: ...


def test_a_video_is_scored_segmented_and_searched(
    server: Served, browser: Looking, shapes: Path, tmp_path: Path
) -> None:
    browser.open(server.url)
    browser.upload(shapes / "square.mp4")
    browser.wait("!!document.querySelector('#video video')")
    browser.type("#texts", "a square moving right\na star blinking")
    browser.click("#score")
    rows = str(browser.wait("document.querySelector('#ranking') && document.querySelector('#ranking').innerText"))
    assert re.search(r"a square moving right\s+\d+\.\d%", rows)
    assert re.search(r"a star blinking\s+\d+\.\d%", rows)
    assert browser.wait("document.querySelectorAll('#curve polyline').length") == 2
    browser.click("#find")
    told = str(browser.wait("document.querySelector('#segments') && document.querySelector('#segments').innerText"))
    assert "without a detector" in told
    browser.picture(tmp_path / "page.png")
    assert np.asarray(Image.open(tmp_path / "page.png").convert("L")).std() > 5, "not an empty page"

    browser.click("[role=tab]:nth-of-type(2)")
    browser.type("#query", "a red square")
    browser.click("#search")
    hits = browser.wait("document.querySelector('#hits label') && document.querySelector('#hits').innerText")
    assert "square.mp4" in str(hits)
    browser.wait("document.querySelector('#player video') && document.querySelector('#player video').readyState >= 2")
    browser.picture(tmp_path / "search.png")
    outside = [url for url in browser.requested if not url.startswith((server.url, "data:", "blob:", "about:"))]
    assert not outside, "the page asks no other server"


def test_what_cannot_be_used_gets_a_message(server: Served, browser: Looking, shapes: Path, tmp_path: Path) -> None:
    browser.open(server.url)
    browser.click("#score")
    browser.wait("document.body.innerText.includes('There is no text yet')")
    browser.type("#texts", "a square")
    browser.click("#score")
    browser.wait("document.body.innerText.includes('There is no video yet')")
    large = tmp_path / "large.mp4"
    large.write_bytes((shapes / "square.mp4").read_bytes() + bytes(3_000_000))
    browser.upload(large)
    browser.wait("/exceed|too large|maximum/i.test(document.body.innerText)")
    browser.picture(tmp_path / "large.png")
    browser.open(server.url)
    browser.type("#texts", "a square")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes((shapes / "square.mp4").read_bytes()[:700])
    browser.upload(broken)
    time.sleep(2)
    browser.click("#score")
    browser.wait("document.body.innerText.includes('The video cannot be used')")
    assert server.process.poll() is None, "the server goes on"
