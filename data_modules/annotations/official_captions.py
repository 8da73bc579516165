"""The caption files of the retrieval data sets, as their makers publish them: rows of video and caption, in order."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from data_modules.annotations.listed_videos import check_name
from data_modules.errors import InputError
from data_modules.files.text_files import read_json, read_lines, read_text

_LSMDC_COLUMNS = ("clip id", "start aligned", "end aligned", "start extracted", "end extracted", "sentence")


def read_msrvtt(path: Path) -> Iterator[tuple[str, str]]:
    """The sentences of MSR-VTT's ``{"videos": [...], "sentences": [{"video_id", "caption"}]}``.

    Raises:
        InputError: when this is no such file.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("sentences"), list):
        raise InputError(f"{path} has no list 'sentences'; take the official file of MSR-VTT's captions.")
    return _pairs(path, content["sentences"], "sentences, entry", "video_id", "caption")


def read_didemo(path: Path) -> Iterator[tuple[str, str]]:
    """The descriptions of DiDeMo's list of ``{"video", "description", ...}``.

    Raises:
        InputError: when this is no such file.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise InputError(f"{path} is no list of moments; take the official file of LisaAnne/LocalizingMoments.")
    return _pairs(path, content, "entry", "video", "description")


def read_lsmdc(path: Path) -> Iterator[tuple[str, str]]:
    """Clip id and sentence of LSMDC16's files: six columns with tabs between them, no header.

    Some copies have quotes around a whole line; they are taken off.

    Raises:
        InputError: when a line has another number of columns, or names no clip; or the file has no line.
    """
    is_empty = True
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        columns = line.split("\t")
        if len(columns) != len(_LSMDC_COLUMNS):
            raise InputError(
                f"{path}, line {number}: {len(columns)} columns with tabs between them, where LSMDC16 has "
                f"{len(_LSMDC_COLUMNS)}: {', '.join(_LSMDC_COLUMNS)}."
            )
        clip_id, sentence = columns[0].strip(), columns[-1].strip()
        if clip_id.startswith('"'):
            clip_id, sentence = clip_id[1:], sentence.removesuffix('"')
        if not clip_id:
            raise InputError(f"{path}, line {number}: it names no clip.")
        check_name(clip_id, f"{path}, line {number}")
        is_empty = False
        yield clip_id, sentence
    if is_empty:
        raise InputError(f"{path} names no clip.")


def read_names(path: Path) -> tuple[str, ...]:
    """A name a line, each once.

    Raises:
        InputError: when a name stands there twice, or there is none.
    """
    lines: dict[str, int] = {}
    for number, name in read_lines(path):
        check_name(name, f"{path}, line {number}")
        if lines.setdefault(name, number) != number:
            raise InputError(f"{path}, line {number}: {name} stands already on line {lines[name]}; remove one of them.")
    if not lines:
        raise InputError(f"{path} names no video.")
    return tuple(lines)


def _pairs(path: Path, items: Iterable[object], place: str, video: str, caption: str) -> Iterator[tuple[str, str]]:
    """Two keys of each object; entries are counted from 0."""
    is_empty = True
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise InputError(f"{path}, {place} {number}: an object with '{video}' and '{caption}' is expected.")
        for key in (video, caption):
            value = item.get(key)
            if not isinstance(value, str):
                problem = f"'{key}' is no text" if key in item else f"there is no '{key}'"
                raise InputError(f"{path}, {place} {number}: {problem}.")
        if not item[video].strip():
            raise InputError(f"{path}, {place} {number}: '{video}' is empty.")
        check_name(item[video].strip(), f"{path}, {place} {number}")
        is_empty = False
        yield item[video].strip(), item[caption]
    if is_empty:
        raise InputError(f"{path} has no captions.")
