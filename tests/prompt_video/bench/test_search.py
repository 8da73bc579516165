from prompt_video.bench.plan import Setting, recorded
from prompt_video.bench.search import SPANS_A_VIDEO, run


def test_exact_and_plain_search_agree(setting: Setting) -> None:
    """The comparison is inside; a small index, whose times say nothing."""
    figures, _ = recorded(run(setting, num_spans=4 * SPANS_A_VIDEO, rounds=1))
    assert figures["spans"] == 4 * SPANS_A_VIDEO
    assert all(value > 0 for value in figures.values())
