"""``prompt-video score-detections``: mAP and recall of a file of detections, equal to ActivityNet's toolkit.

Detections in videos outside the subset or the ground truth count as false, as they do there. A video may be named with
suffix and folders, as ``segment --json`` names it. For the recall, a segment that a video has under several labels is
one proposal, with its best score.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jsonargparse import Namespace
from rich.table import Table

from data_modules.annotations.activitynet_format import AnnotatedVideo, Detection, read_detections, read_ground_truth
from data_modules.errors import InputError
from data_modules.files.text_files import cut
from prompt_video.io.console import Terminal
from prompt_video.io.outputs import check_file, save, write_json
from prompt_video.io.suggest import nearest
from prompt_video.io.tables import new_table
from prompt_video.io.verb_parser import VerbParser
from prompt_video.localization.video_names import annotated_names
from prompt_video.metrics.evaluation import Evaluation, evaluate

MOST_TIOUS = 1000
NUM_SHOWN = 5  # best and worst classes


def main(arguments: list[str]) -> int:
    """Score one file.

    Returns:
        The exit code: 1 when the file of figures is not where it should be.
    """
    options = parser().parse(arguments[1:])
    check_file(options.json, "--json")
    for path in (options.ground_truth, options.predictions):
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no regular file; name a JSON file.")
    tious = parse_tious(options.tiou)
    ground_truth = read_ground_truth(options.ground_truth)
    videos = _of_subset(ground_truth, options.subset, options.ground_truth)
    predicted = read_detections(options.predictions)
    _check_labels(predicted, ground_truth, options)
    names = annotated_names(predicted, ground_truth, str(options.predictions))
    detections = {names[video_id]: own for video_id, own in predicted.items()}
    evaluation = evaluate(videos, detections, tious)
    counts = {
        "videos": len(videos),
        "instances": sum(len(video.annotations) for video in videos.values()),
        "predictions": sum(len(own) for own in detections.values()),
        "predictions_outside_subset": sum(len(own) for name, own in detections.items() if name not in videos),
        "predictions_of_other_classes": sum(
            detection.label not in evaluation.per_class for own in detections.values() for detection in own
        ),
    }
    report = {
        "ground_truth": str(options.ground_truth),
        "detections": str(options.predictions),
        "subset": options.subset,
        "tious": list(tious),
        "counts": counts,
        "figures": evaluation.figures,
        "per_class": evaluation.per_class,
    }
    _warn_of_others(detections, ground_truth, counts, options)
    _print(evaluation, counts, options)
    return 0 if save(options.json, lambda path: write_json(path, report), "all figures:") else 1


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("score-detections", __doc__)
    parser.add_argument("ground_truth", type=Path, metavar="GT.json", help="ActivityNet's format; .json.gz too")
    parser.add_argument("predictions", type=Path, metavar="PRED.json", help="ActivityNet's result format")
    parser.add_argument("--subset", type=str, default="validation", help="videos to score")
    parser.add_argument(
        "--tiou",
        type=str,
        default="0.5:0.05:0.95",
        help="thresholds: start:step:end, or one or more with commas in between",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="file to write all figures to, per class too")
    return parser


def parse_tious(text: str) -> tuple[float, ...]:
    """Thresholds as they are typed: ``0.5``, ``0.5,0.75,0.95`` or ``0.5:0.05:0.95``, whose end belongs to them.

    Raises:
        InputError: when it is none of these, or a threshold is outside (0, 1].
    """
    try:
        if ":" in text:
            start, step, end = (float(part) for part in text.split(":"))
            count = round((end - start) / step) + 1
            if not abs(start + step * (count - 1) - end) < 1e-6 or count > MOST_TIOUS:
                raise ValueError
            tious = np.linspace(start, end, count).tolist()  # rounded as the toolkit's
        else:
            tious = sorted({float(part) for part in text.split(",")})
        if not tious or not all(0 < tiou <= 1 for tiou in tious):
            raise ValueError
    except (ValueError, ZeroDivisionError, OverflowError):
        raise InputError(
            f"--tiou '{text}' must be thresholds greater than 0 and at most 1: as start:step:end, with a whole number "
            "of steps (0.5:0.05:0.95), or with commas in between (0.5,0.75)."
        ) from None
    return tuple(tious)


def _of_subset(ground_truth: Mapping[str, AnnotatedVideo], subset: str, path: Path) -> dict[str, AnnotatedVideo]:
    videos = {video_id: video for video_id, video in ground_truth.items() if video.subset == subset}
    if not any(video.annotations for video in videos.values()):
        annotated = sorted({video.subset for video in ground_truth.values() if video.annotations})
        known = ", ".join(annotated) or "none"
        raise InputError(f"{path}: the subset '{subset}' has no annotations; set --subset to one that has: {known}.")
    return videos


def _check_labels(
    detections: Mapping[str, Sequence[Detection]], ground_truth: Mapping[str, AnnotatedVideo], options: Namespace
) -> None:
    """Refuse classes that the ground truth does not know, naming the first."""
    labels = {annotation.label for video in ground_truth.values() for annotation in video.annotations}
    for video_id, own in detections.items():
        for number, detection in enumerate(own):
            if detection.label not in labels:
                raise InputError(
                    f"{options.predictions}, video '{video_id}', entry {number}: '{detection.label}' is no class of "
                    f"{options.ground_truth}{nearest(detection.label, labels)}"
                )


def _warn_of_others(
    detections: Mapping[str, Sequence[Detection]],
    ground_truth: Mapping[str, AnnotatedVideo],
    counts: Mapping[str, int],
    options: Namespace,
) -> None:
    """Say which predictions are in videos that are not scored: ActivityNet's toolkit takes all of them as false."""
    console = Terminal()
    strange = {video_id: own for video_id, own in detections.items() if video_id not in ground_truth}
    unknown = sum(len(own) for own in strange.values())
    if strange:
        first = next(iter(strange))
        console.print(
            f"warning: {unknown:,} of {counts['predictions']:,} predictions are in {len(strange):,} videos that are "
            f"not in {options.ground_truth}, and count as false positives; the first is '{cut(first)}'"
            f"{nearest(first, ground_truth)}"
        )
    if outside := counts["predictions_outside_subset"] - unknown:
        console.print(
            f"warning: {outside:,} of {counts['predictions']:,} predictions are in videos outside the subset "
            f"'{options.subset}'; they count as false positives."
        )


