"""How written pages look: contrast of their colours, and a browser that shows them wide, narrow, dark and printed."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

import axe_core_python
import pytest
from websockets.sync.client import ClientConnection, connect

from prompt_video.cli import main
from prompt_video.reports.figures import COLORS
from prompt_video.reports.timeline import BAND, INK, SOFT, STRONGEST, WEAKEST

STYLE = resources.files("prompt_video.reports").joinpath("page.css").read_text(encoding="utf-8")
SCHEMES = dict(zip(("light", "dark"), re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL), strict=False))
PATIENCE_SEC = 240.0  # axe reads a long page, on a machine that does much else
Color = tuple[float, float, float]


def colors(scheme: str) -> dict[str, Color]:
    """The palette of a scheme, without what shines through."""
    found = re.findall(r"--(\w+): #([0-9a-f]{6})\b", SCHEMES[scheme])
    return {name: _color(text) for name, text in found}


def _color(text: str) -> Color:
    red, green, blue = (int(text[place : place + 2], 16) / 255 for place in (0, 2, 4))
    return red, green, blue


def mixed(color: Color, paper: Color, strength: float) -> Color:
    red, green, blue = (strength * one + (1 - strength) * other for one, other in zip(color, paper, strict=True))
    return red, green, blue


def contrast(one: Color, other: Color) -> float:
    """As WCAG 2.2 defines it, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Color) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_is_that_of_wcag() -> None:
    assert contrast(_color("000000"), _color("ffffff")) == pytest.approx(21)
    assert contrast(_color("777777"), _color("ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_and_all_lines_can_be_seen(scheme: str) -> None:
    palette = colors(scheme)
    for paper, text in product(("paper", "card"), ("ink", "soft", "accent", "good", "bad")):
        assert contrast(palette[text], palette[paper]) >= 4.5, (text, paper)
    for number in range(len(COLORS)):
        assert contrast(palette[f"s{number}"], palette["card"]) >= 3, number
    marked = mixed(palette["accent"], palette["card"], 0x1F / 255)  # --wash, on which the best figures stand
    assert contrast(palette["accent"], marked) >= 4.5
    for kind, strength in product(("s0", "s1"), (WEAKEST, 0.3, STRONGEST)):
        assert contrast(palette["ink"], mixed(palette[kind], palette["band"], strength)) >= 4.5, (kind, strength)
    assert contrast(palette["s0"], palette["band"]) >= 3


def test_pictures_are_drawn_in_the_light_colours_of_the_page() -> None:
    palette = colors("light")
    assert [palette[f"s{number}"] for number in range(len(COLORS))] == [_color(color[1:]) for color in COLORS]
    assert [palette[name] for name in ("ink", "soft", "band")] == [_color(color[1:]) for color in (INK, SOFT, BAND)]


class Tab:
    """One page of a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.number = socket, 0

    def call(self, method: str, **params: object) -> dict[str, Any]:
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while (found := json.loads(self.socket.recv(PATIENCE_SEC))).get("id") != self.number:
            pass
        result: dict[str, Any] = found["result"]
        return result

    def look(self, expression: str) -> Any:  # noqa: ANN401 - what JavaScript comes to
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def show(self, page: Path, scheme: str, width: int) -> None:
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **screen)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=page.absolute().as_uri())
        while self.look("document.readyState") != "complete":
            pass


@pytest.fixture(scope="module")
def tab(
    chromium: Callable[..., AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("profile")) as address, connect(address, max_size=None) as socket:
        yield Tab(socket)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["recognition", "localization", "retrieval", "runs"])
def test_a_page_is_for_everyone(kind: str, tab: Tab, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """On any screen, in both schemes: nothing that axe finds, nothing that scrolls the page sideways; and in print."""
    runs = {name: request.getfixturevalue(name).folder for name in ("recognition", "localization", "retrieval")}
    page = tmp_path / "report.html"
    if kind in runs:
        page = runs[kind] / "report.html"
    else:
        assert main(["report", *map(str, runs.values()), "--out", str(page)]) == 0
    axe = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    for scheme, width in product(("light", "dark"), (1280, 390)):
        tab.show(page, scheme, width)
        assert tab.look("document.documentElement.scrollWidth") <= width, (scheme, width)
        tab.look("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert tab.look("document.documentElement.scrollWidth") <= width, (scheme, width, "all that unfolds")
        tab.call("Runtime.evaluate", expression=axe)
        found = tab.look("axe.run().then((all) => all.violations.map((v) => `${v.id}: ${v.nodes[0].html}`))")
        assert found == [], (scheme, width)
    tab.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert tab.look("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed = base64.b64decode(tab.call("Page.printToPDF", printBackground=True)["data"])
    assert printed.startswith(b"%PDF")
