"""All checks of one experiment, in the order in which a person mends what they find."""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from data_modules.annotations.class_names import as_read
from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.modules.base import VideoDataModule
from data_modules.modules.captioned import CaptionedDataModule
from data_modules.protocols.trial import SPLITS, Trial
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.experiment.settings import SettingsCLI
from prompt_video.io.progress import Steps
from prompt_video.preflight import captions, checks, segments
from prompt_video.preflight.check_results import CheckResult
from prompt_video.preflight.probes import (
    Probe,
    check_broken,
    check_missing,
    probe_video,
    probe_videos,
    some_of_each_class,
)
from prompt_video.preflight.storage import Share, check_disk, check_store, shares_of, stored_everywhere
from prompt_video.preflight.texts import TITLE as NAME_LENGTHS
from prompt_video.preflight.texts import check_texts
from prompt_video.tasks.base import VideoTextTask

Decode = Literal["all", "sample", "none"]


@dataclass(frozen=True)
class Examination:
    """What all checks came to.

    Args:
        name: of the experiment.
        results: of every check.
        probes: of every video.
        parts: the videos of each part, each once.
        decoded: how many videos were opened.
    """

    name: str
    results: Sequence[CheckResult]
    probes: Mapping[Path, Probe] = field(default_factory=dict)
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
    task, model_results = _build_task(settings)
    data = settings.data(preprocessing=task.preprocessing) if task else settings.data()
    try:
        for module in (data, *data.test_on):
            module.prepare_data()
        parts = data.videos()
    except InputError as error:
        return Examination(settings.name, [CheckResult("data", "error", str(error)), *model_results])
    probes, decoded = _probe_chosen(parts, decode, samples, workers, show_progress)
    try:
        shares: list[Share] | InputError = shares_of(data, task.model.backbone if task else None)
    except InputError as error:
        shares = error
    stored = set() if isinstance(shares, InputError) else stored_everywhere(data, shares)
    missing = {path for path, probe in probes.items() if probe.problem == "missing"} - stored
    results = list(_of_trials(data, probes, missing, task))
    allowed = data.dropped_videos.max_fraction
    results.append(check_missing(parts, probes, stored, allowed))
    results.append(check_broken(parts, probes, stored, decoded, allowed))
    results += [_of_texts(data, task)] if task else _named_for(data, model_results)
    results += _of_stores(data, shares, stored, probes)
    return Examination(settings.name, results, probes, parts, decoded)


def _of_texts(data: VideoDataModule, task: VideoTextTask) -> CheckResult:
    """Whether the backbone can read all texts to their ends."""
    if isinstance(data, CaptionedDataModule):
        return captions.check_lengths(task.model, data.videos())
    names = dict.fromkeys(
        name for trial in data.trials for subset in trial.subsets.values() for name in subset.class_names
    )
    return check_texts(task.model, list(names))


def _named_for(data: VideoDataModule, results: Sequence[CheckResult]) -> list[CheckResult]:
    """The check of the texts is called by what they are."""
    if not isinstance(data, CaptionedDataModule):
        return list(results)
    return [replace(one, check=captions.LENGTHS) if one.check == NAME_LENGTHS else one for one in results]


def _of_stores(
    data: VideoDataModule, shares: Sequence[Share] | InputError, stored: set[Path], probes: Mapping[Path, Probe]
) -> Iterator[CheckResult]:
    """What the feature stores hold, or what is wrong with them."""
    if isinstance(shares, InputError):
        yield CheckResult("feature store", "error", str(shares))
        return
    yield check_store(data, shares, stored)
    yield check_disk(data, shares, probes)


def _build_task(settings: SettingsCLI) -> tuple[VideoTextTask | None, list[CheckResult]]:
    """The model, or why there is none: what is checked of the data needs none."""
    try:
        return settings.task(), []
    except InputError as error:
        options = settings.settings["model"]["init_args"]
        try:
            FrozenBackbone(options["backbone"], options["backbone_dtype"])
        except InputError as missing:
            return None, [CheckResult(NAME_LENGTHS, "warning", f"not checked: {missing}")]
        return None, [CheckResult("model", "error", str(error))]


def _of_trials(
    data: VideoDataModule, probes: Mapping[Path, Probe], missing: Collection[Path], task: VideoTextTask | None
) -> Iterator[CheckResult]:
    """What texts, lists and splits tell without opening a file."""
    trials, learns = list(data.trials), task is None or task.has_weights
    dataset_names = {subset: data.owner_of(subset).dataset_name for subset in data.videos()}
    files = {path: probe.file for path, probe in probes.items() if probe.file is not None}
    yield CheckResult("protocol", "ok", data.describe_protocol())
    if isinstance(data, CaptionedDataModule):
        yield captions.check_captions(trials, data.videos(), data.tally, learns)
        yield captions.check_shared(trials)
    else:
        yield _of_labels(trials, task)
        yield checks.check_unique_names(trials, _reader(task))
        yield checks.check_training_classes(trials, learns, missing)
        yield checks.check_test_classes(trials, dataset_names, missing)
    yield checks.check_repeats(trials, files)
    yield checks.check_overlap(trials, dataset_names, files)
    if (unseen := checks.check_unseen(data.protocol, trials)) is not None:
        yield unseen
    if segments.is_untrimmed(trials):
        lengths = {path: probe.duration_sec for path, probe in probes.items() if probe.duration_sec}
        yield segments.check_segments(trials, data.dataset_index, lengths)
        if (unseen := segments.check_unseen_segments(trials, data.dataset_index)) is not None:
            yield unseen
    for module in (data, *data.test_on):
        yield _sizes(module, several=bool(data.test_on))


def _of_labels(trials: Sequence[Trial], task: VideoTextTask | None) -> CheckResult:
    """Whether labels are as lists say, and as the task takes them."""
    try:
        if task is not None:
            task.check_trials(trials)
    except InputError as error:
        return CheckResult("labels", "error", str(error))
    return checks.check_labels(trials)


def _reader(task: VideoTextTask | None) -> Callable[[str], Hashable]:
    """What a text encoder makes of a name: its tokens, where there is one."""
    return as_read if task is None else lambda name: tuple(task.model.backbone.tokenize([name])[0])


def _sizes(data: VideoDataModule, *, several: bool) -> CheckResult:
    title = f"split sizes, {data.dataset_name}" if several else "split sizes"
    published = data.published_sizes()
    try:
        listed = data.dataset_index.records
        sizes: dict[str, int] = {split: len(listed[split]) for split in SPLITS if split in published}
    except InputError as error:  # of a protocol with lists of its own, which needs no official ones
        return CheckResult(title, "note", f"not checked: {error}")
    result = checks.check_sizes(sizes, published)
    return CheckResult(title, result.verdict, result.summary, result.examples)


def _probe_chosen(
    parts: Mapping[str, Sequence[Record]], decode: Decode, samples: int, workers: int, show_progress: bool
) -> tuple[dict[Path, Probe], int]:
    """Probe every video, and decode the chosen ones; returns how many were opened, too."""
    paths = list(dict.fromkeys(record.path for records in parts.values() for record in records))
    probes = {path: probe_video(path, decode=False) for path in paths}
    chosen = {"all": lambda: paths, "sample": lambda: some_of_each_class(parts.values(), samples), "none": list}
    make: Callable[[], list[Path]] = chosen[decode]
    there = [path for path in make() if probes[path].problem is None]
    with Steps("decoding", len(there), "videos", stdout=True, show=show_progress) as steps:
        for probe in probe_videos(there, workers):
            probes[probe.path] = probe
            steps.advance()
    return probes, len(there)
