"""``prompt-video predict``: what a trained model finds in new videos, or, without any, in the test videos of its run.

With a checkpoint of recognition the classes of each video, with one of localization its segments, with one of retrieval
the captions that fit it best: in predictions.csv and predictions.json. The names are those that the model was trained
with, and the captions those of its run's test, unless others are named.
"""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_modules.errors import BrokenVideoError, InputError
from prompt_video.commands import run
from prompt_video.experiment.option_names import EXPERIMENT_OPTIONS
from prompt_video.inference.options import (
    add_class_options,
    add_model_options,
    add_none_options,
    calibrate_with,
    check_model_options,
    model_of,
    tell_alike,
    tell_cut_texts,
    texts_of,
)
from prompt_video.io import console as logs
from prompt_video.io.outputs import check_folder, save
from prompt_video.io.progress import Steps
from prompt_video.io.run_files import BY_CAPTION, run_of
from prompt_video.io.spreadsheet import text_of
from prompt_video.io.verb_parser import VerbParser
from prompt_video.io.video_files import files_of

if TYPE_CHECKING:
    from data_modules.annotations.activitynet_format import Detection
    from prompt_video.inference.loaded import LoadedModel
    from prompt_video.reports.predictions import Predictions

log = logging.getLogger(__name__)

MAX_SEGMENTS = 200  # of a video


def main(arguments: list[str]) -> int:
    """Predict.

    Returns:
        The exit code: 1 when a file could not be used.
    """
    if "-c" in arguments:  # as Lightning takes the experiment, too
        return _of_test_videos(arguments)
    options, rest = parser().parse_beside(arguments[1:])
    if not options.video:
        return _of_test_videos(arguments)
    if rest:
        raise InputError(f"{rest[0]} is an option for the test videos of a run, and says nothing of new ones.")
    if options.ckpt is None:
        raise InputError(
            "name a trained model with --ckpt; the frozen backbone scores videos with `prompt-video label`."
        )
    logs.configure()

    from prompt_video.experiment.claim import claim_named, claim_new
    from prompt_video.reports.predictions import NAME

    check_folder(options.out or options.runs, "--out" if options.out else "--runs")
    files = files_of(options.video)
    check_model_options(options)
    model = model_of(options)
    folder = run_of(options.ckpt)
    texts = texts_of(options, model.class_names or (_captions(folder) if folder else []))
    tell_alike(model, texts)
    calibrate_with(options, model, texts)
    name = folder.absolute().parent.name if folder else Path(options.ckpt).stem
    claim = claim_named(options.out) if options.out else claim_new(options.runs, name, "predict_")
    try:
        log.info("%s", model.describe())
        predictions = _predicted(model, files, texts, options.top)
        tell_cut_texts(model)
        is_saved = save(claim.folder, predictions.write, f"{predictions.counted}, {NAME}.csv and .json, in")
        if model.notice:
            log.info("note: %s", model.notice)
    finally:
        claim.leave()
    for video in predictions.broken:
        log.warning("cannot be used: %s: %s", video.path, video.reason)
    return 0 if is_saved and not predictions.broken else 1


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser(
        "predict",
        __doc__,
        others=EXPERIMENT_OPTIONS - {"ckpt", "ckpt_path", "runs"},
        epilog="Without VIDEO all options are as for `prompt-video test`.",
    )
    parser.add_argument("video", nargs="*", type=str, metavar="VIDEO", help="file, folder, or pattern 'clips/*.mp4'")
    add_class_options(parser)
    add_model_options(parser)
    add_none_options(parser)
    parser.add_argument("--top", type=int, default=5, help="classes or captions of each video")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for run folders")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for the files (default: <runs>/<name>/predict_<date>)")
    return parser


def _of_test_videos(arguments: list[str]) -> int:
    run.main(arguments)
    return 0


def _captions(run: Path) -> list[str]:
    """The captions that a run of retrieval was tested with."""
    path = run / f"{BY_CAPTION}.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(dict.fromkeys(text_of(row["caption"]) for row in csv.DictReader(file)))


def _predicted(model: "LoadedModel", files: list[Path], texts: list[str], top: int) -> "Predictions":
    from data_modules.batch import BrokenVideo
    from prompt_video.reports.predictions import Predictions, of_detections

    segments: dict[str, Sequence[Detection]] = {}
    ranked: list[tuple[str, list[tuple[object, ...]]]] = []
    labels: list[str | None] = []
    broken: list[BrokenVideo] = []
    with Steps("predicting", len(files), "videos", stdout=True) as steps:
        for file in files:
            try:
                if model.has_detector:
                    segments[str(file)] = model.segments(file, texts, max_segments=MAX_SEGMENTS).segments
                else:
                    scores = model.score(file, texts)
                    ranked.append((str(file), [tuple(one) for one in scores.shown(top)]))
                    labels.append(scores.label)
            except BrokenVideoError as error:
                broken.append(BrokenVideo(str(file), str(error.path), error.reason))
            steps.advance()
    if model.has_detector:
        return of_detections(model.describe(), segments, broken, model.notice)
    found = "caption" if model.task == "retrieval" else "class"
    columns = (found, "probability", "similarity")
    return Predictions(model.describe(), "video", columns, ranked, broken, model.notice, labels)
