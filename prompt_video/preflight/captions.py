"""Checks of captioned videos: how many captions there are, which say too little to find one video, which are cut."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import cast

from data_modules.annotations.captions import CaptionTally
from data_modules.annotations.class_names import as_read
from data_modules.batch import CaptionedRecord, Record
from data_modules.protocols.trial import Subset, Trial
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.preflight.check_results import CheckResult, Verdict, count
from prompt_video.preflight.checks import named
from prompt_video.preflight.texts import Reader, first_problem, readers, token_counts

LENGTHS = "caption lengths"
MANY = 0.05  # of a part's captions: so many that are cut may change its figures
Parts = Mapping[str, Sequence[Record]]


def check_captions(trials: Sequence[Trial], parts: Parts, tally: CaptionTally, learns: bool) -> CheckResult:
    """How many videos and captions there are, and what was left out of the files.

    Args:
        trials: of the experiment.
        parts: the videos of each part, each once.
        tally: of what was left out.
        learns: whether there is anything to learn; otherwise no training video is needed.
    """
    if learns and any(not trial.train.records for trial in trials):
        return CheckResult("captions", "error", "there are no training videos")
    if empty := [name for trial in trials for name, subset in trial.tests.items() if not subset.records]:
        return CheckResult("captions", "error", f"the test '{empty[0]}' has no videos")
    summary = "; ".join(f"{name}: {_size(records)}" for name, records in parts.items())
    left_out = [
        *(f"{video_id}: an empty caption" for video_id in tally.empty),
        *(f"{video_id}: a caption that it has already" for video_id in tally.repeated),
        *(f"{video_id}: no caption at all" for video_id in tally.bare),
    ]
    if left_out:
        return CheckResult("captions", "warning", f"{summary}; {tally.describe()}", left_out)
    return CheckResult("captions", "ok", summary)


def check_shared(trials: Sequence[Trial]) -> CheckResult:
    """Captions that CLIP reads alike: of several videos, which they cannot tell apart, or of test and training."""
    notes: dict[str, None] = {}
    shared: dict[str, None] = {}
    known: dict[str, None] = {}
    for trial, where in named(trials):
        videos = {name: _videos_by_caption(subset) for name, subset in trial.subsets.items()}
        for name, by_caption in videos.items():
            several = {caption: ids for caption, ids in by_caption.items() if len(ids) > 1}
            if several:
                notes[
                    f"{where}{count(len(several), 'caption')} of several {name} videos, which they do not tell apart"
                ] = None
            shared.update({f"{where}{name}: '{caption}' of {_some(ids)}": None for caption, ids in several.items()})
        for name in trial.tests:
            both = {caption: ids for caption, ids in videos[name].items() if caption in videos["train"]}
            if both:
                notes[f"{where}{count(len(both), f'{name} caption')} also in training"] = None
            known.update(
                {f"{where}{name} and train: '{caption}' of {_some(ids)}": None for caption, ids in both.items()}
            )
    if notes:
        return CheckResult("shared captions", "note", "; ".join(notes), [*shared, *known])
    return CheckResult("shared captions", "ok", "each is of one video alone, and none of the test is trained on")


def check_lengths(model: VideoTextModel, parts: Parts) -> CheckResult:
    """Whether every caption fits into the text encoder, beside the learned vectors or inside the templates.

    Args:
        model: whose text head is to read them.
        parts: the videos of each part, each once.
    """
    return first_problem([_check_lengths(reader, model.backbone, parts, where) for reader, where in readers(model)])


def _check_lengths(reader: Reader, backbone: FrozenBackbone, parts: Parts, where: str) -> CheckResult:
    captions = {name: [c for record in _captioned(records) for c in record.captions] for name, records in parts.items()}
    lengths = token_counts(reader, backbone, dict.fromkeys(caption for own in captions.values() for caption in own))
    over = {name: [caption for caption in own if lengths[caption] > reader.room] for name, own in captions.items()}
    if not any(over.values()):
        longest = max(lengths.values(), default=0)
        return CheckResult(
            LENGTHS, "ok", f"the longest has {longest} tokens, and there is room for {reader.room}{where}"
        )
    refused = reader.too_long == "error"
    many = any(len(over[name]) > MANY * len(own) for name, own in captions.items())
    verdict: Verdict = "error" if refused else "warning" if many else "note"
    shares = ", ".join(
        f"{len(over[name]):,} of {count(len(own), f'{name} caption')} ({len(over[name]) / len(own):.2%})"
        for name, own in captions.items()
        if over[name]
    )
    outcome = "set too_long of the prompt to 'truncate' to cut them" if refused else "cut off"
    examples = sorted({(lengths[caption], name, caption) for name, own in over.items() for caption in own})[::-1]
    return CheckResult(
        LENGTHS,
        verdict,
        f"longer than the {reader.room} tokens{where}: {shares}; {outcome}",
        [f"{name}: {number} tokens, '{caption}'" for number, name, caption in examples],
    )


def _size(records: Sequence[Record]) -> str:
    """``7,010 videos with 140,200 captions, 20 each``."""
    each = [len(record.captions) for record in _captioned(records)]
    if not each:
        return "no videos"
    size = f"{count(len(each), 'video')} with {count(sum(each), 'caption')}"
    if min(each) == max(each):
        return f"{size}, {each[0]:,} each"
    return f"{size}, {min(each):,} to {max(each):,} each, median {median(each):g}"


def _videos_by_caption(subset: Subset) -> dict[str, list[str]]:
    """The videos of each caption as CLIP reads it."""
    videos: dict[str, list[str]] = {}
    for record in _captioned(subset.records):
        for caption in dict.fromkeys(as_read(caption) for caption in record.captions):
            videos.setdefault(caption, []).append(record.video_id)
    return videos


def _captioned(records: Sequence[Record]) -> Iterator[CaptionedRecord]:
    return iter(cast("Sequence[CaptionedRecord]", records))


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - 3:,} more" if len(ids) > 3 else ""
    return ", ".join(ids[:3]) + more
