"""Checks of trials and class names: pure, no file is looked at."""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from data_modules.annotations.class_names import as_read
from data_modules.batch import MultiLabelRecord, Record
from data_modules.protocols import BaseToNovel, CrossDataset, OpenSet, Protocol, RandomHalves
from data_modules.protocols.trial import Subset, Trial
from prompt_video.preflight.check_results import CheckResult, Verdict, count, worst


def check_labels(trials: Sequence[Trial]) -> CheckResult:
    """Every target must be one of the class names of its part."""
    outside = [
        f"{where}: {record.video_id} has label {target} of {len(subset.class_names)} classes"
        for where, subset in _parts(trials)
        for record in subset.records
        for target in _targets(record, where)
        if not 0 <= target < len(subset.class_names)
    ]
    if outside:
        return CheckResult("labels", "error", f"{count(len(outside), 'label')} outside of the class list", outside)
    names = {name for trial in trials for subset in trial.subsets.values() for name in subset.class_names}
    records = (record for _, subset in _parts(trials) for record in subset.records)
    labels = {record.video_id: len(record.labels) for record in records if isinstance(record, MultiLabelRecord)}
    if not labels:
        return CheckResult("labels", "ok", f"every video has one of {count(len(names), 'class name')}")
    none = sum(not number for number in labels.values())
    told = f"{count(len(labels) - none, 'video')} with several of {count(len(names), 'class name')}, {none:,} with none"
    return CheckResult("labels", "ok", f"{told}, the others with one")


def _targets(record: Record, where: str) -> tuple[int, ...]:
    """What it is labelled with; a video without a label is one of the unknown in a test, and a mistake elsewhere."""
    is_mistake = type(record) is Record and record.target < 0 and where.endswith(("train", "val"))
    return (record.target,) if is_mistake else record.targets


def check_training_classes(
    trials: Sequence[Trial], learns: bool, missing: Collection[Path] = frozenset()
) -> CheckResult:
    """Every class name that is trained on needs a training video.

    Args:
        trials: of the experiment.
        learns: whether there is anything to learn; otherwise no training video is needed.
        missing: files that are needed and not there.
    """
    title = "training classes"
    if all(not trial.train.records for trial in trials):
        return CheckResult(title, "error" if learns else "note", "there are no training videos")
    without = [
        f"{where}{name}"
        for trial, where in named(trials)
        for name in _untouched(trial.train.class_names, [trial.train], missing)
    ]
    there = _there([trial.train for trial in trials], missing)
    if without:
        summary = f"{count(len(without), 'class')} without a training video{there and ' that is there'}{there}"
        return CheckResult(title, "warning" if learns else "note", summary, without)
    return CheckResult(title, "note" if there else "ok", f"every class has training videos{there}")


def check_test_classes(
    trials: Sequence[Trial], dataset_names: Mapping[str, str], missing: Collection[Path] = frozenset()
) -> CheckResult:
    """Every class name that is tested should have a test video, in any of the tests on the same data set.

    Args:
        trials: of the experiment.
        dataset_names: the data set of each test.
        missing: files that are needed and not there.
    """
    without: list[str] = []
    for trial, where in named(trials):
        if any(not subset.records for subset in trial.tests.values()):
            empty = next(name for name, subset in trial.tests.items() if not subset.records)
            return CheckResult("test classes", "error", f"{where}the test '{empty}' has no videos")
        for dataset_name in sorted({dataset_names.get(name, "") for name in trial.tests}):
            parts = [subset for name, subset in trial.tests.items() if dataset_names.get(name, "") == dataset_name]
            names = dict.fromkeys(name for subset in parts for name in subset.class_names)
            without += [f"{where}{name}" for name in _untouched(names, parts, missing)]
    there = _there([subset for trial in trials for subset in trial.tests.values()], missing)
    if without:
        summary = f"{count(len(without), 'class')} without a test video{there and ' that is there'}{there}"
        return CheckResult("test classes", "warning", summary, without)
    return CheckResult("test classes", "note" if there else "ok", f"every class has test videos{there}")


def check_unique_names(trials: Sequence[Trial], read: Callable[[str], Hashable] = as_read) -> CheckResult:
    """Two class names that read alike cannot be told apart.

    Args:
        trials: of the experiment.
        read: what a text encoder makes of a name; most ignore capitals and extra blanks.
    """
    twice: dict[str, None] = {}
    for _, subset in _parts(trials):
        times = Counter(read(name) for name in subset.class_names)
        for plain, number in times.items():
            if number > 1:
                alike = [name for name in subset.class_names if read(name) == plain]
                twice[" = ".join(repr(name) for name in alike)] = None
    if twice:
        summary = f"{count(len(twice), 'class name')} given to more than one class: the text encoder reads the same"
        return CheckResult("duplicate names", "error", summary, list(twice))
    return CheckResult("duplicate names", "ok", "no two classes have the same name")


