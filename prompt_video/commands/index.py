"""``prompt-video index``: embed all videos below a folder, to search in them with ``prompt-video search``.

Every video is cut into overlapping spans, and each span becomes one vector of the model: of a checkpoint (--ckpt) of
whatever task, or of an experiment (--config) that has nothing to learn, such as with --method frozen_templates.
--frozen takes the frozen backbone of either, with its hand-crafted templates and frames averaged; without either, it
is that of --backbone, or tiny. Run it again after files were added, changed or removed, or after a kill: all others are
left as they are.

A span is seen in as many frames as the experiment looks at: those of data.sampler or, in localization,
model.frames_inside. A checkpoint does not tell them: with --ckpt alone a span has as many frames as the temporal
encoder has positions. Where the run was told otherwise, name its --config beside --ckpt.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_modules.errors import InputError
from data_modules.files.regular_files import is_folder
from prompt_video.experiment.verb import ExperimentVerbParser
from prompt_video.inference.toy import toy_notice
from prompt_video.io import console
from prompt_video.io.outputs import check_folder
from prompt_video.model.templates import template_sets

if TYPE_CHECKING:
    from prompt_video.experiment.settings import SettingsCLI
    from prompt_video.model.video_text_model import VideoTextModel
    from prompt_video.search.indexing import Outcome
    from prompt_video.search.spans import Cutting

log = logging.getLogger(__name__)

MIN_FRAME_RATE = 2.0
# Of the frozen backbone alone, to which nothing of an experiment matters.
NO_EXPERIMENT = (
    "--model=RecognitionTask",
    "--model.temporal.num_layers=0",
    "--model.temporal.num_heads=1",
    "--data=VideoFolder",
    "--data.root=none",
)
TRAINER_OPTIONS = ("accelerator", "devices", "num_nodes", "strategy")


def main(arguments: list[str]) -> None:
    """Index one folder."""
    options, rest = parser().parse_beside(arguments[1:])
    if options.num_workers < 0:
        raise InputError(f"--num_workers must be 0 or more, not {options.num_workers}.")
    if not is_folder(options.folder):
        raise InputError(f"there is no folder {options.folder}; name the one with your videos.")
    root = options.out or Path("runs", "indexes", options.folder.absolute().name)
    check_folder(root, "--out")
    if options.templates is not None and not options.frozen:
        raise InputError("--templates are the hand-crafted prompts of the frozen backbone: say --frozen too.")

    from prompt_video.experiment.progress import ProgressBar
    from prompt_video.experiment.settings import read_settings
    from prompt_video.experiment.several_processes import StopTogether
    from prompt_video.search.indexing import build_index

    console.configure()
    named = {word.partition("=")[0] for word in rest} & {"--config", "--model", "--data"}
    if options.frozen and options.ckpt is None and not named:
        rest = [*NO_EXPERIMENT, *rest]
    settings = read_settings(rest) if rest else None
    model = choose_model(options.ckpt, settings, frozen=options.frozen, templates=options.templates)
    trainer_options: dict[str, Any] = {}
    if settings is not None:
        trainer_options = {name: settings.settings["trainer"][name] for name in TRAINER_OPTIONS}
    trainer_options["callbacks"] = [StopTogether()]
    if options.quiet:
        trainer_options["enable_progress_bar"] = False
    else:
        trainer_options["callbacks"].append(ProgressBar())
    cutting = choose_cutting(model, settings, options.span, options.stride, options.frame_rate)
    log.info("%s", model.describe())
    outcome = build_index(model, options.folder, root, cutting, options.num_workers, **trainer_options)
    _report(outcome, root)
    if notice := toy_notice(model.backbone.name):
        log.info("note: %s", notice)


def choose_model(
    ckpt: Path | None, settings: "SettingsCLI | None", *, frozen: bool, templates: str | None = None
) -> "VideoTextModel":
    """The model that is asked for.

    Args:
        ckpt: a checkpoint, of any task.
        settings: of an experiment; beside a checkpoint only its backbone counts.
        frozen: the frozen backbone, in its place.
        templates: of the frozen backbone, see `TemplatePrompt`; None: those that the model is compared with.

    Raises:
        InputError: when neither names one, or it cannot be searched with.
    """
    from prompt_video.model.embedding import frozen_model
    from prompt_video.search.models import model_of_checkpoint, untrained

    described = settings.task().model if settings is not None else None
    if ckpt is not None:
        model = model_of_checkpoint(ckpt, described.backbone if described else None, frozen=frozen)
    elif described is not None:
        model = described if frozen else untrained(described)
    else:
        raise InputError(
            "name the model: --ckpt X.ckpt of a run, --config EXP.yaml, or both; or --frozen, for the frozen backbone."
        )
    return frozen_model(model, templates) if frozen else model


def choose_cutting(
    model: "VideoTextModel",
    settings: "SettingsCLI | None",
    span_sec: float,
    stride_sec: float,
    frame_rate: float | None,
) -> "Cutting":
    """How to cut: as many frames a span as the experiment looks at, at a frame rate that gives them.

    Args:
        model: its temporal encoder's number of frames is taken where the experiment names none.
        settings: of the experiment; of localization its ``frames_inside`` counts.
        span_sec: as asked for.
        stride_sec: as asked for.
        frame_rate: as asked for; None: the experiment's or, where it has none, one that is high enough.
    """
    from prompt_video.search.spans import Cutting

    data = settings.data() if settings is not None else None
    # A localization task is trained on so many frames of each action, whatever its windows hold.
    inside = settings.settings["model"]["init_args"].get("frames_inside") if settings is not None else None
    sampler = getattr(data, "sampler", None)
    num_frames: int = inside if inside is not None else getattr(sampler, "num_frames", model.temporal.max_frames)
    if frame_rate is None and data is not None:
        frame_rate = data.frame_rate
    if frame_rate is None:
        frame_rate = max(num_frames / span_sec, MIN_FRAME_RATE) if span_sec > 0 else MIN_FRAME_RATE
    return Cutting(span_sec, stride_sec, num_frames, float(frame_rate))


def _report(outcome: "Outcome", root: Path) -> None:
    log.info("%d videos embedded, %d unchanged and left as they were", outcome.done, outcome.unchanged)
    if outcome.gone:
        log.info("%d no longer there and taken out, the first being %s", len(outcome.gone), outcome.gone[0])
    for video_id in outcome.newly_broken:
        video = outcome.broken[video_id]
        log.info("broken: %s: %s", video.path, video.reason)
    if outcome.broken:
        earlier = len(outcome.broken) - len(outcome.newly_broken)
        known = f", {earlier} of them known from before" if earlier else ""
        told = "1 file is" if len(outcome.broken) == 1 else f"{len(outcome.broken)} files are"
        log.info("%s broken and left out%s", told, known)
    log.info("%s: %d videos, %d spans", root, outcome.num_videos, outcome.num_spans)
    if outcome.num_videos:
        log.info('search with: prompt-video search %s "what to look for"', root)


def parser() -> ExperimentVerbParser:
    """The options."""
    parser = ExperimentVerbParser(
        "index",
        __doc__,
        epilog="Any option of data, model and trainer is as for `prompt-video fit`; of the data only the frame rate "
        "and the number of frames count.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the videos, in any layout")
    parser.add_argument("--ckpt", type=Path, help="checkpoint of the learned weights, of a run of any task")
    parser.add_argument("--frozen", action="store_true", help="the frozen backbone in the place of the learned model")
    parser.add_argument(
        "--templates",
        type=str,
        metavar="SET",
        help="with --frozen: other hand-crafted prompts than those that the model is compared with, by the name of a "
        f"set ({', '.join(template_sets())}), or a text file with one a line",
    )
    parser.add_argument(
        "--out", type=Path, metavar="INDEX", help="folder of the index (default: runs/indexes/<name of FOLDER>)"
    )
    parser.add_argument("--span", type=float, default=8.0, help="seconds of one span")
    parser.add_argument("--stride", type=float, default=4.0, help="seconds from one span's start to the next")
    parser.add_argument(
        "--frame_rate",
        type=float,
        help="frames a second that a span's are chosen from (default: the experiment's, or as many as a span needs, "
        f"{MIN_FRAME_RATE:g} at least)",
    )
    parser.add_argument("--num_workers", type=int, default=2, help="processes that decode")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser
