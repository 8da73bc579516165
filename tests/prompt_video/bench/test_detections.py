import pytest

from prompt_video.bench.detections import run
from prompt_video.bench.plan import Setting, recorded


@pytest.mark.slow
def test_ours_and_the_loops_agree(setting: Setting) -> None:
    """The comparison is inside; a small world, whose times say nothing."""
    figures, _ = recorded(run(setting, num_videos=200, rounds=1))
    assert list(figures) == [
        "videos",
        *(f"{size}_{figure}" for size in ("one_label", "every_class") for figure in ("speedup", "seconds", "map_avg")),
    ]
    assert all(value > 0 for value in figures.values())