def check_repeats(trials: Sequence[Trial], files: Mapping[Path, Hashable]) -> CheckResult:
    """No video, and no file, may stand twice in one part.

    Args:
        trials: of the experiment.
        files: what tells the file behind a path from others; a path that is not in it is told by itself.
    """
    repeats: dict[str, None] = {}
    for where, subset in _parts(trials):
        ids = Counter(record.video_id for record in subset.records)
        paths = Counter(files.get(record.path, record.path) for record in subset.records)
        for record in subset.records:
            if ids[record.video_id] > 1:
                repeats[f"{where}: {record.video_id}"] = None
            elif paths[files.get(record.path, record.path)] > 1:
                repeats[f"{where}: {record.path} is the same file as another"] = None
    if repeats:
        summary = f"{count(len(repeats), 'video')} more than once in a part"
        return CheckResult("repeated videos", "error", summary, list(repeats))
    return CheckResult("repeated videos", "ok", "no video stands twice in a part")


def check_overlap(
    trials: Sequence[Trial], dataset_names: Mapping[str, str], files: Mapping[Path, Hashable]
) -> CheckResult:
    """What is tested must not be trained on, nor the best checkpoint be chosen on it.

    Args:
        trials: of the experiment.
        dataset_names: the data set of each test; the same id in two data sets may be another video.
        files: as for `check_repeats`.
    """
    verdicts: list[Verdict] = []
    shared: list[str] = []
    for trial, where in named(trials):
        for first, second in _pairs(trial):
            same_data = dataset_names.get(first) == dataset_names.get(second)
            ids = {record.video_id for record in trial.subsets[first].records}
            paths = {files.get(record.path, record.path) for record in trial.subsets[first].records}
            for record in trial.subsets[second].records:
                same_file = files.get(record.path, record.path) in paths
                if same_file or record.video_id in ids:
                    verdicts.append("error" if second in trial.tests and (same_data or same_file) else "warning")
                    shared.append(f"{where}{record.video_id} in {first} and {second}")
    if shared:
        return CheckResult("overlap", worst(verdicts), f"{count(len(shared), 'video')} in two parts of a trial", shared)
    parts = "training, validation and test" if any(trial.val for trial in trials) else "training and test"
    return CheckResult("overlap", "ok", f"{parts} share no video")


def check_unseen(protocol: Protocol, trials: Sequence[Trial]) -> CheckResult | None:
    """Whether classes that count as unseen are; None for a protocol that has no such classes."""
    if not isinstance(protocol, (OpenSet, RandomHalves, BaseToNovel, CrossDataset)):
        return None
    shared: dict[str, None] = {}
    tested: set[str] = set()
    for trial, where in named(trials):
        seen = {as_read(name) for name in trial.train.class_names}
        for test, subset in trial.tests.items():
            if not isinstance(protocol, BaseToNovel) or test == "novel":
                tested.update(subset.class_names)
                shared.update({f"{where}{name}": None for name in subset.class_names if as_read(name) in seen})
    title = "unseen classes"
    if not shared:
        return CheckResult(title, "ok", "no class name of the test is trained on")
    if isinstance(protocol, CrossDataset):
        summary = f"{len(shared)} of the {count(len(tested), 'class name')} tested on are trained on too"
        return CheckResult(title, "note", summary, list(shared))
    return CheckResult(title, "error", f"{count(len(shared), 'class name')} of the test also in training", list(shared))


def check_sizes(listed: Mapping[str, int], published: Mapping[str, int]) -> CheckResult:
    """The official splits should have as many videos as was published.

    Args:
        listed: videos by split.
        published: the same, as published.
    """
    known = [split for split in published if split in listed]
    if not known:
        return CheckResult("split sizes", "note", "no published sizes to compare with")
    other = [
        f"{split}: {listed[split]:,} listed, {published[split]:,} published"
        for split in known
        if listed[split] != published[split]
    ]
    if other:
        return CheckResult("split sizes", "warning", "not the published sizes; figures are not comparable", other)
    return CheckResult(
        "split sizes", "ok", ", ".join(f"{published[split]:,} {split}" for split in known) + ", as published"
    )


def named(trials: Sequence[Trial]) -> Iterator[tuple[Trial, str]]:
    """Each trial, and how a message on it begins: with its name where there are several."""
    for trial in trials:
        yield trial, f"{trial.name}: " if len(trials) > 1 else ""


def _parts(trials: Sequence[Trial]) -> Iterator[tuple[str, Subset]]:
    for trial, where in named(trials):
        for name, subset in trial.subsets.items():
            yield f"{where}{name}", subset


def _pairs(trial: Trial) -> Iterator[tuple[str, str]]:
    val = ["val"] if trial.val is not None else []
    for first, others in (("train", [*val, *trial.tests]), *((name, list(trial.tests)) for name in val)):
        yield from ((first, other) for other in others)


def _there(parts: Sequence[Subset], missing: Collection[Path]) -> str:
    """How many of some videos are there; empty where all are."""
    paths = {record.path for subset in parts for record in subset.records}
    lost = len(paths & set(missing))
    return f" ({len(paths) - lost:,} of {count(len(paths), 'video')} are there)" if lost else ""


def _untouched(names: Iterable[str], parts: Sequence[Subset], missing: Collection[Path]) -> list[str]:
    """The class names that no video has which is there."""
    seen: set[str] = set()
    for subset in parts:
        there = (record for record in subset.records if record.path not in missing)
        targets = {target for record in there for target in record.targets}
        seen |= {name for target, name in enumerate(subset.class_names) if target in targets}
    return [name for name in names if name not in seen]
