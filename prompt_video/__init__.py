"""Learned prompts and a light temporal Transformer on frozen backbone: score a video against a list of texts."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prompt_video.inference.loaded import LoadedModel
    from prompt_video.inference.loading import load

__all__ = ["LoadedModel", "__version__", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    # Imported late: the command line starts without torch.
    if name in __all__:
        from prompt_video.inference import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
