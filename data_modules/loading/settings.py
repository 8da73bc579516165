"""What samplers and windows were made with, for use of a trained model on other videos."""

import inspect


def settings_of(views: object) -> dict[str, object]:
    """The arguments of a constructor, by name, ready for JSON.

    Args:
        views: a sampler or windows; each argument is an attribute of its name.
    """
    values = {name: getattr(views, name) for name in inspect.signature(type(views)).parameters}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def kind_and_settings(views: object) -> dict[str, object]:
    """The name of the class, and `settings_of`."""
    return {"kind": type(views).__name__, "settings": settings_of(views)}
