"""What a run says on the terminal: our own lines, and of the libraries only what the user can act on."""

import logging
import sys
import warnings
from typing import Any

# Lightning's own, from where it takes it: these lines are also needed where Lightning is not.
from lightning_utilities.core.rank_zero import rank_zero_only
from rich.console import Console
from rich.text import Text

from prompt_video.io.readable import readable_lines, told_on, wrapped

# Each is about something that is meant to be so, or that only the library itself can mend.
_NOISE = (
    r".*LeafSpec.*",  # Lightning 2.6 on torch 2.14
    r".*module\(s\) in eval mode.*",  # the frozen backbone is
    r".*smaller than the logging interval.*",  # a short epoch still logs its end
    r".*does not have many workers.*",  # data_wait says whether more would help
    r".*your dataloader is not resumable.*",  # ours goes on where it stopped, see data_modules/loading/sample_keys.py
    r".*Checkpoint directory .* exists.*",  # that of the run that is resumed
    r".*Total length of `list` across ranks is zero.*",  # no validation videos
    r".*You have overridden `transfer_batch_to_device`.*",
)


class Terminal(Console):
    """Prints text as it is, whatever names stand in it: nothing of them is markup, and nothing reaches the terminal.

    Args:
        options: of rich's console.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - rich's
        super().__init__(**{"markup": False, "highlight": False, "emoji": False, "soft_wrap": True, **options})

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - rich's
        """As rich's, sentences broken between words: it breaks paths too, and a terminal breaks everywhere."""
        if self.is_terminal:
            objects = tuple(wrapped(readable_lines(one), self.width) if type(one) is str else one for one in objects)
        super().print(*objects, **options)

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 - rich's
        """All strings come through here, those in tables too."""
        return super().render_str(readable_lines(text), **options)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return told_on(sys.stdout, readable_lines(super().format(record)))


class _Handler(logging.StreamHandler[Any]):
    """Writes to where standard output is now: a progress bar takes its place while it is drawn."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:  # noqa: ANN401 - an attribute there, of anything with `write`
        """Standard output."""
        return sys.stdout


def configure() -> None:
    """Let our own lines through, from one process only; keep the libraries to warnings.

    To be called once they are imported: Lightning sets a level of its own then.
    """
    handler = _Handler()
    handler.setFormatter(_Lines("%(message)s"))
    handler.addFilter(lambda _: getattr(rank_zero_only, "rank", 0) == 0)
    for name in ("prompt_video", "data_modules"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for pattern in _NOISE:
        warnings.filterwarnings("ignore", message=pattern)
