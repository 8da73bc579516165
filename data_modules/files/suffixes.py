"""Which files of a folder are videos, by their suffix: those that FFmpeg opens and finds pictures in.

Every suffix that FFmpeg's demuxers claim is either here or left out on purpose, and so are the files that commonly lie
beside videos; all others are counted and named where a folder is listed.
"""

import os

_VIDEOS = (
    ".3g2 .3gp .3gpp .amv .asf .avi .avs2 .avs3 .bmv .cdxl .dav .divx .dv .f4v .flc .fli .flm .flv .gif .gxf .h261 "
    ".h263 .h264 .h265 .h266 .hevc .ifv .ipu .ismv .ivf .ivr .kux .lrv .lvf .m1v .m2p .m2t .m2ts .m2v .m4v .mj2 "
    ".mjpeg .mjpg .mk3d .mkv .mod .moflex .mov .mp4 .mp4v .mpe .mpeg .mpg .mpv .mts .mvi .mxf .mxg .nsv .nut .nuv .obu "
    ".ogm .ogv .qt .rm .rmvb .roq .swf .tod .tp .trp .ts .ty .usm .vc1 .viv .vob .vro .vvc .webm .wmv .wtv .xmv .y4m "
    ".yop"
)
# Digits alone are none: ids of clips end in fractions of a second, ``00.00.51.264``. Nor is what is sound by and large.

_OTHERS = (
    ".ass .bin .bmp .bz2 .cfg .ckpt .csv .db .doc .docx .flac .gz .h5 .hdf5 .htm .html .ini .ipynb .jpeg .jpg .json "
    ".jsonl .lock .log .lrc .m3u .m3u8 .m4a .mat .md .md5 .mp3 .npy .npz .ods .oga .opus .parquet .pdf .pickle .pkl "
    ".png .pt .pth .py .rar .rtf .safetensors .sbv .sh .sha256 .srt .ssa .sub .svg .tar .tgz .tif .tiff .toml .tsv "
    ".txt .url .vtt .wav .webp .wma .xls .xlsx .xml .xz .yaml .yml .zip .7z .aac"
)
VIDEO_SUFFIXES, OTHER_SUFFIXES = frozenset(_VIDEOS.split()), frozenset(_OTHERS.split())


def is_video(name: str) -> bool:
    """Whether a file is to be taken for a video."""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122 - as below


def stem_of(name: str) -> str:
    """The last part of a path as lists write it, without a video's suffix; other dots belong to the name."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem, suffix = os.path.splitext(last)  # noqa: PTH122 - a Path for each of 200,000 names takes seconds
    return stem if suffix.lower() in VIDEO_SUFFIXES else last
