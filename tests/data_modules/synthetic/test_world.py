from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import UInt8
from torch import Tensor

from data_modules.errors import InputError
from data_modules.synthetic.world import Script, render_missing
from data_modules.video.decoding import VideoReader

WORLD = {"version": 1, "seed": 0}


@dataclass(frozen=True)
class Grey(Script):
    """A few grey frames, after which the program may be killed."""

    level: int
    is_killed: bool = False

    def frames(self) -> Iterator[UInt8[Tensor, "T 3 S S"]]:
        for _ in range(2):
            yield torch.full((3, 3, 96, 96), self.level, dtype=torch.uint8)
        if self.is_killed:
            raise KeyboardInterrupt


def renderings(root: Path, count: int = 4, killed_at: int | None = None) -> list[tuple[Path, Script]]:
    return [(root / "deep" / f"{n}.mp4", Grey(50 * n, n == killed_at)) for n in range(count)]


def contents(root: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of change of every video."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(root.rglob("*.mp4"))}


def assert_shows(root: Path, number: int) -> None:
    with VideoReader(root / "deep" / f"{number}.mp4") as reader:
        frames = torch.stack([frame for frame, _ in reader.frames()])
    assert frames.shape == (6, 3, 96, 96)
    assert (frames.float() - 50 * number).abs().max() < 5


def test_files_hold_what_the_scripts_show(tmp_path: Path) -> None:
    render_missing(tmp_path, WORLD, renderings(tmp_path))
    assert list(contents(tmp_path)) == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    for number in range(4):
        assert_shows(tmp_path, number)


def test_only_what_is_missing_is_rendered(tmp_path: Path) -> None:
    render_missing(tmp_path, WORLD, renderings(tmp_path))
    before = contents(tmp_path)
    (tmp_path / "deep" / "1.mp4").unlink()
    render_missing(tmp_path, WORLD, renderings(tmp_path, count=5))
    after = contents(tmp_path)
    assert list(after) == [*before, "4.mp4"]
    assert {name: after[name] for name in ("0.mp4", "2.mp4", "3.mp4")} == {n: before[n] for n in before if n != "1.mp4"}
    assert_shows(tmp_path, 1)


def test_a_killed_rendering_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        render_missing(tmp_path, WORLD, renderings(tmp_path, killed_at=2))
    before = contents(tmp_path)
    assert list(before) == ["0.mp4", "1.mp4"]
    render_missing(tmp_path, WORLD, renderings(tmp_path))
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before
    assert list(after) == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    for number in (2, 3):
        assert_shows(tmp_path, number)


def test_another_world_is_refused(tmp_path: Path) -> None:
    render_missing(tmp_path, WORLD, renderings(tmp_path, count=1))
    for other in ({**WORLD, "seed": 1}, {**WORLD, "version": 2}, {**WORLD, "videos": "untrimmed"}):
        with pytest.raises(InputError, match=r"holds another world .* than asked for .*; name another data\.root"):
            render_missing(tmp_path, other, renderings(tmp_path))
    assert list(contents(tmp_path)) == ["0.mp4"]


def test_a_kill_while_the_world_is_noted_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(path: Path, text: str, *options: Any) -> None:  # noqa: ANN401
        path.write_bytes(text[: len(text) // 2].encode())
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(KeyboardInterrupt):
        render_missing(tmp_path, WORLD, renderings(tmp_path, count=1))
    monkeypatch.undo()
    render_missing(tmp_path, WORLD, renderings(tmp_path, count=1))
    assert list(contents(tmp_path)) == ["0.mp4"]