def _print(evaluation: Evaluation, counts: Mapping[str, int], options: Namespace) -> None:
    console = Terminal()
    if others := counts["predictions_of_other_classes"]:
        console.print(
            f"note: {others:,} of {counts['predictions']:,} predictions are of classes without an instance in the "
            f"subset '{options.subset}'; they have no part in mAP."
        )
    console.print(
        f"{options.predictions}: {counts['predictions']:,} predictions; {options.subset}: {counts['videos']:,} videos, "
        f"{counts['instances']:,} instances of {len(evaluation.labels)} classes"
    )
    console.print(_figures(evaluation))
    console.print(_classes(evaluation))


def _figures(evaluation: Evaluation) -> Table:
    table = new_table()
    table.add_column("figure")
    table.add_column("%", justify="right")
    for name, value in evaluation.figures.items():
        names = {"map_avg": f"mAP, average of {len(evaluation.tious)}", "auc": "AUC of AR@1 to AR@100"}
        style = "bold" if name == "map_avg" else ""
        readable = name.replace("map@", "mAP at tIoU ").replace("ar@", "AR@")
        table.add_row(names.get(name, readable), f"{100 * value:.2f}", style=style)
    return table


def _classes(evaluation: Evaluation) -> Table:
    """The best and the worst, each once."""
    averages = {label: row["ap_avg"] for label, row in evaluation.per_class.items()}
    ranked = sorted(averages, key=lambda label: -averages[label])
    table = new_table()
    table.add_column("best and worst classes")
    table.add_column("AP, average, %", justify="right")
    for number, label in enumerate(ranked):
        if number < NUM_SHOWN or number >= max(NUM_SHOWN, len(ranked) - NUM_SHOWN):
            table.add_row(label, f"{100 * averages[label]:.2f}")
        elif number == NUM_SHOWN:
            table.add_row("...", "")
    return table
