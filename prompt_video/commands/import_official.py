"""``prompt-video import-official``: a checkpoint released with the paper becomes one of ours.

It is for ``experiments/hmdb51_as_released.yaml``: ``prompt-video test --config ... --ckpt OUT.ckpt``.
"""

from pathlib import Path

from data_modules.errors import InputError
from prompt_video.io.readable import readable
from prompt_video.io.verb_parser import VerbParser
from prompt_video.model.released import NUM_HEADS, NUM_PREFIX, NUM_SUFFIX


def main(arguments: list[str]) -> None:
    """Convert one file."""
    options = parser().parse(arguments[1:])
    for name, least in (("num_prefix", 0), ("num_suffix", 0), ("num_heads", 1)):
        if (value := options[name]) is not None and value < least:
            raise InputError(f"--{name} must be {least} or more, not {value}.")

    from prompt_video.model.official import import_official

    imported = import_official(
        options.source, options.out, options.backbone, options.num_prefix, options.num_suffix, options.num_heads
    )
    is_typed = options.num_prefix is not None and options.num_suffix is not None
    source = "as the file tells" if imported.counts_in_file else "the file does not tell: the released command's"
    by = "as given" if is_typed else source
    print(f"{imported.num_prefix} prompt vectors before a name, {imported.num_suffix} behind it ({by})")
    print(
        f"{imported.num_layers} temporal layer{'' if imported.num_layers == 1 else 's'} of {imported.num_heads} heads"
    )
    same = "is that in the file" if imported.has_backbone else "could not be compared: there is none in the file"
    print(readable(f"the backbone '{options.backbone}' {same}"))
    print(readable(f"wrote {options.out}"))


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("import-official", __doc__)
    parser.add_argument("source", type=Path, metavar="FILE.pth.tar", help="released checkpoint")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.ckpt", help="checkpoint to write")
    parser.add_argument(
        "--backbone",
        type=str,
        default="openai/clip-vit-base-patch16",
        help="the CLIP it was trained on: hub id or local folder",
    )
    default = "default: what the file tells or, where it tells nothing,"
    parser.add_argument(
        "--num_prefix", type=int, metavar="K", help=f"prompt vectors before a name ({default} {NUM_PREFIX})"
    )
    parser.add_argument(
        "--num_suffix", type=int, metavar="K", help=f"prompt vectors behind a name ({default} {NUM_SUFFIX})"
    )
    parser.add_argument("--num_heads", type=int, metavar="K", default=NUM_HEADS, help="of a temporal block")
    return parser
