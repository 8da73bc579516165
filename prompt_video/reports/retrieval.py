"""Sentences that asked for their video, and which came first: examples of a retrieval test for a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from data_modules.batch import CaptionedRecord
from data_modules.errors import BrokenVideoError
from prompt_video.io.templates import render
from prompt_video.reports.document import Section
from prompt_video.reports.film_strip import film_strip, read_strip
from prompt_video.reports.media import spread
from prompt_video.reports.text_formatting import plain, shortened
from prompt_video.tasks.retrieval_results import Answers, RetrievalResults

NUM_HITS, NUM_MISSES = 3, 3
_MAX_SIGNS = 400  # of a sentence; people have written whole paragraphs
_FRAME_HEIGHT = 96


@dataclass(frozen=True)
class Described:
    """A video, and the sentence that tells of it."""

    path: Path
    caption: str


@dataclass(frozen=True)
class Question:
    """A sentence that asked for its video among all of the test.

    Args:
        own: the video, and the sentence itself.
        first: the video that was found first, with a sentence of its own.
        rank: of the own video, from 1; the mean one where scores are equal.
        frozen_rank: the same by the zero-shot model, which has learned nothing.
        is_right: the video that was found first is right.
    """

    own: Described
    first: Described
    rank: float
    frozen_rank: float
    is_right: bool

    @property
    def is_hit(self) -> bool:
        """A right video stands first, and no wrong one beside it."""
        return self.rank == 1

    @property
    def is_miss(self) -> bool:
        """A wrong video stands first. Neither hit nor miss: a right one does, but only by chance among equals."""
        return not self.is_right


def questions(answers: Answers, records: Sequence[CaptionedRecord]) -> list[Question]:
    """Every sentence of a test with its video and the one that was found.

    Args:
        answers: of the test.
        records: its videos.
    """
    of_id = {record.video_id: record for record in records}
    videos = [of_id[video_id] for video_id in answers.video_ids]
    ranks = answers.learned.ranks["t2v"].expected().tolist()
    frozen_ranks = answers.frozen.ranks["t2v"].expected().tolist()
    video_index, first = answers.learned.video_index.tolist(), answers.learned.top(1, "t2v").numbers[:, 0]
    is_right = answers.learned.scores.is_right(np.arange(len(first)), first).tolist()
    return [
        Question(
            own=Described(videos[own].path, caption),
            first=Described(videos[best].path, videos[best].captions[0]),
            rank=rank,
            frozen_rank=frozen_rank,
            is_right=right,
        )
        for caption, own, best, rank, frozen_rank, right in zip(
            answers.captions, video_index, first.tolist(), ranks, frozen_ranks, is_right, strict=True
        )
    ]


def hits(questions: Sequence[Question], count: int = NUM_HITS) -> list[Question]:
    """Some that found their video, evenly spread from the one that was easiest for the zero-shot model to the hardest.

    Args:
        questions: of the whole test.
        count: as many, or fewer where there are fewer.
    """
    hit = [question for question in questions if question.is_hit]
    return spread(sorted(hit, key=lambda question: question.frozen_rank), count)


def misses(questions: Sequence[Question], count: int = NUM_MISSES) -> list[Question]:
    """Some that found another video, evenly spread from the nearest to the one that is the furthest off.

    Args:
        questions: of the whole test.
        count: as many, or fewer where there are fewer.
    """
    missed = [question for question in questions if question.is_miss]
    return spread(sorted(missed, key=lambda question: question.rank), count)


def examples(questions: Sequence[Question]) -> Markup:
    """Some hits and some misses as film strips.

    Args:
        questions: of the whole test; of equal ones their order settles which are shown.
    """
    return render(
        "reports/retrieval.html.jinja",
        hits=hits(questions),
        misses=misses(questions),
        sentence=_sentence,
        image_of=_image,
    )


def retrieval_sections(results: RetrievalResults) -> list[Section]:
    """Sentences and what they found, of one test whose answers were gathered."""
    assert results.answers is not None
    return [Section("Sentences and the videos they found", [examples(questions(results.answers, results.records))])]


def _sentence(video: Described) -> str:
    return shortened(plain(video.caption), _MAX_SIGNS)


def _image(video: Described) -> str | None:
    """A film strip as a data URI; None of a video that cannot be decoded."""
    try:
        return film_strip(read_strip(video.path, height=_FRAME_HEIGHT).frames)
    except BrokenVideoError:
        return None
