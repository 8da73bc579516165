from prompt_video.bench.plan import Setting, recorded
from prompt_video.bench.retrieval_metrics import speed


def test_ours_and_sorting_agree(setting: Setting) -> None:
    """The comparison is inside; a small world, whose times say nothing."""
    figures, _ = recorded(speed(setting, num_videos=60, rounds=1))
    assert 0 < figures["t2v_r@10"] <= 1
    assert figures["seconds"] > 0
