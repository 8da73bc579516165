"""What a check comes to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Verdict = Literal["ok", "note", "warning", "error"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)  # from good to bad; a note is a fact that needs no mending


@dataclass(frozen=True)
class CheckResult:
    """What one check came to.

    Args:
        check: what was looked at.
        verdict: whether that is as it should be.
        summary: in one sentence.
        examples: everything that the sentence counts; the table names the first ones.
    """

    check: str
    verdict: Verdict
    summary: str
    examples: Sequence[str] = field(default=())


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst of several verdicts; of none it is ok."""
    return max(verdicts, key=VERDICTS.index, default="ok")


def count(number: int, noun: str) -> str:
    """``1 video``, ``1,234 videos``, ``2 classes``."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
