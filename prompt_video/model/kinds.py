"""Text heads and temporal encoders by the names that checkpoints keep.

A packaged class is kept by its bare name, one of one's own by ``module.Class``. A checkpoint may be a stranger's, so
such a class is imported only where it is, by its source, a text head or a temporal encoder on this machine.
"""

from importlib import import_module
from typing import TypeVar

from torch import nn

from data_modules.errors import InputError
from data_modules.files.text_files import excerpt
from prompt_video.io.class_sources import leads_to
from prompt_video.model.cache import Cache
from prompt_video.model.descriptions import Descriptions
from prompt_video.model.linear_adapter import LinearAdapter
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.model.parts import OrderedParts, QueryWeighted
from prompt_video.model.prompt import PromptLearner, TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.text_head import TextHead
from prompt_video.model.text_probe import TextProbe

_HEADS = (PromptLearner, TemplatePrompt, LinearProbe, Descriptions, TextProbe, Cache)
_ENCODERS = (TemporalEncoder, LinearAdapter, OrderedParts, QueryWeighted)
PACKAGED: dict[str, type[nn.Module]] = {kind.__name__: kind for kind in (*_HEADS, *_ENCODERS)}
Part = TypeVar("Part", TextHead, TemporalEncoder)


def kind_of(part: TextHead | TemporalEncoder) -> str:
    """What a checkpoint calls the class of a part."""
    kind = type(part)
    return kind.__name__ if PACKAGED.get(kind.__name__) is kind else f"{kind.__module__}.{kind.__qualname__}"


def text_head(kind: object) -> type[TextHead]:
    """The class of a text head.

    Args:
        kind: what `kind_of` calls it.

    Raises:
        InputError: when there is none.
    """
    return _class_of(kind, TextHead, "text head")  # type: ignore[type-abstract]


def temporal_encoder(kind: object) -> type[TemporalEncoder]:
    """The class of a temporal encoder; see `text_head`."""
    return _class_of(kind, TemporalEncoder, "temporal encoder")


def _class_of(kind: object, base: type[Part], called: str) -> type[Part]:
    packaged = PACKAGED.get(kind) if isinstance(kind, str) else None
    if packaged is not None and issubclass(packaged, base):
        return packaged
    if not isinstance(kind, str) or not all(part.isidentifier() for part in kind.split(".")) or "." not in kind:
        raise InputError(f"there is no {called} {excerpt(kind)}.")
    if not leads_to(kind, (base,)):
        raise InputError(
            f"the model has a {called} of one's own, {kind}, and no such class is found: type `PYTHONPATH=FOLDER` "
            "with the folder of its module before the command."
        )
    module, _, name = kind.rpartition(".")
    found: type[Part] = getattr(import_module(module), name)
    return found
