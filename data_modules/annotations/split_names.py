"""What folders and lists call the splits."""

import re

from data_modules.protocols.trial import Split

_SYNONYMS: dict[Split, str] = {
    "train": "train|training|trn",
    "val": "val|valid|validate|validating|validation|dev|development",
    "test": "test|testing|tst|eval|evaluation",
}
_WORDS = r"[\W_]*(set|split|part|data|videos?|clips?|files)?[\W_]*\d*"


def split_named(name: str) -> Split | None:
    """The split that a folder or a cell means: ``Train``, ``training``, ``validation_set``, ``Test videos``."""
    text = name.strip().lower()
    return next((split for split, words in _SYNONYMS.items() if re.fullmatch(f"({words}){_WORDS}", text)), None)
