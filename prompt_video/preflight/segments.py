"""Checks of untrimmed videos: what their annotation is like, and that training never sees an unseen class.

The proof takes the videos' segments as the data set lists them, and nothing of how a protocol hides some of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from data_modules.annotations.times import misfits
from data_modules.annotations.untrimmed_lists import oddities
from data_modules.batch import Segment, Span, UntrimmedRecord
from data_modules.errors import InputError
from data_modules.protocols.trial import DatasetIndex, Trial
from prompt_video.preflight.check_results import CheckResult, count


def is_untrimmed(trials: Sequence[Trial]) -> bool:
    """Whether these are trials of untrimmed videos."""
    records = (record for trial in trials for subset in trial.subsets.values() for record in subset.records)
    return isinstance(next(records, None), UntrimmedRecord)


def check_segments(
    trials: Sequence[Trial], dataset_index: DatasetIndex, lengths_sec: Mapping[Path, float]
) -> CheckResult:
    """What is odd in the annotation of the videos in use; the evaluation takes all of it as it stands.

    Args:
        trials: of the experiment.
        dataset_index: the data set as it lists its videos.
        lengths_sec: how long the files are that were opened.
    """
    used = {record.video_id for trial in trials for subset in trial.subsets.values() for record in subset.records}
    records = [record for video_id, record in _listed(dataset_index).items() if video_id in used]
    decoded = {record.video_id: lengths_sec[record.path] for record in records if record.path in lengths_sec}
    times = oddities(replace(r, duration_sec=decoded.get(r.video_id, r.duration_sec)) for r in records)
    unfit = misfits(records, decoded)
    try:
        unfit.check_units("annotation")
    except InputError as error:
        return CheckResult("segments", "error", str(error), unfit.after)
    segments = count(sum(len(record.segments) for record in records), "segment")
    oddities_by_kind = {
        "ending at or before their start": times.reversed,
        "starting before their video": times.before_start,
        "ending after their video": times.beyond_end,
        "ambiguous spans beside them": times.ambiguous,
        "videos of another duration than annotated": unfit.lengths,
    }
    if not any(oddities_by_kind.values()):
        return CheckResult("segments", "ok", f"none of {segments} is reversed or ends after its video")
    odd = ", ".join(f"{what}: {len(examples):,}" for what, examples in oddities_by_kind.items() if examples)
    return CheckResult(
        "segments", "note", f"{segments}, {odd}", [one for examples in oddities_by_kind.values() for one in examples]
    )


def check_unseen_segments(trials: Sequence[Trial], dataset_index: DatasetIndex) -> CheckResult | None:
    """No moment of a class that is not trained on may be looked at in training; None where all classes are.

    Every such segment of a training video, as the data set lists it, must lie in what is hidden of the video.

    Args:
        trials: of the experiment.
        dataset_index: the data set as it lists its videos.
    """
    listed = _listed(dataset_index)
    hidden, dropped = 0, 0
    videos: set[str] = set()
    open_to_view: list[str] = []
    for trial in trials:
        where = f"{trial.name}: " if len(trials) > 1 else ""
        seen = set(trial.train.class_names)
        for record in trial.train.records:
            assert isinstance(record, UntrimmedRecord)
            hidden_sec = merged(record.hidden_sec)
            for segment in listed[record.video_id].segments:
                if (name := dataset_index.class_names[segment.target]) not in seen:
                    hidden += 1
                    videos.add(record.video_id)
                    if not _covers(hidden_sec, segment):
                        open_to_view.append(f"{where}{record.video_id}, {name}, {_when(segment)}")
            dropped += sum(_meets(hidden_sec, segment) for segment in record.segments)
    if not hidden:
        return None
    others = f"{count(hidden, 'segment')} of classes that are not trained on, in {count(len(videos), 'training video')}"
    if open_to_view:
        summary = f"{len(open_to_view):,} of {others}, can be looked at in training"
        return CheckResult("unseen segments", "error", summary, open_to_view)
    left_out = f"; {count(dropped, 'training segment')} that they overlap left out" if dropped else ""
    return CheckResult("unseen segments", "ok", f"hidden from training: all {others}{left_out}")


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same moments as spans that neither meet nor overlap, in order; empty and reversed ones hold none."""
    union: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        else:
            union.append((start, end))
    return union


def _covers(spans: Sequence[Span], segment: Segment) -> bool:
    """Whether one of several spans, apart from each other, holds all of a segment; an empty one shows nothing."""
    empty = segment.end_sec <= segment.start_sec
    return empty or any(start <= segment.start_sec and segment.end_sec <= end for start, end in spans)


def _meets(spans: Sequence[Span], segment: Segment) -> bool:
    return any(segment.start_sec < end and start < segment.end_sec for start, end in spans)


def _when(segment: Segment) -> str:
    return f"{segment.start_sec:g} to {segment.end_sec:g} s"


def _listed(dataset_index: DatasetIndex) -> dict[str, UntrimmedRecord]:
    """The videos of all splits as the data set lists them, by id."""
    everything = (record for records in dataset_index.records.values() for record in records)
    return {record.video_id: record for record in everything if isinstance(record, UntrimmedRecord)}
