"""A wheel has no benchmark; what a test of the product needs of it would be the product's."""

import re
from pathlib import Path

IMPORT = re.compile(r"^\s*(from|import) prompt_video(\.bench| import bench)", re.MULTILINE)


def test_only_tests_of_the_benchmark_import_it() -> None:
    here = Path(__file__).parent
    importers = [path for path in here.parents[1].rglob("*.py") if IMPORT.search(path.read_text(encoding="utf-8"))]
    assert importers
    assert [path for path in importers if not path.is_relative_to(here)] == []
