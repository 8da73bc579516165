"""All checks of one experiment, in the order in which a person mends what they find."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.modules.base import VideoDataModule
from data_modules.modules.captioned import CaptionedDataModule
from data_modules.protocols.trial import SPLITS
from prompt_video.backbones.clip import FrozenCLIP
from prompt_video.experiment.settings import SettingsCLI
from prompt_video.preflight import captions, checks, segments
from prompt_video.preflight.check_results import Finding
from prompt_video.preflight.probes import Look, check_broken, check_missing, look, look_at, some_of_each_class
from prompt_video.preflight.storage import check_disk, check_store, shares_of, stored_everywhere
from prompt_video.preflight.texts import TITLE as NAME_LENGTHS
from prompt_video.preflight.texts import check_texts
from prompt_video.tasks.base import VideoTextTask

Decode = Literal["all", "sample", "none"]


@dataclass(frozen=True)
class Examination:
    """What was found.

    Args:
        name: of the experiment.
        findings: of every check.
        looks: at every video.
        parts: the videos of each part, each once.
        decoded: how many videos were opened.
    """

    name: str
    findings: Sequence[Finding]
    looks: Mapping[Path, Look] = field(default_factory=dict)
    parts: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    decoded: int = 0


def examine(settings: SettingsCLI, decode: Decode, samples: int, workers: int, *, show_progress: bool) -> Examination:
    """Check everything.

    Args:
        settings: of the experiment.
        decode: which videos to open.
        samples: of each class of each part, where only a sample is opened.
        workers: processes that open videos.
        show_progress: draw a progress bar.
    """
    task, model_findings = _build_task(settings)
    data = settings.data(image_size=task.image_size) if task else settings.data()
    try:
        for module in (data, *data.test_on):
            module.prepare_data()
        parts = data.videos()
    except InputError as error:
        return Examination(settings.name, [Finding("data", "error", str(error)), *model_findings])
    looks, decoded = _look(parts, decode, samples, workers, show_progress)
    findings = list(_of_trials(data, looks, learns=task is None or task.has_weights))
    findings += [_of_texts(data, task)] if task else _named_for(data, model_findings)
    findings += _of_files(data, task.model.clip if task else None, parts, looks, decoded)
    return Examination(settings.name, findings, looks, parts, decoded)


def _of_texts(data: VideoDataModule, task: VideoTextTask) -> Finding:
    """Whether CLIP can read all texts to their ends."""
    if isinstance(data, CaptionedDataModule):
        return captions.check_lengths(task.model, data.videos())
    names = dict.fromkeys(
        name for trial in data.trials for subset in trial.subsets.values() for name in subset.class_names
    )
    return check_texts(task.model, list(names))


def _named_for(data: VideoDataModule, findings: Sequence[Finding]) -> list[Finding]:
    """The check of the texts is called by what they are."""
    if not isinstance(data, CaptionedDataModule):
        return list(findings)
    return [replace(one, check=captions.LENGTHS) if one.check == NAME_LENGTHS else one for one in findings]


def _of_files(
    data: VideoDataModule,
    clip: FrozenCLIP | None,
    parts: Mapping[str, Sequence[Record]],
    looks: Mapping[Path, Look],
    decoded: int,
) -> Iterator[Finding]:
    """What videos and feature stores tell."""
    allowed = data.dropped_videos.max_fraction
    try:
        shares = shares_of(data, clip)
    except InputError as error:
        yield check_missing(parts, looks, set(), allowed)
        yield check_broken(parts, looks, set(), decoded, allowed)
        yield Finding("feature store", "error", str(error))
        return
    stored = stored_everywhere(data, shares)
    yield check_missing(parts, looks, stored, allowed)
    yield check_broken(parts, looks, stored, decoded, allowed)
    yield check_store(data, shares, stored)
    yield check_disk(data, shares, looks)


def _build_task(settings: SettingsCLI) -> tuple[VideoTextTask | None, list[Finding]]:
    """The model, or why there is none: what is checked of the data needs none."""
    try:
        return settings.task(), []
    except InputError as error:
        options = settings.settings["model"]["init_args"]
        try:
            FrozenCLIP(options["clip"], options["clip_dtype"])
        except InputError as missing:
            return None, [Finding(NAME_LENGTHS, "warning", f"not checked: {missing}")]
        return None, [Finding("model", "error", str(error))]


def _of_trials(data: VideoDataModule, looks: Mapping[Path, Look], *, learns: bool) -> Iterator[Finding]:
    """What texts, lists and splits tell without a look at a file."""
    trials = list(data.trials)
    owners = {subset: data.owner_of(subset).dataset_name for subset in data.videos()}
    files = {path: look.file for path, look in looks.items() if look.file is not None}
    yield Finding("protocol", "ok", data.describe_protocol())
    if isinstance(data, CaptionedDataModule):
        yield captions.check_captions(trials, data.videos(), data.tally, learns)
        yield captions.check_shared(trials)
    else:
        yield checks.check_labels(trials)
        yield checks.check_unique_names(trials)
        yield checks.check_training_classes(trials, learns)
        yield checks.check_test_classes(trials, owners)
    yield checks.check_repeats(trials, files)
    yield checks.check_overlap(trials, owners, files)
    if (unseen := checks.check_unseen(data.protocol, trials)) is not None:
        yield unseen
    if segments.is_untrimmed(trials):
        lengths = {path: look.duration_sec for path, look in looks.items() if look.duration_sec}
        yield segments.check_segments(trials, data.dataset_index, lengths)
        if (unseen := segments.check_unseen_segments(trials, data.dataset_index)) is not None:
            yield unseen
    for module in (data, *data.test_on):
        yield _sizes(module, several=bool(data.test_on))


def _sizes(data: VideoDataModule, *, several: bool) -> Finding:
    title = f"split sizes, {data.dataset_name}" if several else "split sizes"
    published = data.published_sizes()
    try:
        listed = data.dataset_index.records
        found: dict[str, int] = {split: len(listed[split]) for split in SPLITS if split in published}
    except InputError as error:  # of a protocol with lists of its own, which needs no official ones
        return Finding(title, "note", f"not checked: {error}")
    finding = checks.check_sizes(found, published)
    return Finding(title, finding.verdict, finding.found, finding.examples)


def _look(
    parts: Mapping[str, Sequence[Record]], decode: Decode, samples: int, workers: int, show_progress: bool
) -> tuple[dict[Path, Look], int]:
    """Look at every video; returns how many were opened, too."""
    paths = list(dict.fromkeys(record.path for records in parts.values() for record in records))
    looks = {path: look(path, decode=False) for path in paths}
    chosen = {"all": lambda: paths, "sample": lambda: some_of_each_class(parts.values(), samples), "none": list}
    make: Callable[[], list[Path]] = chosen[decode]
    there = [path for path in make() if looks[path].problem is None]
    columns = (TextColumn("decoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not show_progress) as progress:
        bar = progress.add_task("decoding", total=len(there))
        for found in look_at(there, workers):
            looks[found.path] = found
            progress.advance(bar)
    return looks, len(there)
