"""What is between a text and the frozen CLIP's tokens: CLIP's own cleaning, and a vocabulary that is CLIP's."""

import html

from tokenizers.pre_tokenizers import ByteLevel

from data_modules.errors import InputError
from prompt_video.backbones.tokenizer import REMEDY, FileTokenizer


def cleaned(text: str) -> str:
    """A text as CLIP's own tokenizer has it before it looks for words.

    In this order: ftfy mends what a wrong encoding made of letters, straightens typographic quotes and composes letters
    with their accents; HTML's entities become signs, twice, as ``&amp;lt;`` needs it; white space of any kind becomes
    one blank; capitals become small.

    Source: ``basic_clean``, ``whitespace_clean`` and ``encode`` in clip/simple_tokenizer.py of openai/CLIP.
    """
    if not (text.isascii() and text.isprintable() and "&" not in text):  # of others nothing of this changes anything
        import ftfy  # imported late: most runs need it not

        text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.split()).lower()


def check_signs(tokenizer: FileTokenizer, name: str) -> None:
    """Refuse a vocabulary that lacks some of the signs that all texts are made of.

    Args:
        tokenizer: made of whatever files are there.
        name: of the checkpoint, for messages.

    Raises:
        InputError: when it does.
    """
    vocabulary = tokenizer.tokenizer.get_vocab(with_added_tokens=True)
    signs = [f"{sign}{end}" for sign in ByteLevel.alphabet() for end in ("", "</w>")]
    if lacking := [sign for sign in signs if sign not in vocabulary]:
        raise InputError(
            f"the vocabulary of backbone '{name}' lacks {len(lacking)} of the {len(signs)} signs that all texts are "
            f"made of: it is another model's, or damaged; {REMEDY}."
        )
