"""Whether annotated times are seconds, held against how long the videos are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from data_modules.batch import UntrimmedRecord
from data_modules.errors import InputError

# What containers, rounding and another way of counting the last frame make of one length.
TOLERANCE_SEC, TOLERANCE = 0.5, 0.01


@dataclass(frozen=True)
class Misfits:
    """What cannot be so, or is another way in the videos themselves.

    Args:
        after: segments that lie after the end of their video, half of them or more, as ``<video>: <start> to <end> s``.
        strange: videos of which most segments do; the others have segments too, but fewer such.
        annotated: how many videos have segments.
        lengths: videos whose annotated duration is not theirs.
    """

    after: tuple[str, ...]
    strange: tuple[str, ...]
    annotated: int
    lengths: tuple[str, ...]

    def check_units(self, source: str) -> None:
        """Ask whether times are frames where most videos end before what they show.

        Args:
            source: of the annotations.

        Raises:
            InputError: when they do.
        """
        if 2 * len(self.strange) > self.annotated:
            raise InputError(
                f"{source}: in {len(self.strange):,} of {self.annotated:,} videos most segments lie after the end, the "
                f"first of them {self.after[0]}. Are the times frames, or milliseconds? They must be seconds."
            )

    def describe(self) -> str:
        """One line that counts each kind and names the first; empty where all is well."""
        kinds = (
            ("segment{s} after the end of the video, not trained on", self.after),
            ("video{s} of another duration than annotated", self.lengths),
        )
        sentences = [
            f"{len(those):,} {kind.format(s='s' * (len(those) > 1))}: {those[0]}" for kind, those in kinds if those
        ]
        return "; ".join(sentences)


def misfits(records: Iterable[UntrimmedRecord], lengths_sec: Mapping[str, float]) -> Misfits:
    """Hold annotations against videos.

    Args:
        records: the videos.
        lengths_sec: how long they are, by id; of those that are not there the annotated duration counts.
    """
    after, strange, lengths, annotated = [], [], [], 0
    for record in records:
        length = lengths_sec.get(record.video_id, record.duration_sec)
        if length is None:
            continue
        annotated_sec = record.duration_sec
        if annotated_sec is not None and abs(annotated_sec - length) > max(TOLERANCE_SEC, TOLERANCE * length):
            lengths.append(f"{record.video_id}, {annotated_sec:g} s annotated and {length:g} s long")
        own = [
            f"{record.video_id}, {segment.start_sec:g} to {segment.end_sec:g} s of {length:g} s"
            for segment in record.segments
            if segment.start_sec + segment.end_sec >= 2 * length
        ]
        after += own
        annotated += bool(record.segments)
        if 2 * len(own) > len(record.segments):
            strange.append(record.video_id)
    return Misfits(tuple(after), tuple(strange), annotated, tuple(lengths))
