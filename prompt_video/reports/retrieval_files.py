"""What a retrieval test leaves in its run folder: the rank of every query, and what stood first."""

from pathlib import Path

from prompt_video.io.run_files import BY_CAPTION, BY_VIDEO
from prompt_video.io.spreadsheet import write_rows
from prompt_video.tasks.retrieval_results import Answers


def write_queries(folder: Path, suffix: str, answers: Answers) -> None:
    """A row a caption in ``by_caption.csv``, and a row a video in ``by_video.csv``.

    Args:
        folder: for the files.
        suffix: of their names.
        answers: of one test.
    """
    learned, frozen = answers.learned, answers.frozen
    ranks = zip(learned.ranks["t2v"].expected().tolist(), frozen.ranks["t2v"].expected().tolist(), strict=True)
    first = learned.top(1, "t2v").numbers[:, 0].tolist()
    rows = [
        {
            "caption": caption,
            "video_id": answers.video_ids[own],
            "rank": rank,
            "frozen_rank": frozen_rank,
            "first_video": answers.video_ids[best],
        }
        for caption, own, (rank, frozen_rank), best in zip(
            answers.captions, learned.video_index.tolist(), ranks, first, strict=True
        )
    ]
    write_rows(folder / f"{BY_CAPTION}{suffix}.csv", rows)
    ranks = zip(learned.ranks["v2t"].expected().tolist(), frozen.ranks["v2t"].expected().tolist(), strict=True)
    first = learned.top(1, "v2t").numbers[:, 0].tolist()
    rows = [
        {
            "video_id": answers.video_ids[video],
            "rank": rank,
            "frozen_rank": frozen_rank,
            "first_caption": answers.captions[first[video]],
        }
        for video, (rank, frozen_rank) in zip(learned.asking.tolist(), ranks, strict=True)
    ]
    write_rows(folder / f"{BY_VIDEO}{suffix}.csv", rows)
