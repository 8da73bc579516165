"""The one contract between the two packages: what is on disk, what is loaded, what the model is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NotRequired, TypedDict

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Record:
    """One video on disk.

    Args:
        video_id: unique in its data set; for logs and for the feature store.
        path: the file.
        target: index into the class names, or -1 where there is none.
    """

    video_id: str
    path: Path
    target: int

    @property
    def targets(self) -> tuple[int, ...]:
        """The classes that it shows, each once."""
        return (self.target,) if self.target >= 0 else ()

    def renumbered(self, new_target: Mapping[int, int]) -> "Record | None":
        """The same video where only some classes count, under new numbers; None if it shows none of them."""
        return replace(self, target=new_target[self.target]) if self.target in new_target else None


@dataclass(frozen=True)
class MultiLabelRecord(Record):
    """One video on disk that shows any number of classes; its ``target`` is -1.

    Args:
        labels: indices into the class names, each once; empty: it shows none of them.
        where: file and line that give them, for messages.
    """

    target: int = -1
    labels: tuple[int, ...] = ()
    where: str = ""

    @property
    def targets(self) -> tuple[int, ...]:
        """The classes that it shows, each once."""
        return self.labels

    def renumbered(self, new_target: Mapping[int, int]) -> "MultiLabelRecord | None":
        """The same video where only some classes count; None if it shows others alone."""
        kept = tuple(new_target[label] for label in self.labels if label in new_target)
        return replace(self, labels=kept) if kept or not self.labels else None


def labelled(video_id: str, path: Path, targets: Sequence[int], where: str = "") -> Record:
    """A video with its classes, of which most videos have one.

    Args:
        video_id: see `Record`.
        path: see `Record`.
        targets: indices into the class names, each once; see `MultiLabelRecord`.
        where: see `MultiLabelRecord`.
    """
    if len(targets) == 1:
        return Record(video_id, path, targets[0])
    return MultiLabelRecord(video_id, path, labels=tuple(targets), where=where)


@dataclass(frozen=True)
class Segment:
    """One action in an untrimmed video.

    Args:
        start_sec: seconds from the start of the file, as a player counts.
        end_sec: as annotated: it may lie after the video's end, or even before the start.
        target: index into the class names.
    """

    start_sec: float
    end_sec: float
    target: int


Span = tuple[float, float]  # start and end, seconds from the start of the file


@dataclass(frozen=True)
class UntrimmedRecord(Record):
    """One untrimmed video on disk; its ``target`` is -1.

    Args:
        segments: what happens in it, in the order of the annotation.
        ambiguous_sec: where the annotators could not tell: neither action nor background in training.
        hidden_sec: where classes are shown that this part of the data must not know of: training never looks there.
        duration_sec: as annotated; None where the annotation does not say.
    """

    target: int = -1
    segments: tuple[Segment, ...] = ()
    ambiguous_sec: tuple[Span, ...] = ()
    hidden_sec: tuple[Span, ...] = ()
    duration_sec: float | None = None

    @property
    def targets(self) -> tuple[int, ...]:
        """The classes that it shows, each once, in the order of the segments."""
        return tuple(dict.fromkeys(segment.target for segment in self.segments))

    def renumbered(self, new_target: Mapping[int, int]) -> "UntrimmedRecord | None":
        """Segments of other classes are hidden; None if no segment is left."""
        kept = tuple(
            Segment(s.start_sec, s.end_sec, new_target[s.target]) for s in self.segments if s.target in new_target
        )
        if not kept:
            return None
        # One that was annotated the wrong way round hides what lies between its ends.
        others = tuple(
            (min(s.start_sec, s.end_sec), max(s.start_sec, s.end_sec))
            for s in self.segments
            if s.target not in new_target
        )
        return replace(self, segments=kept, hidden_sec=(*self.hidden_sec, *others))


@dataclass(frozen=True)
class CaptionedRecord(Record):
    """One video on disk, and what people said of it; its ``target`` is -1.

    Args:
        captions: whole sentences, one at least.
        also_right: captions of other videos that tell of this one too; tests take either video for right.
    """

    target: int = -1
    captions: tuple[str, ...] = ()
    also_right: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[int, ...]:
        """None: it belongs to no class."""
        return ()


@dataclass(frozen=True)
class BrokenVideo:
    """One video that was dropped, and why."""

    video_id: str
    path: str
    reason: str


class Sample(TypedDict):
    """One loaded video: V views of T frames each; pixels or stored features."""

    video: NotRequired[UInt8[Tensor, "V T 3 H W"]]
    features: NotRequired[Float[Tensor, "V T D"]]
    time_sec: Float[Tensor, "V T"]
    target: int
    targets: tuple[int, ...]
    video_id: str


class CaptionedSample(Sample):
    """One loaded video with some of its captions: in training one, in testing all."""

    captions: tuple[str, ...]


class Batch(TypedDict):
    """Collated samples. R = B * num_views rows; the views of one video stand next to each other."""

    video: NotRequired[UInt8[Tensor, "R T 3 H W"]]
    features: NotRequired[Float[Tensor, "R T D"]]  # of the frozen model, not normalised
    mask: Bool[Tensor, "R T"]  # True: a real frame; False: padding
    time_sec: Float[Tensor, "R T"]  # when each frame is on screen, seconds from the video's first frame
    text: list[str]  # the candidates
    subset: str  # of the trial: train, val, or the name of a test
    target: Int[Tensor, " B"]  # index into text; -1: unknown, or not one
    targets: NotRequired[Bool[Tensor, "B K"]]  # not in localization: True at the classes that each video shows
    video_id: list[str]
    num_views: int
    broken: list[BrokenVideo]  # what was dropped on the way to this batch
    windows: NotRequired["WindowColumns"]  # localization only: each row is a window of an untrimmed video
    captions: NotRequired["CaptionColumns"]  # retrieval only: ``text`` are captions of the batch's own videos


class CaptionColumns(TypedDict):
    """Which caption is of which video. In training each row has one; the same video may then stand there twice."""

    video: Int[Tensor, " K"]  # for each text, the place of its video in ``video_id``


class WindowColumns(TypedDict):
    """What is known of the windows of a batch; times are seconds from the first frame of the window's video."""

    origin_sec: Float[Tensor, " R"]  # where the window's first frame begins
    frame_sec: Float[Tensor, " R"]  # from one frame of the window to the next
    duration_sec: Float[Tensor, " R"]  # of the whole video
    is_last: list[bool]  # no window of the same video follows
    own_sec: Float[Tensor, "R 2"]  # the moments that this window, of all that see them, answers for: [from, to)
    segments_sec: list[Float[Tensor, "N 2"]]  # training: the actions that the window shows, cut to it
    segment_targets: list[Int[Tensor, " N"]]  # index into text
    ignored_sec: list[Float[Tensor, "M 2"]]  # training: neither action nor background
