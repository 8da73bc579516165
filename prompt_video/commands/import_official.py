"""``prompt-video import-official``: a checkpoint released with the paper becomes one of ours.

It is for ``experiments/hmdb51_as_released.yaml``: ``prompt-video test --config ... --ckpt_path OUT.ckpt``.
"""

from pathlib import Path

from data_modules.errors import InputError
from prompt_video.io.readable import readable
from prompt_video.io.verb_parser import VerbParser
from prompt_video.model.official import HEADS, PREFIX, SUFFIX, import_official


def main(arguments: list[str]) -> None:
    """Convert one file."""
    parser = VerbParser("import-official", __doc__)
    parser.add_argument("source", type=Path, metavar="FILE.pth.tar", help="released checkpoint")
    parser.add_argument("out", type=Path, metavar="OUT.ckpt", help="checkpoint to write")
    parser.add_argument(
        "--clip", default="openai/clip-vit-base-patch16", help="the CLIP it was trained on: hub id or local folder"
    )
    told = "default: what the file tells or, where it tells nothing,"
    parser.add_argument("--prefix", type=int, metavar="K", help=f"prompt vectors before a name ({told} {PREFIX})")
    parser.add_argument("--suffix", type=int, metavar="K", help=f"prompt vectors behind a name ({told} {SUFFIX})")
    parser.add_argument("--heads", type=int, default=HEADS, help="of a temporal block (default: %(default)s)")
    options = parser.parse_args(arguments[1:])
    for name, least in (("prefix", 0), ("suffix", 0), ("heads", 1)):
        if (value := getattr(options, name)) is not None and value < least:
            raise InputError(f"--{name} must be {least} or more, not {value}.")
    found = import_official(options.source, options.out, options.clip, options.prefix, options.suffix, options.heads)
    given = options.prefix is not None and options.suffix is not None
    by = (
        "as given" if given else "as the file tells" if found.told else "the file does not tell: the released command's"
    )
    print(f"{found.num_prefix} prompt vectors before a name, {found.num_suffix} behind it ({by})")
    print(f"{found.num_layers} temporal layer{'' if found.num_layers == 1 else 's'} of {found.num_heads} heads")
    same = "is that in the file" if found.has_clip else "could not be compared: there is none in the file"
    print(readable(f"the CLIP '{options.clip}' {same}"))
    print(readable(f"wrote {options.out}"))
