"""A report as plain parts, which HTML, Markdown, LaTeX and CSV then write down: all of them hold the same numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias, Union

from markupsafe import Markup

from prompt_video.reports.tables import Link, Table


@dataclass(frozen=True)
class Note:
    """A paragraph that stands back; one that does not is a string."""

    text: str
    kind: ClassVar = "note"


@dataclass(frozen=True)
class Code:
    """What can be typed or is to be read letter by letter."""

    text: str
    kind: ClassVar = "code"


@dataclass(frozen=True)
class Facts:
    """Names with what they stand for."""

    rows: Sequence[tuple[str, str | Sequence[Link]]]
    kind: ClassVar = "facts"


@dataclass(frozen=True)
class Plot:
    """A picture that follows the colours of its page.

    Args:
        title: above it, and read out in its place.
        svg: the picture.
        legend: its lines: number of the colour, name of the dashes, and what the line shows.
        is_wide: it takes the whole width, and is never drawn smaller than can be read.
        note: below it.
    """

    title: str
    svg: Markup
    legend: Sequence[tuple[int, str, str]] = ()
    is_wide: bool = False
    note: str = ""


@dataclass(frozen=True)
class Plots:
    """Pictures side by side where there is room."""

    plots: Sequence[Plot]
    kind: ClassVar = "plots"


@dataclass(frozen=True)
class Fold:
    """Parts that are shown on a click, and in print.

    Args:
        summary: what one clicks on.
        parts: what is shown then.
        is_open: from the beginning.
    """

    summary: str
    parts: Sequence["Part"]
    is_open: bool = False
    kind: ClassVar = "fold"


@dataclass(frozen=True)
class Section:
    """Parts below a heading; sections in it have smaller ones."""

    title: str
    parts: Sequence["Part"]
    kind: ClassVar = "section"

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Place, from 1, and title of each section in it."""
        return [(place, part.title) for place, part in enumerate(self.parts, start=1) if isinstance(part, Section)]


Part: TypeAlias = Union[str, Markup, Note, Code, Facts, Plots, Table, Fold, Section]  # noqa: UP007 - names itself


@dataclass(frozen=True)
class Document:
    """A whole page.

    Args:
        title: heading.
        facts: data set, protocol, seeds, date, command and folders of what it tells of.
        sections: in their order, which the contents list.
        lead: before all.
    """

    title: str
    facts: Facts
    sections: Sequence[Section]
    lead: Sequence[Part] = field(default_factory=tuple)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Every table with the heading that it stands below."""
        yield from _tables(self.title, self.lead)
        for section in self.sections:
            yield from _tables(section.title, section.parts)


def _tables(heading: str, parts: Sequence[Part]) -> Iterator[tuple[str, Table]]:
    for part in parts:
        if isinstance(part, Table):
            yield heading, part
        elif isinstance(part, Section):
            yield from _tables(f"{heading}: {part.title}", part.parts)
        elif isinstance(part, Fold):
            yield from _tables(heading, part.parts)
