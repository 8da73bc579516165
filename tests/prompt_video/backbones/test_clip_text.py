"""Texts as CLIP's own tokenizer has them, held against that tokenizer's code, written again for any vocabulary."""

import html
import json
import unicodedata
from functools import cache
from itertools import pairwise

import ftfy
import pytest
import regex  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.checkpoint_files import TINY
from prompt_video.backbones.clip_text import cleaned

PIECES = regex.compile(
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE
)
MODEL = json.loads((TINY / "tokenizer.json").read_text())["model"]
RANKS = {tuple(pair): rank for rank, pair in enumerate(MODEL["merges"])}
ODD = [
    "\u2018",
    "\u2019",
    "\u201c",
    "…",
    "—",
    "&amp;lt;",
    "&amp;amp;lt;",
    "&eacute;",
    "e\u0301",
    "&nbsp;",
    "\r\n",
    "\x1c",
    "'S",
]


@cache
def tiny() -> FrozenBackbone:
    return FrozenBackbone("tiny")


def byte_signs() -> dict[int, str]:
    """Source: ``bytes_to_unicode`` in clip/simple_tokenizer.py of openai/CLIP."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + n) for n, byte in enumerate(others)}}


SIGNS = byte_signs()


def merged(piece: str) -> list[str]:
    """Source: ``bpe``, ibidem."""
    word = [SIGNS[byte] for byte in piece.encode()]
    word[-1] += "</w>"
    while pairs := [pair for pair in pairwise(word) if pair in RANKS]:
        first, second = min(pairs, key=RANKS.__getitem__)
        place = 0
        while place < len(word) - 1:
            if (word[place], word[place + 1]) == (first, second):
                word[place : place + 2] = [first + second]
            place += 1
    return word


def as_released(text: str) -> str:
    """Source: ``basic_clean``, ``whitespace_clean`` and ``encode``, ibidem."""
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return str(regex.sub(r"\s+", " ", text)).strip().lower()


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("the player\u2019s \u201cshot\u201d", 'the player\'s "shot"'),
        ("Tom &amp;amp; Jerry&#39;s caf&eacute;", "tom & jerry's café"),
        ("cafe\u0301 \ufb01ght", "café fight"),
        ("doesn\u00e2\u20ac\u2122t", "doesn't"),
        ("  a\u3000dog\r\n\truns\u00a0 ", "a dog runs"),
    ],
)
def test_every_text_is_cleaned_before_its_tokens(written: str, plain: str) -> None:
    assert cleaned(written) == plain == as_released(written)
    assert tiny().tokenize([written]) == tiny().tokenize([plain]) != [[]]


@settings(max_examples=100)
@given(st.lists(st.one_of(st.sampled_from(ODD), st.text(max_size=6)), max_size=6).map("".join))
def test_tokens_are_those_of_the_released_tokenizer(text: str) -> None:
    released = as_released(text)
    assert cleaned(text) == released
    # HuggingFace composes letters once more, behind the entities, and its tables of letters are of another year.
    if unicodedata.is_normalized("NFC", released) and all(ord(sign) < 0x3000 for sign in released):
        expected = [MODEL["vocab"][token] for piece in PIECES.findall(released) for token in merged(piece)]
        assert tiny().tokenize([text]) == [expected]
