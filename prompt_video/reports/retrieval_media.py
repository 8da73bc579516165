"""Media of a retrieval test for a dashboard."""

from collections.abc import Mapping, Sequence

import numpy as np

from data_modules.batch import CaptionedRecord
from prompt_video.reports.media import NUM_VIDEOS, Cell, MediaItem, Table, VideoCell, half_wrong
from prompt_video.reports.retrieval import hits, misses, questions
from prompt_video.tasks.retrieval_results import Answers, RetrievalResults


def retrieval_media(tests: Mapping[str, RetrievalResults]) -> dict[str, MediaItem]:
    """Sentences that found their video, sentences that found another, and for some videos the best sentence.

    Args:
        tests: by name; those of which nothing was gathered are left out.
    """
    some = max(1, NUM_VIDEOS // 2 // max(len(tests), 1))
    sentences: dict[str, list[list[Cell]]] = {"hits": [], "misses": []}
    videos: list[list[Cell]] = []
    for name, results in tests.items():
        if results.answers is None:
            continue
        asked = questions(results.answers, results.records)
        for kind, chosen in (("hits", hits(asked, some)), ("misses", misses(asked, some))):
            sentences[kind] += [
                [name, q.own.caption, VideoCell(q.own.path), q.rank, q.frozen_rank, VideoCell(q.first.path)]
                for q in chosen
            ]
        videos += _videos(name, results.answers, results.records, 2 * some)
    columns = ["test", "caption", "video", "rank", "frozen_rank", "found_first"]
    return {
        "tables/videos": Table(["test", "video", "video_id", "truth", "prediction", "rank", "verdict"], videos),
        **{f"retrieval/{kind}": Table(columns, rows) for kind, rows in sentences.items()},
    }


def _videos(name: str, answers: Answers, records: Sequence[CaptionedRecord], count: int) -> list[list[Cell]]:
    """Videos that asked for a sentence: half of them found one of another video."""
    of_id = {record.video_id: record for record in records}
    ranks = answers.learned.ranks["v2t"].expected().tolist()
    first = answers.learned.top(1, "v2t").numbers[:, 0]
    right: list[list[Cell]] = []
    wrong: list[list[Cell]] = []
    right_ones = answers.learned.scores.is_right(first, np.arange(len(first)))
    for video, rank in zip(answers.learned.asking.tolist(), ranks, strict=True):
        record, best = of_id[answers.video_ids[video]], first[video]
        is_right = bool(right_ones[video])
        row: list[Cell] = [name, VideoCell(record.path), record.video_id, " / ".join(record.captions)]
        row += [answers.captions[best], rank, "right" if is_right else "wrong"]
        (right if is_right else wrong).append(row)
    return half_wrong(right, wrong, count)
