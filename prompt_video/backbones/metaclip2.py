"""MetaCLIP 2: CLIP's architecture with the vocabulary of XLM-V, for texts of any language."""

from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.clip import TEXT, towers_of
from prompt_video.backbones.tokenizer import file_tokenizer
from prompt_video.backbones.towers import FrozenTowers

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def load(files: CheckpointFiles) -> FrozenTowers:
    """Read a checkpoint; see `prompt_video.backbones.towers`."""
    text = files.tower_config("text_config", TEXT)
    tokenizer = file_tokenizer(files, str, SPECIAL, text["vocab_size"], exactly=False)
    start, end = tokenizer.special_id("bos_token"), tokenizer.special_id("eos_token")
    if text.get("eos_token_id", end) != end:
        raise files.error(
            f"its features are read at the token {text['eos_token_id']}, and its tokenizer ends texts with {end}"
        )
    return towers_of(files, "MetaCLIP 2", tokenizer, start, end)
