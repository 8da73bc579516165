"""Sentences and what they found, from plain data."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_modules.batch import CaptionedRecord
from prompt_video.metrics.retrieval.results import Retrieval
from prompt_video.reports.retrieval import Described, Question, examples, hits, misses, questions
from prompt_video.tasks.retrieval_results import Answers

NOWHERE = Path("nowhere")


def question(number: int, rank: float, frozen_rank: float = 1.0, folder: Path = NOWHERE) -> Question:
    own = Described(folder / f"{number}.mp4", f"sentence {number}")
    other = Described(folder / f"{number + 1}.mp4", f"another {number}")
    return Question(own, own if rank == 1 else other, rank, frozen_rank, is_right=rank == 1)


def numbers(questions: list[Question]) -> list[str]:
    return [shown.own.path.stem for shown in questions]


def test_hits_and_misses_are_spread_over_their_ranks() -> None:
    found = [question(number, 1.0, float(10 - number)) for number in range(9)]
    missed = [question(number, float(100 - number)) for number in range(20, 27)]
    mixed = [*missed, *found]
    assert numbers(hits(mixed, 3)) == ["8", "4", "0"]
    assert numbers(misses(mixed, 3)) == ["26", "23", "20"]
    assert numbers(hits(mixed, 50)) == numbers(found[::-1])
    assert numbers(hits(mixed, 1)) == ["8"]


def test_of_equal_ones_the_order_settles_which_are_shown() -> None:
    equal = [question(number, 2.0) for number in range(7)]
    assert numbers(misses(equal, 3)) == numbers(misses(list(equal), 3)) == ["0", "3", "6"]


def test_standing_first_by_chance_is_neither() -> None:
    own = Described(NOWHERE / "0.mp4", "sentence")
    tied = Question(own, own, 1.5, 1.0, is_right=True)
    assert hits([tied]) == misses([tied]) == []


def test_a_page_says_when_all_or_none_were_found() -> None:
    all_found = examples([question(0, 1.0)])
    assert "Every sentence found its video." in all_found
    assert "No sentence" not in all_found
    none_found = examples([question(0, 3.0, 2.5)])
    assert "No sentence found its video." in none_found
    assert "Every sentence" not in none_found
    for words in ("✗ rank 3<", "zero-shot: rank 2.5<", "another 0", "This video cannot be shown."):
        assert words in none_found
    assert examples([]).count('class="asked"') == 0


def test_a_miss_shows_both_videos(tmp_path: Path, make_videos: Callable[[Path, int], Path]) -> None:
    root = make_videos(tmp_path, 1)
    own, other = (Described(root / name / "0.mp4", f"it is {name}") for name in ("moving_left", "spinning"))
    html = examples([Question(own, other, 2.0, 7.0, is_right=False), Question(other, other, 1.0, 4.0, is_right=True)])
    assert html.count("data:image/jpeg;base64,") == 3
    found, missed = html.split("<h3>Missed</h3>")
    assert "✓ rank 1<" in found
    assert "it is moving_left" not in found
    assert missed.index("it is moving_left") < missed.index("found instead:") < missed.index("it is spinning")


def test_captions_cannot_break_the_report() -> None:
    own = Described(NOWHERE / "0.mp4", 'a <script>alert("x")</script> & \n "b"')
    long = Described(NOWHERE / "1.mp4", "</article>" + "word " * 1000)
    html = examples([Question(own, long, 2.0, 7.0, is_right=False)])
    assert "<script" not in html
    assert "a &lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; &#34;b&#34;" in html
    assert html.count("</article>") == 1
    assert len(html) < 3000


def test_every_sentence_of_a_test_becomes_a_question() -> None:
    """Three videos, the second with two sentences; the last sentence finds the first video."""
    records = [
        CaptionedRecord("a", NOWHERE / "a.mp4", captions=("tells a",)),
        CaptionedRecord("broken", NOWHERE / "broken.mp4", captions=("tells nothing",)),
        CaptionedRecord("b", NOWHERE / "b.mp4", captions=("tells b", "b again")),
        CaptionedRecord("c", NOWHERE / "c.mp4", captions=("tells c",)),
    ]
    texts = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0.5, 0, 0.25]], dtype=np.float32)
    places = np.arange(4), texts, np.arange(3), np.eye(3, dtype=np.float32), np.array([0, 1, 1, 2])
    alike = np.arange(4), np.ones_like(texts), *places[2:]
    answers = Answers(["a", "b", "c"], ["tells a", "tells b", "b again", "tells c"], *map(_retrieval, (places, alike)))
    asked = questions(answers, records)
    assert [(one.own.path.stem, one.own.caption) for one in asked] == [
        *(("a", "tells a"), ("b", "tells b")),
        *(("b", "b again"), ("c", "tells c")),
    ]
    assert [(one.first.path.stem, one.first.caption) for one in asked[2:]] == [("b", "tells b"), ("a", "tells a")]
    assert [one.rank for one in asked] == [1, 1, 1, 2]
    assert [one.frozen_rank for one in asked] == [2, 2, 2, 2]


def _retrieval(found: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> Retrieval:
    return Retrieval(*found)
