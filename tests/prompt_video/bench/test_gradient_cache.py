from prompt_video.bench import gradient_cache
from prompt_video.bench.plan import Setting, recorded


def test_gradients_agree(setting: Setting) -> None:
    """The comparison is inside."""
    figures, _ = recorded(gradient_cache.speed(setting, num_pairs=12, chunk_size=5, rounds=1))
    assert figures["pairs"] == 12
    assert 0 <= figures["largest_difference"] <= gradient_cache.TOLERANCE
    assert figures["plain_seconds"] > 0
