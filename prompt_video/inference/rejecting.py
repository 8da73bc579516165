"""When a loaded model says that a video shows none of the candidates: the rule that holds for them."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from prompt_video.model.none_of_these import EVEN
from prompt_video.model.rejection import Rejection
from prompt_video.model.text_bank import read_bank, without_candidates

log = logging.getLogger(__name__)


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


@lru_cache(maxsize=32)  # what is taken out of a bank is told once
def rule_for(rule: Rejection | None, texts: tuple[str, ...]) -> Rejection | None:
    """The rule for some candidates: without what a candidate says in its bank; None where it says nothing of them.

    Raises:
        InputError: when nothing is left of the bank.
    """
    if rule is None:
        return None
    if not rule.holds_for(texts):
        log.warning(
            "the checkpoint says when a video shows none of its %d classes, which these are not: every video gets one "
            "of them; --none_below or --calibrate chooses a threshold for them",
            len(rule.class_names or ()),
        )
        return None
    return replace(rule, bank=without_candidates(rule.bank, texts)) if rule.bank else rule


def bank_of(rule: Rejection | None) -> Sequence[str]:
    """Its texts; none of no rule."""
    return rule.bank if rule is not None else ()
