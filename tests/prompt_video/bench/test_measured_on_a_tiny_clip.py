"""Parts that compare two ways inside; with a tiny CLIP and at tiny sizes, whose times say nothing."""

import pytest

from prompt_video.bench import decode, encoder, extraction, store, trials
from prompt_video.bench.plan import Figures, Setting, recorded


def _assert_between(figures: Figures, name: str) -> None:
    lowest, highest = figures[f"{name}_range"]
    assert 0 < lowest <= figures[name] <= highest


def test_image_encoder(setting: Setting) -> None:
    figures, _ = recorded(encoder.run(setting, num_frames=3, rounds=2))
    _assert_between(figures, "vs_transformers")


def test_trials(setting: Setting) -> None:
    figures, _ = recorded(trials.run(setting, count=3, rounds=2))
    _assert_between(figures, "speedup")
    assert figures["ms"] > 0


def test_extraction(setting: Setting) -> None:
    figures, _ = recorded(extraction.run(setting, num_videos=1, frame_rate=0.5, num_workers=0, rounds=2))
    _assert_between(figures, "share_of_encoder")


def test_store(setting: Setting) -> None:
    figures, _ = recorded(store.run(setting, num_videos=2, rounds=2))
    _assert_between(figures, "reads_ratio")
    assert figures["size_ratio"] == pytest.approx(0.25, abs=0.01)


@pytest.mark.slow
def test_decoding(setting: Setting) -> None:
    figures, _ = recorded(decode.run(setting, ["h264_key12"], rounds=2))
    _assert_between(figures["h264_key12"], "vs_released_way")
    assert figures["h264_key12"]["bit_equal"]
