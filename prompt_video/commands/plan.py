"""``prompt-video plan``: what the frame features of an experiment will cost, in hours and gigabytes.

Some of its videos are decoded and encoded now, into a store that is thrown away; the rest is reckoned from them. The
same options as ``fit``.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from data_modules.errors import InputError
from prompt_video.experiment.verb import ExperimentVerbParser
from prompt_video.io import console as logs
from prompt_video.io.outputs import check_file, save, write_json
from prompt_video.io.progress import duration
from prompt_video.io.tables import new_table, titled

if TYPE_CHECKING:
    from prompt_video.preflight.planning import Plan

GIGA = 1e9


def main(arguments: list[str]) -> int:
    """Measure some videos of one experiment, and reckon with them."""
    options, rest = parser().parse_beside(arguments[1:])
    if options.samples < 1:
        raise InputError(f"--samples must be 1 or more, not {options.samples}.")
    check_file(options.out, "--out")

    from prompt_video.backbones.precision import place_of
    from prompt_video.experiment.missing_data import why_no_data
    from prompt_video.experiment.settings import read_settings
    from prompt_video.preflight.planning import plan

    logs.configure()
    settings = read_settings(rest)
    try:
        task = settings.task()
    except InputError as error:  # where both are missing, a person fetches the videos first
        raise InputError(why_no_data(settings.settings) or str(error)) from None
    data = settings.data(preprocessing=task.preprocessing)
    found = plan(data, task.model.backbone.to(place_of(None)), options.samples)
    logs.Terminal().print(_table(settings.name, found))
    are_saved = save(options.out, lambda path: write_json(path, found.as_json()), "all figures:")
    return 0 if are_saved else 1


def _table(name: str, plan: "Plan") -> object:
    measured, table = plan.measured, new_table()
    for heading in ("part", "here, a video", "in all"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    by = f"{plan.workers} processes" if plan.workers > 1 else "1 process"
    decode, encode = (f"{1000 * sec / measured.videos:,.0f} ms" for sec in (measured.decode_sec, measured.encode_sec))
    table.add_row(f"decoding, {by}", decode, duration(plan.decode_sec))
    table.add_row(f"encoding, {plan.device}", encode, duration(plan.encode_sec))
    table.add_row("both, at once" if plan.workers else "both", "", duration(plan.total_sec))
    table.add_row("frames", f"{measured.frames / measured.videos:,.0f}", f"{plan.factor * measured.frames:,.0f}")
    read = f"{plan.factor * measured.source_bytes / GIGA:,.2f} GB"
    table.add_row("read from disk", f"{measured.source_bytes / measured.videos / 1e6:,.2f} MB", read)
    stored = f"{plan.stored_bytes / GIGA:,.2f} GB"
    table.add_row("features", f"{measured.stored_bytes / measured.videos / 1e6:,.3f} MB", stored)
    told = f"{plan.todo:,} videos are to be computed, {plan.stored:,} are stored; measured on {measured.videos} of them"
    lost = f"; {measured.broken} more cannot be used" if measured.broken else ""
    below = f"{plan.bottleneck} is what takes the time; faster with {plan.advice}"
    return titled(f"{name}: {told}{lost}", table, below)


def parser() -> ExperimentVerbParser:
    """The options."""
    parser = ExperimentVerbParser("plan", __doc__)
    parser.add_argument("--samples", type=int, default=20, help="videos to measure, chosen at random")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser
