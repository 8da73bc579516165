"""``prompt-video import-official``: a checkpoint released with the paper becomes one of ours."""

import argparse
from pathlib import Path

from prompt_video.official import import_official


def main(arguments: list[str]) -> None:
    """Convert one file."""
    parser = argparse.ArgumentParser(prog="prompt-video import-official", description=__doc__)
    parser.add_argument("source", type=Path, metavar="FILE.pth.tar", help="released checkpoint")
    parser.add_argument("out", type=Path, metavar="OUT.ckpt", help="checkpoint to write")
    parser.add_argument(
        "--clip", default="openai/clip-vit-base-patch16", help="the CLIP it was trained on: hub id or local folder"
    )
    options = parser.parse_args(arguments[1:])
    import_official(options.source, options.out, options.clip)
    print(f"wrote {options.out}")
