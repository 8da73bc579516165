"""The notebooks run from end to end, and show what they say."""

import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def shown(notebook: Any) -> list[str]:  # noqa: ANN401 - nbformat's own
    """The outputs as text, without what differs between machines."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    texts = (str(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in outputs)
    return [re.sub(r"\d+(\.\d+)?", "0", text).strip() for text in texts if text.strip()]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
@pytest.mark.filterwarnings("ignore")  # those of the kernel's own process
def test_a_notebook_runs_and_shows_what_is_kept_in_it(path: Path, tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    kept, run = nbformat.read(path, as_version=4), nbformat.read(path, as_version=4)
    nbclient.NotebookClient(run, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert shown(run) == shown(kept)
    tables = [o for c in run.cells for o in c.get("outputs", []) if "text/html" in o.get("data", {})]
    assert len([o for o in tables if "<table>" in o["data"]["text/html"]]) >= 2
