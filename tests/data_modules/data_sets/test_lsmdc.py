"""What the data module makes of LSMDC16's files; synthetic ones, as the real ones may not be shared."""

from pathlib import Path
from typing import cast

import pytest

from data_modules.batch import CaptionedRecord
from data_modules.data_sets.lsmdc import FILES, LSMDC
from data_modules.errors import InputError
from data_modules.protocols.trial import SPLITS, Split

TIMES = "00.00.01.000\t00.00.02.000\t00.00.01.000\t00.00.02.000"
CLIP = "0001_Some_Film_00.00.01.000-00.00.02.000"


def write(folder: Path, **lines: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        rows = lines.get(split, [f"{CLIP}\t{TIMES}\tSOMEONE walks."])
        (folder / FILES[split]).write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def captioned(data: LSMDC, split: Split) -> list[CaptionedRecord]:
    return cast("list[CaptionedRecord]", list(data.dataset_index.records[split]))


def test_several_sentences_of_a_clip(tmp_path: Path) -> None:
    clips = [f"1012_Unbreakable_00.05.{n}.065-00.05.{n}.941" for n in (16, 17, 18)]
    rows = [
        f"{clips[1]}\t{TIMES}\tOne, with commas, and 🐕.",
        f"{clips[0]}\t{TIMES}\tДни\u2028шли.\r",
        f"{clips[1]}\t{TIMES}\tAnother.",
        "",
        f'"{clips[2]}\t{TIMES}\tIn quotes."',
        f"{clips[1]}\t{TIMES}\t",
        f"{clips[1]}\t{TIMES}\tAnother.",
        f"{CLIP}\t{TIMES}\t{'long ' * 1000}",
    ]
    write(tmp_path / "annotations", train=rows)
    data = LSMDC(tmp_path)
    assert [(r.video_id, r.captions) for r in captioned(data, "train")] == [
        (clips[1], ("One, with commas, and 🐕.", "Another.")),
        (clips[0], ("Дни шли.",)),
        (clips[2], ("In quotes.",)),
        (CLIP, (("long " * 1000).strip(),)),
    ]
    assert (data.tally.empty, data.tally.repeated) == ([clips[1]], [clips[1]])
    assert data.published_sizes() == {"val": 7408, "test": 1000}


def test_clips_are_found_though_their_names_have_dots(tmp_path: Path) -> None:
    other = CLIP.replace("01.000-", "01.500-")
    write(tmp_path, train=[f"{clip}\t{TIMES}\tx" for clip in (CLIP, other)])
    (tmp_path / "avi" / "0001_Some_Film").mkdir(parents=True)
    (tmp_path / "avi" / "0001_Some_Film" / f"{other}.avi").touch()
    paths = [record.path for record in captioned(LSMDC(tmp_path), "train")]
    assert paths == [
        tmp_path / "0001_Some_Film" / f"{CLIP}.avi",
        tmp_path / "avi" / "0001_Some_Film" / f"{other}.avi",
    ]


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        _ = LSMDC(tmp_path).dataset_index
    assert all(name in str(error.value) for name in FILES.values())
    write(tmp_path / "other")
    assert len(captioned(LSMDC(tmp_path, annotations=tmp_path / "other"), "test")) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"{CLIP}\tno times", "line 2: 2 columns with tabs between them, where LSMDC16 has 6"),
        (f"{CLIP}\t{TIMES}", "line 2: 5 columns"),
        (f"{CLIP}\t{TIMES}\tone\ttwo", "line 2: 7 columns"),
        (f" \t{TIMES}\tone", "line 2: it names no clip"),
    ],
)
def test_lines_that_are_none(tmp_path: Path, row: str, message: str) -> None:
    write(tmp_path, val=[f"{CLIP}\t{TIMES}\tfirst", row])
    with pytest.raises(InputError, match=message) as error:
        _ = LSMDC(tmp_path).dataset_index
    assert FILES["val"] in str(error.value)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, test=[""])
    with pytest.raises(InputError, match="names no clip"):
        _ = LSMDC(tmp_path).dataset_index
    (tmp_path / FILES["test"]).write_bytes(f"{CLIP}\t{TIMES}\tcaf\xe9\n".encode("latin-1"))
    with pytest.raises(InputError, match="line 1: this is not UTF-8 text"):
        _ = LSMDC(tmp_path).dataset_index
