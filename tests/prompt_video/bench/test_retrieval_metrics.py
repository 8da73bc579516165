from prompt_video.bench.retrieval_metrics import run


def test_ours_and_sorting_agree() -> None:
    """The comparison is inside; a small world, whose times say nothing."""
    figures = run(num_videos=60, rounds=1)
    assert 0 < figures["t2v_r@10"] <= 1
    assert figures["seconds"] > 0
