"""Synthetic caption files in the official formats, for dry runs of retrieval."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path

from data_modules.annotations.official_captions import read_names
from data_modules.annotations.published_lists import LISTS
from data_modules.data_sets.captioned_folder import CaptionedFolder
from data_modules.data_sets.didemo import DiDeMo
from data_modules.data_sets.lsmdc import FILES, LSMDC
from data_modules.data_sets.msrvtt import MSRVTT
from data_modules.data_sets.spoken_moments import SpokenMoments
from data_modules.modules.captioned import CaptionedDataModule
from data_modules.protocols.trial import SPLITS

_MSRVTT_VIDEOS = 10_000


def caption_files(data: CaptionedDataModule, count: int) -> Iterator[tuple[Path, str]]:
    """What a data module of captioned videos lacks: files and their synthetic content.

    Args:
        data: the data module.
        count: synthetic videos of each split, where no packaged list names them.
    """
    if isinstance(data, MSRVTT) and not data.caption_files:
        yield data.root / "annotations" / "MSRVTT_data.json", _msrvtt_json()
    elif isinstance(data, DiDeMo) and data.find_official("train") is None:
        names = read_names(LISTS / "didemo" / "train_list.txt.gz")
        moments = [{"video": name, "description": text} for name in names for text in _captions(name)]
        yield data.root / "annotations" / "train_data.json", json.dumps(moments, indent=0)
    elif isinstance(data, LSMDC):
        for number, split in enumerate(SPLITS):
            if data.find_official(split) is None:
                yield data.root / "annotations" / FILES[split], _lsmdc_csv(number, count)
    elif isinstance(data, SpokenMoments):
        for split in SPLITS:
            if data.find_official(split) is None:
                names = tuple(f"{split}_{number:04d}" for number in range(count))
                yield data.root / "annotations" / f"{split}_set.txt", "".join(f"{name}\n" for name in names)
                for name in names:
                    yield data.root / "annotations" / "transcriptions" / f"{name}.txt", _captions(name)[0]
    elif isinstance(data, CaptionedFolder) and not data.caption_file.exists():
        yield data.caption_file, _table(data.caption_file, count)


def _captions(video: str) -> list[str]:
    """Two synthetic captions that no other video has."""
    return [f"the made-up scene of {video}", f"{video} once more in other words"]


def _msrvtt_json() -> str:
    names = [f"video{number}" for number in range(_MSRVTT_VIDEOS)]
    sentences = [{"video_id": name, "caption": text} for name in names for text in _captions(name)]
    numbered = [{"sen_id": number, **sentence} for number, sentence in enumerate(sentences)]
    return json.dumps({"videos": [{"video_id": name} for name in names], "sentences": numbered}, indent=0)


def _lsmdc_csv(part: int, count: int) -> str:
    lines = []
    for number in range(count):
        times = f"00.{number // 60:02d}.{number % 60:02d}.000", f"00.{number // 60:02d}.{number % 60:02d}.500"
        name = f"{part:04d}_Made_Up_{times[0]}-{times[1]}"
        lines.append("\t".join([name, *times, *times, _captions(name)[0]]))
    return "\n".join([*lines, ""])


def _table(file: Path, count: int) -> str:
    """As its suffix says: CSV, JSON or JSON lines."""
    rows = [
        {"video": f"{split}_{number:04d}.mp4", "caption": text, "split": split}
        for split in SPLITS
        for number in range(count)
        for text in _captions(f"{split} {number}")
    ]
    name = file.name.removesuffix(".gz").lower()
    if name.endswith(".json"):
        return json.dumps(rows, indent=0)
    if name.endswith(".jsonl"):
        return "".join(f"{json.dumps(row)}\n" for row in rows)
    stream = io.StringIO()
    table = csv.DictWriter(stream, ["video", "caption", "split"], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return stream.getvalue()


def encoded(path: Path, text: str) -> bytes:
    """A file's content: UTF-8, in gzip where its name says so."""
    data = text.encode()
    return gzip.compress(data, mtime=0) if path.suffix == ".gz" else data
