"""The tokenizers of SigLIP and SigLIP 2, and what they put around a text."""

import re
from collections.abc import Sequence
from typing import Any

from data_modules.errors import InputError
from prompt_video.backbones.bidirectional_text import Surroundings
from prompt_video.backbones.canonical_text import canonical
from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.tokenizer import (
    REMEDY,
    FileTokenizer,
    TextTokenizer,
    check_size,
    check_words,
    file_tokenizer,
)

SPIECE = "spiece.model"
BLANK = "\u2581"  # what stands in the vocabulary for the blank before a word


class SentencePieceTokenizer:
    """SigLIP's own file, in SentencePiece's format.

    Args:
        path: of the file.

    Raises:
        InputError: when the library that reads it is missing.
    """

    def __init__(self, path: str) -> None:
        try:
            import sentencepiece
        except ModuleNotFoundError as error:
            raise InputError(
                f"{path} is read by sentencepiece, which is not installed: pip install 'prompt-video[siglip]'."
            ) from error
        self.raw: Any = sentencepiece.SentencePieceProcessor(model_file=path)
        self.end = int(self.raw.piece_to_id("</s>"))
        no_words = (self.raw.is_control, self.raw.is_unknown, self.raw.is_unused)
        numbers = range(self.raw.get_piece_size())
        self.special_ids = frozenset({self.end, *(n for n in numbers if any(is_none(n) for is_none in no_words))})

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """As `TextTokenizer`."""
        tokens: list[list[int]] = self.raw.encode([canonical(text) for text in texts])
        return tokens

    def token(self, number: int) -> str:
        """As `TextTokenizer`."""
        written: str = self.raw.id_to_piece(number)
        return written.replace(BLANK, " ").strip() or written


def tokenizer_of(files: CheckpointFiles, num_embeddings: int) -> tuple[TextTokenizer, Surroundings]:
    """The tokenizer of a checkpoint, and what it puts around a text.

    SigLIP pads with its end token, SigLIP 2 with a token of its own; neither has one that begins a text.

    Args:
        files: ``tokenizer.json``, or ``spiece.model``.
        num_embeddings: tokens that the weights know.

    Raises:
        InputError: when there is none, or it is not that of the weights.
    """
    if not (files.folder / "tokenizer.json").is_file() and (files.folder / SPIECE).is_file():
        pieces = SentencePieceTokenizer(str(files.folder / SPIECE))
        if (number := pieces.raw.get_piece_size()) != num_embeddings:
            raise InputError(
                f"the vocabulary of backbone '{files.name}' has {number:,} tokens, and its weights are for "
                f"{num_embeddings:,}: {SPIECE} is another model's; {REMEDY}."
            )
        return pieces, Surroundings((), (pieces.end,), pieces.end)
    tokenizer = file_tokenizer(files, canonical, {})
    check_size(tokenizer, num_embeddings, files.name, exactly=True)
    check_words(tokenizer, _words(tokenizer), files.name)
    start, end = _around(tokenizer)
    if "pad_token" not in tokenizer.special:
        raise files.error("its tokenizer names no pad_token, which fills the positions behind a text")
    return tokenizer, Surroundings(start, end, tokenizer.special_id("pad_token"))


def _around(tokenizer: FileTokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens that it puts in front of a text and behind it."""
    own, whole = (tokenizer.tokenizer.encode("a", add_special_tokens=added).ids for added in (False, True))
    first = next(place for place in range(len(whole)) if whole[place : place + len(own)] == own)
    return tuple(whole[:first]), tuple(whole[first + len(own) :])


def _words(tokenizer: FileTokenizer) -> dict[str, int]:
    """Those that stand at the beginning of a text: with or without the sign of a blank before them, as it reads."""
    vocabulary = tokenizer.tokenizer.get_vocab(with_added_tokens=False)
    begins = BLANK if tokenizer.tokenizer.encode("a", add_special_tokens=False).tokens[0].startswith(BLANK) else ""
    return {
        token.removeprefix(begins): number
        for token, number in vocabulary.items()
        if re.fullmatch(f"{begins}[a-z]{{3,}}", token)
    }
