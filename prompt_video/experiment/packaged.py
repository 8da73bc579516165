"""Files that come with the program: experiments, methods, scales, sweeps and tables, found by their names."""

import re
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal

from data_modules.errors import InputError
from prompt_video.io.suggest import nearest

Kind = Literal["experiment", "method", "scale", "sweep", "table"]
CHOICES: tuple[Kind, ...] = ("method", "scale")  # of which an experiment's model is put together
_PLACES: dict[Kind, str] = {
    "experiment": ".",
    "method": "parts/methods",
    "scale": "parts/scales",
    "sweep": "sweeps",
    "table": "tables",
}


def experiments_folder() -> Path:
    """Inside the package when installed, beside it in a checkout.

    Raises:
        InputError: when it is in neither place.
    """
    package = Path(__file__).parent.parent
    for folder in (package / "experiments", package.parent / "experiments"):
        if folder.is_dir():
            return folder
    raise InputError("the experiments folder is missing; run from a checkout of the repository.")


def packaged(kind: Kind) -> dict[str, Path]:
    """All files of a kind, by their names without the ending, in the order of the alphabet."""
    return {path.stem: path for path in sorted((experiments_folder() / _PLACES[kind]).glob("*.yaml"))}


def file_of(kind: Kind, name: str) -> Path:
    """A file of one's own by its path, or else the packaged one by its name.

    Args:
        kind: of the file.
        name: as typed.

    Raises:
        InputError: when it is neither; the nearest names are told.
    """
    if Path(name).is_file():
        return Path(name).absolute()
    files = packaged(kind)
    if name in files:
        return files[name]
    near = nearest(Path(name).stem, files).rstrip(".")
    raise InputError(
        f"there is no file and no {kind} '{name}'{near}{';' if not near else ''} `prompt-video list` shows all."
    )


def nearest_first(name: str, known: list[str]) -> list[str]:
    """Names, those that are most like a mistyped one before the others."""
    return sorted(known, key=lambda other: -SequenceMatcher(None, name, other).ratio())


def headline(path: Path) -> str:
    """The first sentence of the comment that a YAML file begins with; empty where it begins with none."""
    comment = re.match(r"(?:#.*\n)+", path.read_text(encoding="utf-8"))
    text = " ".join(line.lstrip("# ") for line in comment[0].splitlines()) if comment else ""
    return re.split(r"(?<=[^.\d])\.\s|(?<=\d)\.\s(?=[A-Z])", f"{text} ")[0].strip().removesuffix(".")
