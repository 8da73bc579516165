"""Teach by example as a person does it on the page, by keys alone, and what is found wrong there."""

import csv
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from PIL import Image

from prompt_video.inference.loading import load

pytestmark = pytest.mark.slow

STATUS = "document.querySelector('#teach-status').textContent"
ERROR = "document.querySelector('#examples-error').textContent"
LESSON_SEC = 400.0  # on a machine that does much else
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Served(Protocol):
    """See conftest.py."""

    url: str


class Looking(Protocol):
    """See conftest.py."""

    def open(self, url: str) -> None: ...
    def upload(self, *files: Path, field: str = "#file") -> None: ...
    def type(self, selector: str, text: str) -> None: ...
    def press(self, key: str, text: str = "") -> None: ...
    def tab_to(self, selector: str) -> None: ...
    def click(self, selector: str) -> None: ...
    def look(self, expression: str) -> object: ...
    def wait(self, expression: str, patience_sec: float = 90.0) -> object: ...
    def picture(self, path: Path) -> None: ...
    def show_as(self, scheme: str = "light", width: int = 1280) -> None: ...
    def keep_downloads_in(self, folder: Path) -> None: ...
    def findings(self) -> list[str]: ...


def downloaded(file: Path) -> Path:
    end = time.monotonic() + 30
    while not file.is_file() and time.monotonic() < end:
        time.sleep(0.1)
    return file


def test_keys_alone_lead_from_clips_to_labels_and_a_correction_to_the_next_lesson(
    serve: Callable[..., Served], browser: Looking, make_videos: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    clips = make_videos(tmp_path / "clips", 5)
    server = serve()
    downloads = tmp_path / "downloads"
    browser.keep_downloads_in(downloads)
    browser.open(f"{server.url}#teach")
    assert browser.look("document.querySelectorAll('.action').length") == 2
    for number, motion in enumerate(("moving left", "spinning"), start=1):
        browser.tab_to(f"#action-{number}")
        browser.type(f"#action-{number}", motion)
        own = sorted((clips / motion.replace(" ", "_")).iterdir())
        browser.tab_to(f"#clips-{number}")
        browser.upload(*own[:3], field=f"#clips-{number}")  # what the file chooser of the system would hand over
    browser.tab_to("#rest")
    # Names of files say nothing to the model, and here the truth to the test.
    for place, motion in enumerate(("moving_left", "spinning")):
        for number in (3, 4):
            (clips / motion / f"{number}.mp4").rename(clips / f"{motion}_{place}{number}.mp4")
    browser.upload(*sorted(clips.glob("*.mp4")), field="#rest")
    browser.wait("/^4 clips are here/.test(document.querySelector('#rest-hint').textContent)")
    browser.tab_to("#teach-go")
    browser.press("Enter", "\r")
    browser.wait(f"/^Learning/.test({STATUS})")
    browser.wait("document.querySelector('#teach-bar').value > 0.1")
    browser.wait("/^about .* left$/.test(document.querySelector('#teach-left').textContent)")
    browser.wait(
        f"/^Done: .* of 6 held-out examples are named rightly .*4 clips are labelled/.test({STATUS})", LESSON_SEC
    )
    assert browser.look("document.querySelector('#teach-bar').hidden")
    known = str(browser.look("document.querySelector('#known').innerText"))
    assert re.search(r"moving left\s+3\s+[0-3] of 3", known)

    browser.tab_to("#lesson-downloads a:nth-child(1)")
    browser.press("Enter", "\r")
    assert load(downloaded(downloads / "taught.ckpt")).class_names == ["moving left", "spinning"]
    browser.tab_to("#lesson-downloads a:nth-child(2)")
    browser.press("Enter", "\r")
    rows = list(csv.DictReader(downloaded(downloads / "labels.csv").read_text().splitlines()))
    assert {row["video"] for row in rows} == {path.name for path in clips.glob("*.mp4")}

    browser.tab_to("#labels select")
    before = browser.look("document.activeElement.value")
    browser.look("document.activeElement.value = 'none of these' === document.activeElement.value ? 'spinning' : "
                 "'none of these'; document.activeElement.dispatchEvent(new Event('change'))")  # fmt: skip
    assert browser.look("document.activeElement.value") != before
    assert browser.look("document.querySelector('#again').textContent") == "Teach again with 1 correction"
    browser.look("document.querySelector('#again').focus()")
    browser.press("Enter", "\r")
    browser.wait(f"/^Learning/.test({STATUS})")
    browser.wait(f"/^Done: .*3 clips are labelled/.test({STATUS})", LESSON_SEC)
    assert browser.look("document.querySelectorAll('#labels > li').length") == 3
    assert browser.look("document.querySelectorAll('#actions .clips li').length") == 7


def test_the_page_is_sound_in_light_and_dark_and_on_a_phone_and_tells_what_cannot_be(
    serve: Callable[..., Served], browser: Looking, make_videos: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    clips = make_videos(tmp_path / "clips", 2)
    server = serve("--max_size", "1")
    for scheme, width in (("light", 1280), ("dark", 390)):
        browser.show_as(scheme, width)

        def look_at(name: str, scheme: str = scheme) -> None:
            assert browser.findings() == []
            assert browser.look(SIDEWAYS) == 0
            browser.picture(tmp_path / f"{name}-{scheme}.png")
            picture = np.asarray(Image.open(tmp_path / f"{name}-{scheme}.png").convert("L"))
            assert picture.std() > 5, f"{name} is an empty page"
            assert (np.median(picture) < 100) == (scheme == "dark")

        browser.open(f"{server.url}#teach")
        browser.click("#teach-go")
        browser.wait(f"{ERROR}.startsWith('There are no clips yet')")
        assert browser.look("document.activeElement.matches('.action-name')"), "what can be mended has the focus"
        look_at("mistake")
        broken = tmp_path / "a_broken_clip_of_a_long_name_without_any_blank_in_it_at_all.mp4"
        broken.write_bytes((clips / "spinning" / "0.mp4").read_bytes()[:700])
        browser.upload(*sorted((clips / "spinning").iterdir()), broken, field="#clips-1")
        browser.wait("document.querySelector('.bad .name')?.textContent.includes('The video cannot be used')")
        browser.click("#teach-go")
        browser.wait(f"{ERROR}.includes('has no name yet')")
        browser.type("#action-1", "spinning")
        browser.click("#teach-go")
        browser.wait(f"{ERROR}.startsWith('There is one action only')")
        browser.type("#action-2", "moving left")
        browser.upload(*sorted((clips / "moving_left").iterdir()), field="#clips-2")
        browser.upload(clips / "moving_left" / "0.mp4", field="#rest")
        browser.click("#teach-go")
        browser.wait(f"/^Done/.test({STATUS})", LESSON_SEC)
        assert "'spinning' has two examples" in str(browser.look("document.querySelector('#told').textContent"))
        browser.wait("document.querySelector('#labels video').readyState >= 1")
        look_at("result")
    browser.open(server.url)
    assert browser.look("document.querySelector('#teach').hidden"), "other parts stay as they are"
