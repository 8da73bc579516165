"""MetaCLIP 2: CLIP's architecture with the vocabulary of XLM-V, for texts of any language."""

from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.clip import TEXT, towers_of
from prompt_video.backbones.tokenizer import FileTokenizer, check_size, check_words, file_tokenizer
from prompt_video.backbones.towers import FrozenTowers

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
BLANK = "▁"  # what stands in the vocabulary for the blank before a word


def load(files: CheckpointFiles) -> FrozenTowers:
    """Read a checkpoint; see `prompt_video.backbones.towers`."""
    tokenizer = file_tokenizer(files, str, SPECIAL)
    text = files.tower_config("text_config", TEXT)
    check_size(tokenizer, text["vocab_size"], files.name, exactly=False)
    check_words(tokenizer, _words(tokenizer), files.name)
    start, end = tokenizer.special_id("bos_token"), tokenizer.special_id("eos_token")
    if text.get("eos_token_id", end) != end:
        raise files.error(
            f"its features are read at the token {text['eos_token_id']}, and its tokenizer ends texts with {end}"
        )
    return towers_of(files, "MetaCLIP 2", tokenizer, start, end)


def _words(tokenizer: FileTokenizer) -> dict[str, int]:
    vocabulary = tokenizer.tokenizer.get_vocab(with_added_tokens=False)
    words = {word.removeprefix(BLANK): number for word, number in vocabulary.items() if word.startswith(BLANK)}
    return {word: number for word, number in words.items() if len(word) > 1 and word.isascii() and word.isalpha()}
