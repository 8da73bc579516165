"""What ``label``, ``segment`` and ``serve`` are given: a model, files of one's own, and words to compare them with."""

import argparse
import glob
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from data_modules.annotations.class_names import read_class_names, tell_alike
from data_modules.data_sets.class_lists import CLASS_LISTS, class_list
from data_modules.errors import InputError
from data_modules.files.listing import Listing, once_each
from data_modules.files.regular_files import is_folder
from data_modules.files.text_files import cut
from prompt_video.inference.loaded import LoadedModel, load
from prompt_video.model.templates import DEFAULT, template_sets
from prompt_video.reports.text_formatting import plain, shortened

LONG = 120  # letters of a class name on the terminal; files have all of them

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``label`` and ``segment``."""
    parser.add_argument("video", nargs="+", metavar="VIDEO", help="file, folder, or pattern such as 'clips/*.mp4'")
    names = parser.add_mutually_exclusive_group()
    names.add_argument("--classes", metavar="NAMES", help="what may be seen, with commas between")
    names.add_argument("--classes-file", "--classes_file", type=Path, metavar="FILE", help="the same, one a line")
    names.add_argument("--classes-of", "--classes_of", metavar="DATASET", help=f"one of {', '.join(CLASS_LISTS)}")
    add_model_arguments(parser)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Those that say which model looks; see `model_of`."""
    parser.add_argument(
        "--ckpt", type=Path, help="a run's checkpoint, or a folder of export --hub (default: frozen CLIP)"
    )
    parser.add_argument("--clip", help="which CLIP: hub id or local folder (default: the checkpoint's, or tiny)")
    parser.add_argument(
        "--templates",
        metavar="SET",
        help=f"hand-written prompts of the frozen CLIP: {', '.join(template_sets())}, or a text file with one a line, "
        f"{{}} where a name goes (default: {DEFAULT})",
    )
    parser.add_argument("--device", help="to compute on, such as cpu or cuda (default: a GPU if there is one)")


def model_of(options: argparse.Namespace) -> LoadedModel:
    """The model that was asked for."""
    return load(options.ckpt, clip=options.clip, device=options.device, templates=options.templates)


def texts_of(options: argparse.Namespace, model: LoadedModel | None = None) -> list[str]:
    """The class names that were asked for; without any, those that the checkpoint was trained with.

    Raises:
        InputError: when there are none, or their file cannot be read.
    """
    if options.classes is not None:
        names, source = options.classes.split(","), "--classes"
    elif options.classes_file is not None:
        names, source = read_class_names(options.classes_file), str(options.classes_file)
    elif options.classes_of is not None:
        names, source = list(class_list(options.classes_of)), options.classes_of
    elif model is not None and model.class_names:
        names, source = model.class_names, "the checkpoint"
    else:
        raise InputError("say what may be seen, with --classes 'first, second', --classes-file or --classes-of.")
    names = [name.strip() for name in names if name.strip()]
    if not names:
        raise InputError(f"{source} names no class; write one or more, such as --classes 'slicing onions, juggling'.")
    unique = list(dict.fromkeys(names))
    if len(unique) < len(names):
        log.warning("%s names %d classes more than once; they count once", source, len(names) - len(unique))
    tell_alike(unique, source)
    return unique


def files_of(patterns: Sequence[str]) -> list[Path]:
    """The files that were named: as they are, all videos below a folder, and what a pattern matches.

    Raises:
        InputError: when a name, a folder or a pattern leads to no file.
    """
    files: list[Path] = []
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if is_folder(path):
            listing = Listing(path)
            found = listing.paths()
            listing.say()
            if not found:
                raise InputError(f"there is no video below {path}.")
        elif os.path.lexists(path):  # perhaps a link to nothing, or a pipe: whoever opens it says so
            found = [path]
        else:
            matches = (Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207 - patterns with folders of any depth, absolute ones too
            found = sorted(match for match in matches if not match.is_dir())
            if not found:
                raise InputError(f"there is no file {cut(pattern, 300)}.")
        files += found
    once, others = once_each(files)
    if others:
        log.warning("%d of the files are named more than once, and count once: %s", len(others), others[0])
    kept = set(once)
    return [file for file in dict.fromkeys(files) if file in kept]


def tell_cut_texts(model: LoadedModel) -> None:
    """Say which texts did not fit into the model."""
    cut = model.model.prompt.truncated | model.model.frozen_prompt.truncated
    if cut:
        first = min(cut)
        log.warning(
            "%d of the texts are too long for the model, and only their beginning counts; one is '%s...'",
            len(cut),
            first[:60],
        )


def shown_text(text: str) -> str:
    """A class name for a table on the terminal: cut where it would fill the screen."""
    return shortened(plain(text), LONG)
