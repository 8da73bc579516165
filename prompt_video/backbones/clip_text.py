"""What is between a text and the frozen CLIP's tokens: CLIP's own cleaning, and a vocabulary that fits the weights."""

import html
from typing import Any

from tokenizers.pre_tokenizers import ByteLevel

from data_modules.errors import InputError

NUM_PROBED = 32  # words of the vocabulary that must be read as themselves


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


def check_vocabulary(tokenizer: Any, num_embeddings: int, name: str) -> None:  # noqa: ANN401 - transformers is untyped
    """Refuse a vocabulary that is not that of the weights: it would make every text something else, without a word.

    Args:
        tokenizer: of transformers, made of whatever files are there.
        num_embeddings: tokens that the weights know.
        name: of the CLIP, for messages.

    Raises:
        InputError: when it has other tokens than the weights, lacks signs, or does not read its own words.
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    remedy = "fetch its tokenizer.json, or vocab.json and merges.txt, again"
    if sorted(vocabulary.values()) != list(range(num_embeddings)):
        raise InputError(
            f"the vocabulary of backbone '{name}' has {len(vocabulary):,} tokens, and its weights are for "
            f"{num_embeddings:,}: the files of the tokenizer are missing, or another CLIP's; {remedy}."
        )
    signs = [f"{sign}{end}" for sign in ByteLevel.alphabet() for end in ("", "</w>")]
    if lacking := [sign for sign in signs if sign not in vocabulary]:
        raise InputError(
            f"the vocabulary of backbone '{name}' lacks {len(lacking)} of the {len(signs)} signs that all texts are "
            f"made of: it is another CLIP's, or damaged; {remedy}."
        )
    words = [word for word in vocabulary if word.endswith("</w>") and word[:-4].isalpha() and word.isascii()]
    words = sorted((word for word in words if len(word) > len("a</w>")), key=vocabulary.__getitem__)
    probed = words[:: max(1, len(words) // NUM_PROBED)]
    read = tokenizer([word[:-4] for word in probed], add_special_tokens=False)["input_ids"] if probed else []
    if 2 * sum(own == [vocabulary[word]] for own, word in zip(read, probed, strict=True)) < len(probed):
        raise InputError(
            f"the tokenizer of backbone '{name}' does not read the words of its own vocabulary: the merges are "
            f"missing, or another CLIP's; {remedy}."
        )
