import pytest

from prompt_video.bench import shared_backbone
from prompt_video.bench.plan import Setting


@pytest.mark.slow
def test_tasks_that_share_a_clip(setting: Setting) -> None:
    """With a tiny CLIP, of which memory says nothing: what is counted is there."""
    figures = shared_backbone.run(setting)
    assert figures["two_more_tasks_mib"] == figures["three_tasks_mib"] - figures["one_task_mib"]
    assert all(figures[f"{name}_weights_mib"] > 0 for name in shared_backbone.LAYERS)
