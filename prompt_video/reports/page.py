"""A report page: one HTML file with everything inside, readable in light and dark."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from prompt_video.io.readable import escaped

_CSS = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6677; --paper: #fbfbfa; --card: #ffffff; --line: #e3e6ea;
  --accent: #0072B2; --good: #0b7a55; --bad: #b3401f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --soft: #9aa5b4; --paper: #14171c; --card: #1c2027;
  --line: #2e343d; --accent: #56B4E9; --good: #4cc79a; --bad: #f08a66; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.6rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 0; }
p { margin: .4rem 0; max-width: 46rem; } .soft { color: var(--soft); font-size: .92rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem 1.1rem .45rem 0; text-align: right; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--soft); font-size: .85rem; } th:first-child, td:first-child { text-align: left; }
th:last-child, td:last-child { text-align: left; padding-left: .6rem; }
tr.best td { font-weight: 650; color: var(--accent); }
tr.quoted td { color: var(--soft); font-style: italic; }
a { color: var(--accent); }
details { margin: .5rem 0; } summary { cursor: pointer; }
pre { margin: .3rem 0 0; padding: .5rem .7rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; font: .8rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .6rem 0 1rem 1.1rem;
  font-size: .88rem; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
ul.lines { overflow-wrap: anywhere; padding-left: 1.2rem; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; }
.figure { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: .5rem; flex: 1 1 26rem; }
.figure svg { width: 100%; height: auto; display: block; } .figure.wide { flex-basis: 100%; }
.figure:only-child:not(.wide) { max-width: 36rem; } .scroll { overflow-x: auto; }
.scroll svg { min-width: 44rem; } .scroll td:last-child { min-width: 13rem; }
.scroll th, .scroll td { padding-right: .7rem; } .scroll td:not(:last-child) { white-space: nowrap; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: .9rem; }
.sheet figure { margin: 0; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; overflow: hidden; }
.sheet img { width: 100%; display: block; } .sheet figcaption { padding: .45rem .7rem .6rem; font-size: .9rem; }
.asked { display: grid; gap: .9rem; margin-top: .6rem; }
.asked article { background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow: hidden;
  min-width: 0; }
.asked p { margin: 0; max-width: none; padding: .5rem .8rem; font-size: .95rem; overflow-wrap: anywhere; }
.asked img { width: 100%; min-width: 44rem; display: block; }
.good { color: var(--good); } .bad { color: var(--bad); }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
"""


@dataclass(frozen=True)
class Example:
    """One test video on the contact sheet; `image` is a data URI."""

    image: str
    truth: str
    pred: str
    probability: float


def page(title: str, lead: str, sections: Sequence[tuple[str, str]]) -> str:
    """The whole document.

    Args:
        title: heading.
        lead: HTML below it.
        sections: (heading, HTML) in order.
    """
    body = "".join(f"<section><h2>{escaped(heading)}</h2>{html}</section>" for heading, html in sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{_CSS}</style></head>"
        f"<body><h1>{escaped(title)}</h1>{lead}{body}</body></html>\n"
    )


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], best: int | None = None, soft: Collection[int] = ()
) -> str:
    """A table; row ``best`` stands out, rows ``soft`` stand back."""
    head = "".join(f"<th>{escaped(cell)}</th>" for cell in header)
    lines = []
    for index, row in enumerate(rows):
        cells = "".join(f"<td>{escaped(cell)}</td>" for cell in row)
        kind = " class=best" if index == best else " class=quoted" if index in soft else ""
        lines.append(f"<tr{kind}>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def figures(*svgs: str, wide: bool = False) -> str:
    """Figures next to each other where there is room."""
    kind = "figure wide" if wide else "figure"
    return '<div class="figures">' + "".join(f'<div class="{kind}">{svg}</div>' for svg in svgs) + "</div>"


def contact_sheet(examples: Sequence[Example]) -> str:
    """Test videos with what they show and what they were taken for."""
    cards = []
    for example in examples:
        right = example.pred == example.truth
        verdict = f'<span class="{"good" if right else "bad"}">{"✓" if right else "✗"} {escaped(example.pred)}</span>'
        truth = "" if right else f"<br>is {escaped(example.truth)}"
        cards.append(
            f'<figure><img src="{example.image}" alt="frames of {escaped(example.truth)}">'
            f"<figcaption>{verdict} <span class=soft>{example.probability:.0%}</span>{truth}</figcaption></figure>"
        )
    return '<div class="sheet">' + "".join(cards) + "</div>"
