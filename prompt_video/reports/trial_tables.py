"""Tables by class, video and caption of all trials that have left theirs, as one of the run."""

import csv
from collections import defaultdict
from pathlib import Path

from prompt_video.io.run_files import BY_CAPTION, BY_CLASS, BY_VIDEO, TRIALS
from prompt_video.io.spreadsheet import text_of, write_rows


def gather_trial_tables(folder: Path) -> None:
    """Write each table of the trials once more, with the number of the trial before its rows.

    Args:
        folder: of the run; what it has no trials of is left as it is.
    """
    tables: dict[str, list[dict[str, object]]] = defaultdict(list)
    for name in (BY_CLASS, BY_VIDEO, BY_CAPTION):
        for path in sorted(folder.glob(f"{TRIALS}/*/{name}*.csv")):
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    cells = {key: text_of(cell) for key, cell in row.items()}
                    tables[path.name].append({"trial": int(path.parent.name), **cells})
    for table, rows in tables.items():
        write_rows(folder / table, rows)
