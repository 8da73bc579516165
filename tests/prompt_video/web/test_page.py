"""The page as a person meets it: a real server, a real browser, a real upload, keys and clicks."""

import csv
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

STATUS = "document.querySelector('#status').textContent"
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


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
    def press(self, key: str, text: str = "") -> None: ...
    def tab_to(self, selector: str) -> None: ...
    def click(self, selector: str) -> None: ...
    def look(self, expression: str) -> object: ...
    def wait(self, expression: str) -> object: ...
    def picture(self, path: Path) -> None: ...
    def show_as(self, scheme: str = "light", width: int = 1280) -> None: ...
    def keep_downloads_in(self, folder: Path) -> None: ...
    def findings(self) -> list[str]: ...


def score(browser: Looking, video: Path, texts: str) -> None:
    browser.upload(video)
    browser.wait(f"/is here/.test({STATUS})")
    browser.type("#texts", texts)
    browser.click("#score")
    browser.wait(f"/^Done/.test({STATUS})")


def test_keys_alone_lead_from_a_clip_to_its_subtitles(
    server: Served, browser: Looking, many_shapes: Path, tmp_path: Path
) -> None:
    downloads = tmp_path / "downloads"
    browser.keep_downloads_in(downloads)
    browser.open(server.url)
    browser.tab_to("#file")
    browser.upload(many_shapes)  # what the file chooser of the system would hand over
    browser.wait(f"/is here: 0:0/.test({STATUS})")
    browser.wait("document.querySelector('#player').videoWidth > 0")
    browser.tab_to("#texts")
    browser.type("#texts", "a square moving right\na star spinning\na heart growing")
    browser.tab_to("#score")
    browser.press("Enter", "\r")
    browser.wait(f"/^Done: a .* fits best/.test({STATUS})")
    rows = str(browser.look("document.querySelector('#ranking').innerText"))
    assert re.search(r"a square moving right\s+\d+\.\d %\s+-?\d\.\d{3}", rows)
    assert all(name in rows for name in ("Text", "Probability", "Similarity (cosine)"))
    assert browser.look("document.querySelectorAll('#curve polyline').length") == 3
    assert "without a detector" in str(browser.look("document.querySelector('#segments-hint').textContent"))

    browser.tab_to("#min-score")
    before = browser.look("document.querySelectorAll('.segment').length")
    assert isinstance(before, int)
    assert before >= 2
    browser.press("Home")
    assert browser.look("document.querySelector('#min-score-value').textContent") == "0.00"
    starts = browser.look("[...document.querySelectorAll('.segment')].map((one) => parseFloat(one.style.left))")
    assert isinstance(starts, list)
    place = max(range(len(starts)), key=lambda number: starts[number])
    for _ in range(place + 1):
        browser.tab_to(".segment")
    browser.press("Enter", "\r")
    browser.wait("document.querySelector('#player').currentTime > 0.5")
    named = str(browser.look("document.activeElement.getAttribute('aria-label')"))
    assert re.fullmatch(r"a .*, \d:\d\d\.\d to \d:\d\d\.\d, score \d\.\d\d", named)
    assert f"The video is at {named.split(', ')[1].split()[0]}." == browser.look(STATUS)

    for number, kind in enumerate(("srt", "csv", "json"), start=1):
        browser.tab_to(f"#downloads a:nth-child({number})")
        browser.press("Enter", "\r")
        file = downloads / f"two shapes.{kind}"
        end = time.monotonic() + 30
        while not file.is_file() and time.monotonic() < end:
            time.sleep(0.1)
        assert file.is_file()
    shown = browser.look("document.querySelectorAll('.segment').length")
    assert len(list(csv.DictReader((downloads / "two shapes.csv").read_text().splitlines()))) == shown
    assert (downloads / "two shapes.srt").read_text().startswith("1\n00:00:0")
    assert len(json.loads((downloads / "two shapes.json").read_text())["best"]) == 3


