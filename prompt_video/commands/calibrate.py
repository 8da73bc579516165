"""``prompt-video calibrate``: teach a checkpoint when a video shows none of its classes.

FOLDER has a folder of clips for each class, or for some of them, and perhaps one called ``none`` with clips that show
none of them; a handful each will do. The threshold that tells them best apart is kept in the checkpoint: from then on
`label`, `segment`, `serve`, `predict` and an exported folder say "none of these".
"""

from pathlib import Path

from data_modules.errors import InputError
from prompt_video.inference.options import add_model_options, check_model_options, model_of
from prompt_video.io import console as logs
from prompt_video.io.outputs import check_file, check_folder
from prompt_video.io.verb_parser import VerbParser


def main(arguments: list[str]) -> int:
    """Calibrate a checkpoint.

    Returns:
        The exit code.
    """
    options = parser().parse(arguments[1:])
    logs.configure()
    if options.ckpt is None:
        raise InputError("name the checkpoint that is to be calibrated with --ckpt.")
    check_model_options(options)
    if not options.ckpt.exists():
        raise InputError(f"{options.ckpt} is on the hub, where nothing can be written: fetch it to a folder first.")
    check = check_folder if options.ckpt.is_dir() else check_file
    check(options.ckpt, "--ckpt")

    from prompt_video.inference.calibrating import calibrate
    from prompt_video.model.checkpoints import keep_rejection

    model = model_of(options)
    if not model.class_names:
        raise InputError(f"{options.ckpt} was not trained with class names, so that there is no 'none of these'.")
    if options.none_bank is None:
        model.rejection = None  # calibrated anew, by what is asked for now
    calibrated = calibrate(model, options.folder, model.class_names, show=True)
    console = logs.Terminal()
    console.print(calibrated.describe(), soft_wrap=True)  # before it is kept, for which there may be no room
    keep_rejection(options.ckpt, calibrated.rule)
    console.print(f"kept in {options.ckpt}", soft_wrap=True)
    return 0


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("calibrate", __doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of class folders with clips, and one called none")
    add_model_options(parser)
    parser.add_argument("--none_bank", type=str, metavar="BANK", help="as for `prompt-video label`")
    return parser
