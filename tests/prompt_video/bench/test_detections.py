from prompt_video.bench.detections import run


def test_ours_and_the_loops_agree() -> None:
    """The comparison is inside; a small world, whose times say nothing."""
    figures = run(num_videos=200, rounds=1)
    assert list(figures) == [
        f"{size}_{figure}" for size in ("one_label", "every_class") for figure in ("speedup", "seconds", "map_avg")
    ]
    assert all(value > 0 for value in figures.values())
