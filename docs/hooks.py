"""What the pages of the site take from the repository.

- A line ``@@ FILE``, ``@@ FILE # HEADING`` or ``@@ FILE #! HEADING`` is replaced by that Markdown file, by that section
  of it, or by what stands there before the next heading, so that a text stands once, beside the code that it is about.
  An unknown file or heading fails the build.
- Links to a file of the repository lead to the page that shows it: to the page that took in the section, or to a page
  made here with the file's text.
"""

import re
from pathlib import Path
from posixpath import normpath, relpath
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, InclusionLevel

REPOSITORY = Path(__file__).parents[1]
TAKEN = re.compile(r"^@@ (?P<file>\S+)(?: #(?P<only>!?) (?P<heading>.+))?$", re.MULTILINE)
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|`[^`]*`)+)\]\(([^)\s]+)\)")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}
pages_of: dict[tuple[str, str], str] = {}  # of a file and an anchor: the page that shows it


def anchor(heading: str) -> str:
    """As GitHub and Python-Markdown make it."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.strip().lower()))


def headings(text: str) -> list[re.Match[str]]:
    """Those outside of code."""
    code = [found.span() for found in FENCE.finditer(text)]
    return [h for h in HEADING.finditer(text) if not any(start <= h.start() < end for start, end in code)]


def section(taken: re.Match[str]) -> str:
    """A file without its title, one section of it with its heading, or the first words of one without."""
    file, heading = taken["file"], taken["heading"]
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    found = headings(text)
    if heading is None:
        return text[found[0].end() :] if found and found[0].start() == 0 else text
    for number, one in enumerate(found):
        if one[2].strip() == heading:
            level = 9 if taken["only"] else len(one[1])
            ends = (other.start() for other in found[number + 1 :] if len(other[1]) <= level)
            return text[one.end() if taken["only"] else one.start() : next(ends, len(text))]
    raise PluginError(f"{file} has no section '{heading}'")


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - mkdocs' own
    """Note which page shows what, and add a page for each other file that is linked."""
    pages_of.clear()
    linked: set[str] = set()
    for page in list(files.documentation_pages()):
        if not page.src_uri.endswith(".md"):
            continue
        text = page.content_string
        for taken in TAKEN.finditer(text):
            body = section(taken)
            pages_of.setdefault((taken["file"], ""), page.src_uri)
            for one in headings(body):
                pages_of.setdefault((taken["file"], anchor(one[2])), page.src_uri)
            linked |= {target_of(link[2], taken["file"]).partition("#")[0] for link in links(body)}
        own = f"docs/{page.src_uri}"
        linked |= {target_of(link[2], own).partition("#")[0] for link in links(text)}
    for target in sorted(linked):
        path = REPOSITORY / target
        if path.is_file() and not target.startswith("docs/") and not target.endswith(".md"):
            language = LANGUAGES.get(path.suffix, "text")
            text = f"# {path.name}\n\n`{target}`\n\n````{language}\n{path.read_text(encoding='utf-8')}\n````\n"
            page = File.generated(config, f"source/{target}.md", content=text)
            page.inclusion = InclusionLevel.NOT_IN_NAV
            files.append(page)
    return files


def links(text: str) -> list[re.Match[str]]:
    """The links of a text to other files, outside of code."""
    code = [found.span() for found in FENCE.finditer(text)]
    return [
        link
        for link in LINK.finditer(text)
        if not re.match(r"[a-z]+:", link[2]) and not any(start <= link.start() < end for start, end in code)
    ]


def target_of(link: str, file: str) -> str:
    """What a link in a file leads to, from the repository's root."""
    path, hash_, name = link.partition("#")
    whole = normpath(str(Path(file).parent / path)) if path else file
    return whole + hash_ + name


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:  # noqa: ANN401 - mkdocs' own
    """Take sections in, and lead links to pages."""
    here = page.file.src_uri

    def led(text: str, file: str, shift: int = 0) -> str:
        for link in reversed(links(text)):
            text = text[: link.start(2)] + page_for(target_of(link[2], file), here) + text[link.end(2) :]
        for one in reversed(headings(text)) if shift else []:
            text = text[: one.start(1)] + "#" * max(1, len(one[1]) + shift) + text[one.end(1) :]
        return text

    def taken(found: re.Match[str]) -> str:
        body = section(found)
        level = len(headings(body)[0][1]) if headings(body) else 2
        return led(body, found["file"], 2 - level).strip()

    own = led(markdown, f"docs/{here}")
    return TAKEN.sub(taken, own)


def page_for(target: str, here: str) -> str:
    """The link, from a page of the site, to what shows a file of the repository."""
    file, _, name = target.partition("#")
    if file.startswith("docs/"):
        page = file.removeprefix("docs/")
    elif file.endswith(".md"):
        found = pages_of.get((file, name), pages_of.get((file, "")))
        if found is None:
            raise PluginError(f"{here} links to {target}, which no page takes in")
        page = found
    elif (REPOSITORY / file).is_dir():
        return relpath(f"source/{file}", str(Path(here).parent))
    else:
        page = f"source/{file}.md"
    return relpath(page, str(Path(here).parent) or ".") + (f"#{name}" if name else "")
