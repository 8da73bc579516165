"""Links between files of the repository lead somewhere: to a file, and to a heading in it."""

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LISTED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=REPOSITORY,
    capture_output=True,
    text=True,
    check=True,
).stdout.split()
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?![a-z]+:)([^)\s]+)\)")


def anchors(file: Path) -> set[str]:
    """As GitHub makes them of headings."""
    text = re.sub(r"^```.*?^```$", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    names = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", name.strip().lower())) for name in names}


@pytest.mark.parametrize("document", LISTED)
def test_every_link_leads_somewhere(document: str) -> None:
    file = REPOSITORY / document
    for link in LINK.findall(CODE.sub("", file.read_text(encoding="utf-8"))):
        path, _, name = link.partition("#")
        target = file.parent / path if path else file
        assert target.exists(), f"{document} links to {link}"
        taken = "@@ " in target.read_text(encoding="utf-8") if target.suffix == ".md" else True
        assert not name or taken or name in anchors(target), f"{document} links to {link}"


@pytest.mark.parametrize("document", [name for name in LISTED if name.startswith("docs/")])
def test_every_file_that_a_page_takes_in_is_named_as_the_site_reads_it(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    for line in re.findall(r"^.*8 ?< ?-.*$", text, re.MULTILINE):
        taken = re.fullmatch(r'--8<-- "(\S+)"', line)
        assert taken, line
        assert (REPOSITORY / taken[1]).is_file(), line
