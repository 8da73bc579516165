"""The tokenizers of SigLIP and SigLIP 2, and what they put around a text."""

from collections.abc import Sequence
from typing import Any

from data_modules.errors import InputError
from prompt_video.backbones.canonical_text import canonical
from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.text_grid import Surroundings
from prompt_video.backbones.tokenizer import BLANK, FileTokenizer, TextTokenizer, file_tokenizer, wrong_size

SPIECE = "spiece.model"


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
            raise wrong_size(files, number, num_embeddings)
        return pieces, Surroundings((), (pieces.end,), pieces.end, reads_last=True)
    tokenizer = file_tokenizer(files, canonical, {}, num_embeddings)
    start, end = _around(tokenizer)
    if "pad_token" not in tokenizer.special:
        raise files.error("its tokenizer names no pad_token, which fills the positions behind a text")
    return tokenizer, Surroundings(start, end, tokenizer.special_id("pad_token"), reads_last=True)


def _around(tokenizer: FileTokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens that it puts in front of a text and behind it."""
    own, whole = (tokenizer.tokenizer.encode("a", add_special_tokens=added).ids for added in (False, True))
    first = next(place for place in range(len(whole)) if whole[place : place + len(own)] == own)
    return tuple(whole[:first]), tuple(whole[first + len(own) :])
