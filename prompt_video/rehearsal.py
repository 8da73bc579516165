"""A miniature of an experiment's data: the layout of the real data set, made-up videos, a few of a few classes."""

import io
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.video.stream import VideoStream

from data_modules.base import VideoDataModule
from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.miniatures import write_annotations
from data_modules.moving_shapes import MovingShapes
from data_modules.rendering import FRAME_RATE, render
from data_modules.video_folder import VideoFolder
from prompt_video.settings import SettingsCLI

MARKER = ".made_by_rehearse"
LIMIT = {"trials": 2, "classes": 3, "videos": 2}
SCENES = (("star", "moving left"), ("heart", "spinning"), ("moon", "growing"), ("square", "moving up"))
NUM_FRAMES = 16
FOLDER_VIDEOS = 30  # of each class of a folder: enough for the usual fractions, and for 16 shots
# Container and codec as the data sets have them; everything else becomes an mp4, whatever it is called.
FORMATS = {".avi": ("avi", "mpeg4", {}), ".webm": ("webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"})}
MP4 = ("mp4", "libx264", {"preset": "ultrafast"})
NO_LISTS: Mapping[str, Any] = {"annotations": None, "labels": None}  # of the user's, where a data set has such options


def open_folder(folder: Path) -> None:
    """An empty folder, marked as ours.

    Raises:
        InputError: when something else is in it.
    """
    if folder.exists() and not (folder / MARKER).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} was not made by a rehearsal, and is left alone; name another --folder.")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def make_miniature(settings: SettingsCLI, folder: Path) -> list[str]:
    """Write the data that an experiment needs at the least.

    Args:
        settings: of the experiment.
        folder: where to; every data set becomes a folder in it.

    Returns:
        The options that make the experiment use it.
    """
    given = settings.settings["data"]["init_args"]
    changes = _changes(given, folder)
    others = []
    for number, other in enumerate(given["test_on"] or [], start=1):
        arguments = {**other["init_args"].as_dict(), **_changes(other["init_args"], folder / f"test_on_{number}")}
        others.append({"class_path": other["class_path"], "init_args": arguments})
    changes |= {"test_on": others or None, "limit": LIMIT, "trial": None}
    _write(settings.data(**changes))
    return [
        f"--data.{name}={value if isinstance(value, Path) else json.dumps(value, default=str)}"
        for name, value in changes.items()
    ]


def _changes(given: Any, folder: Path) -> dict[str, Any]:  # noqa: ANN401 - a namespace of the configuration
    root = folder / Path(given["root"]).name
    return {"root": root, **{name: value for name, value in NO_LISTS.items() if name in given}}


def _write(data: VideoDataModule) -> None:
    for module in (data, *data.test_on):
        module.root.mkdir(parents=True, exist_ok=True)
        if isinstance(module, VideoFolder):
            _fill_folder(module)
        else:
            write_annotations(module)
    scenes: dict[str, int] = {}
    for name, record in _records(data):
        scene = scenes.setdefault(name, len(scenes)) % len(SCENES)
        if not record.path.exists():
            record.path.parent.mkdir(parents=True, exist_ok=True)
            record.path.write_bytes(video(scene, record.path.suffix.lower()))


def _fill_folder(data: VideoFolder) -> None:
    labels = [*data.renamed, *(f"class_{letter}" for letter in "abc")]
    for number, label in enumerate(labels):
        (data.root / label).mkdir(parents=True)
        for copy in range(FOLDER_VIDEOS):
            (data.root / label / f"{copy}.mp4").write_bytes(video(number % len(SCENES), ".mp4"))


def _records(data: VideoDataModule) -> Iterator[tuple[str, Record]]:
    """Class name and record of every video that is needed."""
    for trial in data.trials:
        for part in trial.parts.values():
            for record in part.records:
                yield part.class_names[record.target], record
    for module in (data, *data.test_on):
        if isinstance(module, MovingShapes):  # it would render what is missing, wanted or not
            every: Iterable[Record] = (record for records in module.catalog.records.values() for record in records)
            yield from ((module.catalog.class_names[record.target], record) for record in every)


@cache
def video(scene: int, suffix: str) -> bytes:
    """A small video file.

    Args:
        scene: which of `SCENES` it shows.
        suffix: of the file's name.
    """
    container_format, codec, options = FORMATS.get(suffix, MP4)
    frames = render(*SCENES[scene], seed=scene).frames[-NUM_FRAMES:]
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=FRAME_RATE, options=options))
        stream.height, stream.width = frames.shape[-2:]
        stream.pix_fmt, stream.thread_count, stream.time_base = "yuv420p", 1, Fraction(1, FRAME_RATE)
        for array in frames.permute(0, 2, 3, 1).numpy():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()
