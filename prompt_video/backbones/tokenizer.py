"""The tokenizer of a checkpoint, read from its own files by the `tokenizers` library."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from tokenizers import AddedToken, Tokenizer

from data_modules.errors import InputError
from prompt_video.backbones.checkpoint_files import CheckpointFiles

REMEDY = "fetch its tokenizer.json, or vocab.json and merges.txt, again"
BLANK = "\u2581"  # what SentencePiece's vocabularies have for the blank before a word
NUM_PROBED = 32  # words of the vocabulary that must be read as themselves
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token", "cls_token", "sep_token", "mask_token")


@runtime_checkable
class TextTokenizer(Protocol):
    """What a backbone asks of its tokenizer."""

    special_ids: frozenset[int]

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's own tokens, without those that begin, end or fill it, after the family's own cleaning."""

    def token(self, number: int) -> str:
        """A token as people read it."""


class FileTokenizer:
    """A tokenizer of the `tokenizers` library.

    Args:
        tokenizer: adds and cuts nothing.
        special: tokens that are no words, by their roles.
        clean: what is done to a text first.
        word_end: what the vocabulary puts behind the last part of a word.
    """

    def __init__(
        self, tokenizer: Tokenizer, special: Mapping[str, str], clean: Callable[[str], str], word_end: str = ""
    ) -> None:
        self.tokenizer, self.clean, self.word_end = tokenizer, clean, word_end
        self.special = special
        numbers = (tokenizer.token_to_id(token) for token in special.values())
        self.special_ids = frozenset(number for number in numbers if number is not None)

    def special_id(self, role: str) -> int:
        """The token of a role, such as ``eos_token``.

        Raises:
            InputError: when the vocabulary has none.
        """
        number = self.tokenizer.token_to_id(self.special[role])
        if number is None:
            raise InputError(f"the tokenizer has no token '{self.special[role]}', its {role}; {REMEDY}.")
        return int(number)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """As `TextTokenizer`."""
        encoded = self.tokenizer.encode_batch_fast([self.clean(text) for text in texts], add_special_tokens=False)
        return [encoding.ids for encoding in encoded]

    def reads_own_words(self) -> bool:
        """Whether it reads most of some words that its vocabulary has whole as themselves; it needs its merges to."""
        begin = BLANK if "".join(self.tokenizer.encode("a", add_special_tokens=False).tokens).startswith(BLANK) else ""
        whole = re.compile(f"{re.escape(begin)}([a-z]{{2,}}){re.escape(self.word_end)}")
        vocabulary = self.tokenizer.get_vocab(with_added_tokens=False)
        words = sorted((number, found[1]) for token, number in vocabulary.items() if (found := whole.fullmatch(token)))
        probed = words[:: max(1, len(words) // NUM_PROBED)]
        tokens = self.tokenize([word for _, word in probed])
        return 2 * sum(own == [number] for own, (number, _) in zip(tokens, probed, strict=True)) >= len(probed)

    def token(self, number: int) -> str:
        """As `TextTokenizer`; one that is only a part of a character, as the vocabulary writes it."""
        read = self.tokenizer.decode([number], skip_special_tokens=False)
        read = (read.replace(self.word_end, " ") if self.word_end else read).strip()
        written = str(self.tokenizer.id_to_token(number))
        if self.word_end:
            written = written.removesuffix(self.word_end)
        return written if not read or "\ufffd" in read or not read.isprintable() else read


def file_tokenizer(
    files: CheckpointFiles,
    clean: Callable[[str], str],
    defaults: Mapping[str, str],
    num_embeddings: int,
    *,
    word_end: str = "",
    exactly: bool = True,
) -> FileTokenizer:
    """The tokenizer of a checkpoint.

    Args:
        files: ``tokenizer.json``, or ``vocab.json`` and ``merges.txt``; what its special tokens are is said beside.
        clean: see `FileTokenizer`.
        defaults: special tokens where the files say nothing, by their roles.
        num_embeddings: tokens that the weights know.
        word_end: see `FileTokenizer`.
        exactly: whether there must be a token for each; otherwise some rows of the weights may be nobody's.

    Raises:
        InputError: when there are no such files, they cannot be read, are of another size than the weights, or do not
            read the words of their own vocabulary.
    """
    special = {**defaults, **_special_tokens(files)}
    raw = _from_json(files) or _from_merges(files, special) or _from_transformers(files)
    raw.no_truncation()
    raw.no_padding()
    numbers = sorted(raw.get_vocab(with_added_tokens=True).values())
    fits = numbers == list(range(num_embeddings)) if exactly else num_embeddings // 2 < len(numbers) <= num_embeddings
    if not fits or numbers[-1] >= num_embeddings:
        raise wrong_size(files, len(numbers), num_embeddings)
    tokenizer = FileTokenizer(raw, special, clean, word_end)
    if not tokenizer.reads_own_words():
        raise InputError(
            f"the tokenizer of backbone '{files.name}' does not read the words of its own vocabulary: the merges are "
            f"missing, or another model's; {REMEDY}."
        )
    return tokenizer


def wrong_size(files: CheckpointFiles, num_tokens: int, num_embeddings: int) -> InputError:
    """What to raise of a vocabulary of another size than the weights are for."""
    return InputError(
        f"the vocabulary of backbone '{files.name}' has {num_tokens:,} tokens, and its weights are for "
        f"{num_embeddings:,}: the files of the tokenizer are missing, or another model's; {REMEDY}."
    )


def _special_tokens(files: CheckpointFiles) -> dict[str, str]:
    said = {**files.read_json("special_tokens_map.json"), **files.read_json("tokenizer_config.json")}
    tokens = {role: said[role] for role in _SPECIAL if said.get(role)}
    return {role: token["content"] if isinstance(token, dict) else str(token) for role, token in tokens.items()}


def _from_json(files: CheckpointFiles) -> Tokenizer | None:
    path = files.folder / "tokenizer.json"
    if not path.is_file():
        return None
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise files.error(f"its tokenizer.json cannot be read: {str(error).partition(chr(10))[0]}") from error


def _from_merges(files: CheckpointFiles, special: Mapping[str, str]) -> Tokenizer | None:
    """CLIP's rules over a vocabulary and merges.

    Source: ``CLIPTokenizer`` of transformers.
    """
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

    vocabulary, merges = files.folder / "vocab.json", files.folder / "merges.txt"
    if not vocabulary.is_file() or not merges.is_file():
        return None
    try:
        model = models.BPE.from_file(
            str(vocabulary), str(merges), end_of_word_suffix="</w>", unk_token=special["unk_token"]
        )
    except Exception as error:  # as above
        raise files.error(f"its vocab.json or merges.txt cannot be read: {error}") from error
    tokenizer = Tokenizer(model)
    whole = "|".join(map(_escaped, (special["bos_token"], special["eos_token"])))
    words = Regex(whole + r"|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in dict.fromkeys(special.values())])
    return tokenizer


def _escaped(token: str) -> str:
    return json.dumps(token)[1:-1].replace("|", r"\|")


def _from_transformers(files: CheckpointFiles) -> Tokenizer:
    """What only transformers can make a tokenizer of, such as a SentencePiece model."""
    if not any(files.folder.glob("*.model")):
        raise files.error("it has no tokenizer: " + REMEDY)
    from transformers import AutoTokenizer

    try:
        made = AutoTokenizer.from_pretrained(files.folder)
        return Tokenizer.from_str(made.backend_tokenizer.to_str())
    except Exception as error:  # whatever a library for other files raises
        raise files.error(f"its tokenizer cannot be read: {str(error).partition(chr(10))[0]}") from error
