"""Options of every command that asks a model about videos: which model, and which words."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from data_modules.annotations.class_names import read_class_names
from data_modules.data_sets.class_lists import CLASS_LISTS, class_list
from data_modules.errors import InputError
from data_modules.files.text_files import cut
from prompt_video.backbones.names import check_name
from prompt_video.io.verb_parser import VerbParser
from prompt_video.model.hub_source import is_hub_id
from prompt_video.model.none_of_these import check_threshold
from prompt_video.model.templates import DEFAULT, template_sets, templates_of

if TYPE_CHECKING:
    from prompt_video.inference.loaded import LoadedModel

log = logging.getLogger(__name__)

CLASSES = ("classes", "classes_file", "classes_of")  # options that name classes, one of which is taken


def add_video_options(parser: VerbParser) -> None:
    """Those of ``label`` and ``segment``: videos, classes and a model."""
    parser.add_argument(
        "video", nargs="+", type=str, metavar="VIDEO", help="file, folder, or pattern such as 'clips/*.mp4'"
    )
    add_class_options(parser)
    add_model_options(parser)
    add_none_options(parser)


def add_class_options(parser: VerbParser) -> None:
    """Those that name the candidates; see `texts_of`."""
    parser.add_argument("--classes", type=str, metavar="NAMES", help="what may be seen, with commas between")
    parser.add_argument("--classes_file", type=Path, metavar="FILE", help="the same, one a line")
    parser.add_argument("--classes_of", type=str, metavar="DATASET", help=f"one of {', '.join(CLASS_LISTS)}")


def add_model_options(parser: VerbParser) -> None:
    """Those that say which model is asked; see `model_of`."""
    parser.add_argument(
        "--ckpt",
        type=Path,
        help="a run's checkpoint, a folder of export --hub, or user/model[@revision] on the hub (default: the frozen "
        "backbone)",
    )
    parser.add_argument(
        "--backbone",
        type=str,
        help="the frozen model: short name, hub id or folder (default: the checkpoint's, or tiny)",
    )
    parser.add_argument(
        "--templates",
        type=str,
        metavar="SET",
        help=f"hand-written prompts of the frozen model: {', '.join(template_sets())}, or a text file with one a line, "
        f"{{}} where a name goes (default: {DEFAULT})",
    )
    parser.add_argument(
        "--device", type=str, help="to compute on, such as cpu or cuda (default: a GPU if there is one)"
    )


def add_none_options(parser: VerbParser) -> None:
    """Those that say when a video shows none of the classes; see `model_of` and `calibrate_with`."""
    parser.add_argument(
        "--none_below",
        type=float,
        metavar="P",
        help="a video is 'none of these' where its best probability, or with a bank the classes' share, is below P, "
        "from 0, which is never, to 1 (default: as the checkpoint says; 0.5 with a bank)",
    )
    parser.add_argument(
        "--none_bank",
        type=str,
        metavar="BANK",
        help="texts that mean something else, beside which the classes have to stand out: a text file with one a line, "
        "or a list of classes such as kinetics700",
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="FOLDER",
        help="choose P on clips in FOLDER/<class>/, and in FOLDER/none/ some that show none of them; `prompt-video "
        "calibrate` keeps it in a checkpoint",
    )


def model_of(options: Namespace) -> "LoadedModel":
    """The model that was asked for, with the rule that was."""
    from prompt_video.inference.loading import load

    return load(
        options.ckpt,
        backbone=options.backbone,
        device=options.device,
        templates=options.templates,
        none_below=options.get("none_below"),
        none_bank=options.none_bank,
    )


def _calibrated_classes(options: Namespace) -> Sequence[str]:
    """Those that there are clips of to calibrate on; none without such clips."""
    if options.calibrate is None:
        return ()
    from prompt_video.inference.calibrating import classes_in

    return classes_in(options.calibrate)


def calibrate_with(options: Namespace, model: "LoadedModel", texts: Sequence[str]) -> None:
    """Choose the threshold from the clips that were named, if any were, and say what it does with them."""
    if options.calibrate is None:
        return
    from prompt_video.inference.calibrating import calibrate

    calibrated = calibrate(model, options.calibrate, texts or _calibrated_classes(options), show=True)
    model.rejection = calibrated.rule
    log.info("%s", calibrated.describe())


def check_model_options(options: Namespace) -> None:
    """Tell what is wrong with them before seconds go into loading a model.

    Raises:
        InputError: when there is no such checkpoint, or no such templates.
    """
    if options.ckpt is not None and not options.ckpt.exists() and not is_hub_id(options.ckpt):
        raise InputError(f"there is no checkpoint {options.ckpt}.")
    if options.templates is not None:
        templates_of(options.templates)
    if options.backbone is not None:
        check_name(options.backbone)
    if options.get("none_below") is not None:
        if options.get("calibrate") is not None:
            raise InputError("--none_below gives the threshold that --calibrate is to choose: take one of them.")
        check_threshold(options.none_below)


def model_and_texts(options: Namespace) -> tuple["LoadedModel", list[str]]:
    """The model and the class names that were asked for; what is wrong with the words is told before it is loaded."""
    check_model_options(options)
    names_of_checkpoint = options.ckpt is not None and all(options[name] is None for name in CLASSES)
    texts = [] if names_of_checkpoint else texts_of(options, _calibrated_classes(options))
    model = model_of(options)
    texts = texts or texts_of(options, model.class_names)
    tell_alike(model, texts)
    calibrate_with(options, model, texts)
    return model, texts


def texts_of(options: Namespace, trained: Sequence[str]) -> list[str]:
    """The class names that were asked for; without any, those that the checkpoint was trained with.

    Args:
        options: of the command.
        trained: names that the checkpoint was trained with, perhaps none.

    Raises:
        InputError: when there are none or two kinds of them, or their file cannot be read.
    """
    named = [name for name in CLASSES if options[name] is not None]
    if len(named) > 1:
        raise InputError(f"--{named[0]} and --{named[1]} name classes both: take one of them.")
    if options.classes is not None:
        names, source = options.classes.split(","), "--classes"
    elif options.classes_file is not None:
        names, source = read_class_names(options.classes_file), str(options.classes_file)
    elif options.classes_of is not None:
        names, source = list(class_list(options.classes_of)), options.classes_of
    elif trained:
        names, source = list(trained), "the checkpoint"
    else:
        raise InputError("say what may be seen, with --classes 'first, second', --classes_file or --classes_of.")
    names = [name.strip() for name in names if name.strip()]
    if not names:
        raise InputError(f"{source} names no class; write one or more, such as --classes 'slicing onions, juggling'.")
    unique = list(dict.fromkeys(names))
    if len(unique) < len(names):
        log.warning("%s names %d classes more than once; they count once", source, len(names) - len(unique))
    return unique


def tell_alike(model: "LoadedModel", texts: Sequence[str]) -> None:
    """Say which texts are one to a model that reads them."""
    backbone = model.model.backbone
    if alike := backbone.read_alike(texts):
        others = f" ({len(alike)} such pairs)" if len(alike) > 1 else ""
        log.warning("backbone '%s' reads '%s' and '%s' as one text%s", backbone.name, *map(cut, alike[0]), others)


def tell_cut_texts(model: "LoadedModel") -> None:
    """Say which texts did not fit into the model."""
    if too_long := model.model.prompt.truncated | model.model.frozen_prompt.truncated:
        told = "%d of the texts are too long for the model, and only their beginning counts; one is '%s...'"
        log.warning(told, len(too_long), min(too_long)[:60])
