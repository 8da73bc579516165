"""Any bytes in the place of a file of scores, texts, a sweep or an experiment: a value, or one sentence."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from data_modules.errors import InputError
from prompt_video.cli import main
from prompt_video.experiment.settings import read_settings
from prompt_video.experiment.tables.sweep_file import read_sweep
from prompt_video.export.bank import BANK_KIND
from prompt_video.export.bank import read_bank as read_class_bank
from prompt_video.io.bounded_yaml import read_mapping, safe_load
from prompt_video.metrics.retrieval.caption_videos import video_indices
from prompt_video.metrics.retrieval.score_matrices import read_matrix
from prompt_video.model.description_files import read_descriptions
from prompt_video.model.templates import templates_of
from prompt_video.model.text_bank import read_bank as read_text_bank
from prompt_video.teaching.corrections import take_corrections

SWEEP = b"method: grid\nparameters:\n  model.temperature: {values: [0.07, 0.01]}\n"


def saved() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.eye(3))
    return buffer.getvalue()


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Bytes of a good file with some of them others, cut or written twice; or any bytes at all."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 9))] = draw(st.binary(max_size=9))
    return bytes(data)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bytes, Callable[[Path], Any]], None]:
    folder = tmp_path_factory.mktemp("files")

    def run(name: str, data: bytes, reader: Callable[[Path], Any]) -> None:
        path = folder / name
        path.write_bytes(data)
        said = str(path)
        try:
            with warnings.catch_warnings(action="ignore"):
                reader(path)
        except InputError as error:
            said = str(error)
        path.unlink()
        assert str(path) in said

    return run


@settings(max_examples=80, deadline=None)
@given(damaged(saved()), damaged(b"0\n1\n2\n"), damaged(b"[0, 1, 2]"))
def test_scores_and_owners(read: Callable[..., None], array: bytes, text: bytes, listed: bytes) -> None:
    read("a.npy", array, read_matrix)
    for name, data in (("a.npy", array), ("a.txt", text), ("a.json", listed)):
        read(name, data, lambda path: video_indices(path, (3, 3), Path("scores.npy")))


@settings(max_examples=80, deadline=None)
@given(damaged(SWEEP))
def test_sweeps(read: Callable[..., None], data: bytes) -> None:
    read("sweep.yaml", data, read_sweep)


@settings(max_examples=25, deadline=None)
@given(
    damaged(
        b"name: x\ntrainer: {max_epochs: 1}\ndata: {class_path: VideoFolder}\nmodel: {class_path: RecognitionTask}\n"
    )
)
def test_experiments(read: Callable[..., None], data: bytes) -> None:
    def reader(path: Path) -> None:
        try:
            read_settings(["--config", str(path)])
        except InputError as error:
            raise InputError(f"{path}: {error}") from None  # a setting of it is named, not always the file

    read("x.yaml", data, reader)


BANK = save(
    {"vectors": torch.eye(2), "bias": torch.zeros(2)},
    {"kind": BANK_KIND, "names": '["a", "b"]', "model": "m", "temperature": "0.1"},
)
TEXTS: dict[str, tuple[bytes, Callable[[Path], Any]]] = {
    "bank.safetensors": (BANK, read_class_bank),
    "none.txt": (b"cooking rice\nswimming\n", lambda path: read_text_bank(str(path))),
    "templates.txt": (b"a photo of {}\nthe {}\n", lambda path: templates_of(str(path))),
    "described.json": (b'{"jump": ["a", "b"], "run": ["c"]}', lambda path: read_descriptions(str(path))),
    "described.csv": (b'class,sentence\njump,"a, b"\nrun,c\n', lambda path: read_descriptions(str(path))),
    "corrections.csv": (
        b"video,class\nv.mp4,jump\n/w.mp4,run\n",
        lambda path: take_corrections(path.parent / "e", path),
    ),
    "row.yaml": (b"title: x\nrows: [{method: a}]\nmore: &x {e: 1}\n", read_mapping),
}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(TEXTS)).flatmap(lambda name: st.tuples(st.just(name), damaged(TEXTS[name][0]))))
def test_texts_and_banks(read: Callable[..., None], file: tuple[str, bytes]) -> None:
    name, data = file
    read(name, data, TEXTS[name][1])


RESULTS = b"""{"protocol": "p", "seed": 0, "metrics": {"test/top1": 0.5, "test/frozen_top1": 0.4},
"confidence": {"test/top1": {"mean": 0.5, "std": 0.1, "ci95": 0.1, "trials": 3}}, "model": "m"}"""
ENVIRONMENT = b'{"command": ["prompt-video", "fit"], "git": {"commit": "a"}, "packages": {"a": "1"}, "gpus": ["b"]}'


@settings(max_examples=60, deadline=None)
@given(damaged(RESULTS), damaged(b"model: {init_args: {a: 1}}\n"), damaged(ENVIRONMENT))
def test_runs(tmp_path_factory: pytest.TempPathFactory, results: bytes, config: bytes, environment: bytes) -> None:
    folder = tmp_path_factory.mktemp("run")
    for name, data in (("results.json", results), ("config.yaml", config), ("environment.json", environment)):
        (folder / name).write_bytes(data)
    assert main(["report", str(folder), "--out", str(folder / "r.md"), "--markdown"]) in (0, 1)


def test_yaml_is_bounded() -> None:
    with pytest.raises(RecursionError):
        safe_load("[" * 1000)