def test_nothing_serious_is_found_in_light_and_dark_and_nothing_hangs_out_on_a_phone(
    server: Served, browser: Looking, many_shapes: Path, tmp_path: Path
) -> None:
    long = tmp_path / "a_file_of_a_name_that_is_much_longer_than_any_phone_is_wide_in_any_hand.mp4"
    long.write_bytes(many_shapes.read_bytes())
    for scheme, width in (("light", 1280), ("dark", 390)):
        browser.show_as(scheme, width)

        def look_at(name: str, scheme: str = scheme) -> None:
            assert browser.findings() == []
            assert browser.look(SIDEWAYS) == 0
            browser.picture(tmp_path / "page.png")
            picture = np.asarray(Image.open(tmp_path / "page.png").convert("L"))
            assert picture.std() > 5, f"{name} is an empty page"
            assert (np.median(picture) < 100) == (scheme == "dark")

        browser.open(server.url)
        look_at("empty")
        browser.click("#score")
        browser.wait("document.querySelector('#video-error').textContent")
        look_at("mistakes")
        score(browser, long, "a square moving right\na star spinning\n" + "anextremelylongwordofnolanguage" * 4)
        browser.click("#overlapping")
        look_at("result")
        browser.open(f"{server.url}#search")
        browser.type("#query", "a red square")
        browser.press("Enter", "\r")
        browser.wait("document.querySelector('.hit img')?.naturalWidth > 0")
        look_at("hits")
    outside = [url for url in browser.requested if not url.startswith((server.url, "data:", "blob:", "about:"))]
    assert not outside, "the page asks no other server"


def test_moments_are_pictures_that_play(server: Served, browser: Looking) -> None:
    browser.open(f"{server.url}#search")
    browser.click("#find")
    browser.wait("document.querySelector('#query-error').textContent.startsWith('There is no text yet')")
    browser.type("#query", "a red square")
    browser.press("Enter", "\r")
    hits = browser.wait("document.querySelector('.hit') && document.querySelector('#hits').innerText")
    assert "square.mp4" in str(hits)
    assert browser.look("document.querySelector('#query-error').textContent") == ""
    assert browser.look("document.querySelectorAll('#hits input').length") == 0
    browser.tab_to(".hit")
    browser.press("Enter", "\r")
    browser.wait("document.querySelector('.hit video')?.readyState >= 2")


def test_what_cannot_be_used_is_told_once_beside_it(
    server: Served, browser: Looking, shapes: Path, videos: Path, tmp_path: Path
) -> None:
    told = "[...document.querySelectorAll('.error')].map((one) => one.textContent).filter(Boolean)"
    browser.open(server.url)
    browser.click("#score")
    browser.wait(f"({told}).length == 2")
    assert str(browser.look("document.querySelector('#video-error').textContent")).startswith("There is no video yet")
    assert str(browser.look("document.querySelector('#texts-error').textContent")).startswith("There is no text yet")
    browser.type("#texts", "a square")
    large = tmp_path / "large.mp4"
    large.write_bytes((shapes / "square.mp4").read_bytes() + bytes(3_000_000))
    browser.upload(large)
    browser.wait(f"({told}).some((one) => one.startsWith('The video has 3 MB'))")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes((shapes / "square.mp4").read_bytes()[:700])
    browser.upload(broken)
    browser.wait(f"({told}).some((one) => one.startsWith('The video cannot be used'))")
    assert browser.look("document.querySelector('#bar').hidden"), "nothing seems to go on"
    browser.upload(videos / "flv_h264.flv")
    assert browser.look("document.querySelector('#result').hidden"), "what was known of another one"
    browser.wait("document.querySelector('#player').videoWidth > 0")
    assert browser.look("document.querySelector('#player').dataset.kind") == "copy"
    browser.click("#score")
    browser.wait(f"/^Done/.test({STATUS})")
    assert browser.look(told) == []
    server.process.poll()
    assert server.process.returncode is None, "the server goes on"


def test_a_clip_that_shows_none_of_the_texts(serve: Callable[..., Served], browser: Looking, many_shapes: Path) -> None:
    browser.open(serve("--none_below", "1").url)
    score(browser, many_shapes, "a square moving right\na star spinning")
    assert str(browser.look(STATUS)).startswith("Done: None of these.")
    verdict = str(browser.look("document.querySelector('#verdict').innerText"))
    assert re.fullmatch(r"None of these: the confidence is 0\.\d{3}, and below 1\.000 a video shows none .*", verdict)
    assert browser.look("document.querySelectorAll('.segment').length") == 0
    assert "Left out: 'none of these'" in str(browser.look("document.querySelector('#segments-hint').textContent"))
