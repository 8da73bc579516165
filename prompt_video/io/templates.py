"""Pages and their parts from templates, ``*.html.jinja`` beside the modules that fill them."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from prompt_video.io.readable import readable_lines


def render(template: str, **values: object) -> Markup:
    """Fill a template: what it is given is text, made readable and escaped, but for what another template has made.

    Args:
        template: path of its file inside of the package.
        values: what it names.
    """
    return Markup(_ENVIRONMENT.get_template(template).render(values))


def _as_text(value: object) -> object:
    return value if isinstance(value, Markup) else readable_lines(value)


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1]),
    autoescape=True,
    finalize=_as_text,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
