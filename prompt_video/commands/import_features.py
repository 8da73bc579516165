"""``prompt-video import-features``: frame features that others have computed become a feature store.

The folder holds a NumPy file a video, rows of frames, as features of CLIP are commonly released. A video is called as
its file is, folders in front, without suffix. A run then reads the store by ``--data.features=STORE``, and finds a
video by as much of its path as both have. It must ask for the same backbone and frame rate; how the frames were cropped
for imported features is not known, and therefore not compared. Run it again after files were added or changed: all
others are left as they are.
"""

import logging
from pathlib import Path

from jsonargparse import ActionYesNo

from data_modules.errors import InputError
from prompt_video.io import console
from prompt_video.io.verb_parser import VerbParser

log = logging.getLogger(__name__)

MIN_RATE, MAX_RATE = 1e-3, 1e4


def main(arguments: list[str]) -> None:
    """Import one folder."""
    options = parser().parse(arguments[1:])
    if not MIN_RATE <= options.frame_rate <= MAX_RATE:
        raise InputError(
            f"--frame_rate must be from {MIN_RATE:g} to {MAX_RATE:g} rows a second, not {options.frame_rate}."
        )
    console.configure()

    from prompt_video.backbones.backbone import FrozenBackbone
    from prompt_video.backbones.imported_features import find_files, import_files

    files = find_files(options.folder, options.prefix)
    import_files(
        files,
        options.out,
        FrozenBackbone(options.backbone),
        options.frame_rate,
        transposed=options.transposed,
        ground_truth=options.duration_from,
    )
    log.info(
        "%d videos; a run reads them with --data.features=%s --data.frame_rate=%g --model.backbone=%s",
        len(files),
        options.out,
        options.frame_rate,
        options.backbone,
    )


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("import-features", __doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the files <video id>.npy, each (T, D)")
    parser.add_argument("--out", type=Path, required=True, metavar="STORE", help="feature store, made if need be")
    parser.add_argument("--frame_rate", type=float, required=True, help="rows for a second of video")
    parser.add_argument(
        "--backbone",
        type=str,
        default="openai/clip-vit-base-patch16",
        help="the model they are of: short name, hub id or local folder",
    )
    parser.add_argument(
        "--transposed",
        action=ActionYesNo(yes_prefix="", no_prefix="no_"),
        default=None,
        help="whether the arrays are (D, T)",
    )
    parser.add_argument(
        "--prefix", type=str, default="", help="what stands before the video id in the files' names, such as v_"
    )
    parser.add_argument(
        "--duration_from",
        type=Path,
        metavar="GT.json",
        help="ground truth in ActivityNet's format to take the videos' durations from, and to check the frame rate "
        "against (default: rows / frame rate)",
    )
    return parser
