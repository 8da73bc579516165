"""When a loaded model is to say that a video shows none of the candidates."""

from collections.abc import Sequence
from dataclasses import replace

from prompt_video.model.none_of_these import EVEN
from prompt_video.model.rejection import Rejection
from prompt_video.model.text_bank import read_bank


def rule_of(none_below: float | None, none_bank: str | None) -> Rejection | None:
    """The rule that was asked for; None where none was.

    Args:
        none_below: the threshold; None with a bank: the bank fits as well as all candidates.
        none_bank: see `read_bank`.

    Raises:
        InputError: when the threshold is outside its range, or there is no such bank.
    """
    if none_below is None and none_bank is None:
        return None
    rule = Rejection(EVEN if none_below is None else none_below)  # a wrong one is told before a bank is read
    return rule if none_bank is None else replace(rule, bank=read_bank(none_bank))


def bank_of(rule: Rejection | None) -> Sequence[str]:
    """Its texts; none of no rule."""
    return rule.bank if rule is not None else ()
