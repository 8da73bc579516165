"""What counts as a video below a folder, and what is said of the rest."""

import os
from pathlib import Path

import pytest
from av import ContainerFormat, formats_available

from data_modules.errors import InputError
from data_modules.files.file_index import FileIndex
from data_modules.files.listing import Listing
from data_modules.files.suffixes import VIDEO_SUFFIXES, is_video, stem_of


def listed(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in Listing(root).paths()]


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


SOME = "3gp ogv m2ts mts vob gif asf wmv f4v 3g2 dv mxf y4m TS Mp4 rm mpe m2v"


@pytest.mark.parametrize("suffix", SOME.split())
def test_what_ffmpeg_opens_is_a_video(tmp_path: Path, suffix: str) -> None:
    make(tmp_path, f"a/clip.{suffix}", "notes.txt")
    assert listed(tmp_path) == [f"a/clip.{suffix}"]
    assert FileIndex(tmp_path).find("clip") == tmp_path / f"a/clip.{suffix}"
    assert stem_of(f"x/clip.{suffix}") == "clip"


def test_an_id_that_ends_in_a_fraction_of_a_second_has_no_suffix() -> None:
    assert stem_of("0001_American_Beauty_00.00.51.264-00.00.54.265") == "0001_American_Beauty_00.00.51.264-00.00.54.265"


# Of FFmpeg's own demuxers; sound, subtitles, pictures, art of letters, and raw data that tells no size.
NO_VIDEOS = """264 265 266 302 722 aa aa3 aac aax ac3 ac4 acm adf adp ads adx aea afc aix al ans apc ape apl aptx aptxhd
apv aqt art asc ast avc avif avr avs bcstm bfstm binka bit bitpacked bonk brstm c2 cdata cdg cgi cif dat daud dfpwm dif
diz dss dtk dts dtshd eac3 ec3 evc fap flac fsb fwse g722 g723_1 g728 g729 genh gsm h26l hca heic heif iamf ice idf idx
imx ircam ism isma j2k jxl laf lc3 m2a m4a m4b mac mca mcc mka mks mlp mods mp2 mp3 mpa mpc mpl2 mpo msbc msf mtaf musx
nfo nist nsp ogg oma omg osq paf pdv pjs psp pvf qcif qoa rco rcv rgb rka rsd rso rt sami sb sbc sbg scc sdns sdr2 sds
sdx ser sf sga shn sln smi son sph ss2 stl str sub sup svag svs sw tak tco thd tta txt ty+ ub ul uw v v210 vag vb vpk
vqe vqf vql vt vtt wa way webvtt wsd xl xmd xvag yuv yuv10"""


def test_every_suffix_of_ffmpeg_is_decided_upon() -> None:
    claimed: set[str] = set()
    for name in formats_available:
        try:
            claimed |= ContainerFormat(name, "r").extensions
        except ValueError:  # it is only written
            continue
    undecided = {suffix for suffix in claimed if not is_video(f"x.{suffix}")} - set(NO_VIDEOS.split())
    assert not undecided
    assert not VIDEO_SUFFIXES & {f".{suffix}" for suffix in NO_VIDEOS.split()}


def test_what_is_left_out_is_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path, "a.mp4", "b.txt", "d/c.mp4.part", "c.xyz", "d.XYZ", "README", ".e.mp4", ".cache/f.mp4", ".git/HEAD")
    make(tmp_path, "clips.mp4/g.mp4")
    listing = Listing(tmp_path)
    assert [path.name for path in listing.paths()] == ["a.mp4", "g.mp4"]
    listing.say()
    (message,) = caplog.messages
    for expected in (
        f"left out below {tmp_path}: ",
        "1 files with the suffix .part (the first is d/c.mp4.part)",
        "2 files with the suffix .xyz (the first is c.xyz)",
        "1 files without a suffix (the first is README)",
        "2 hidden videos (the first is .cache/f.mp4)",
        "1 folders called as a video is, and looked into (the first is clips.mp4)",
    ):
        assert expected in message
    assert "b.txt" not in message


def test_each_file_counts_once_however_many_links_lead_to_it(tmp_path: Path) -> None:
    root = make(tmp_path / "root", "a/1.mp4", "a/2.mp4", "z/3.mp4")
    elsewhere = make(tmp_path / "elsewhere", "4.mp4")
    (root / "0.mp4").symlink_to(root / "a" / "1.mp4")
    (root / "hard.mp4").hardlink_to(root / "a" / "2.mp4")
    (root / "a" / "link").symlink_to(root / "z")  # deeper than what it leads to, and earlier
    (root / "a" / "loop").symlink_to(root)
    (root / "more").symlink_to(elsewhere)
    (root / "4.mp4").symlink_to(elsewhere / "4.mp4")
    assert listed(root) == ["a/1.mp4", "a/2.mp4", "more/4.mp4", "z/3.mp4"]
    assert FileIndex(root).find("4") == root / "4.mp4"  # by any of its names
    assert FileIndex(root).find("0") == root / "0.mp4"


def test_what_is_no_file_is_listed_for_whoever_opens_it_to_name(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4")
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nowhere")
    (tmp_path / "itself.mp4").symlink_to("itself.mp4")
    (tmp_path / "device.mp4").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert listed(tmp_path) == ["a.mp4", "dangling.mp4", "device.mp4", "itself.mp4", "pipe.mp4"]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        Listing(tmp_path / "nowhere")
