"""InferenceConfig: which frames of a video a model scores: as in its training, or what does for any video."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from data_modules.errors import InputError
from data_modules.features.encoder import FrameTransform, Place
from data_modules.files.text_files import excerpt
from data_modules.loading.sampling import Sampler, SegmentSampler, WindowSampler
from data_modules.loading.settings import kind_and_settings
from data_modules.loading.windows import SlidingWindows, WholeVideo, Windows
from prompt_video.model.kept_settings import check_settings, fits

SAMPLERS: dict[str, Callable[..., Sampler]] = {kind.__name__: kind for kind in (WindowSampler, SegmentSampler)}
WINDOWS: dict[str, Callable[..., Windows]] = {kind.__name__: kind for kind in (SlidingWindows, WholeVideo)}


@dataclass(frozen=True)
class InferenceConfig:
    """Which frames of a video are scored.

    Args:
        sampler: the moments that stand for a whole video.
        crops: squares of every frame.
        frame_rate: frames a second to choose from; None: every frame of the video.
        windows: how a long video is cut for a detector.
    """

    sampler: Sampler
    crops: tuple[FrameTransform, ...]
    frame_rate: float | None
    windows: Windows

    @classmethod
    def of(cls, task: Mapping[str, Any], frames: FrameTransform, num_frames: int) -> "InferenceConfig":
        """As a checkpoint says; what it says nothing of is what suits any video.

        Args:
            task: of the checkpoint, see `VideoTextTask.inference_config`; empty for the frozen backbone.
            frames: from a decoded frame to what the frozen model sees.
            num_frames: that stand for a video where nothing else is known, spread over the whole of it.

        Raises:
            InputError: when the run had a sampler or windows of its own making, which only its own code can make.
        """
        places = task.get("crops") or ["center"]
        if not fits(places, list[Place]) or not fits(task.get("frame_rate"), float | None):
            raise InputError(
                "the crops or the frame rate that this model was trained with cannot be so; it is damaged."
            )
        sampler = task.get("sampler") or {"kind": "SegmentSampler", "settings": {"num_frames": num_frames}}
        windows = task.get("windows") or {"kind": "SlidingWindows", "settings": {}}
        return cls(
            _made(SAMPLERS, sampler, "sampler"),
            tuple(map(frames.at, places)),
            task.get("frame_rate"),
            _made(WINDOWS, windows, "windows"),
        )

    def recipe(self) -> str:
        """All that decides which frames stand for a whole video, and what is done to them."""
        return f"{kind_and_settings(self.sampler)}/{self.frame_rate}/{[crop.recipe for crop in self.crops]}"


def _made(kinds: Mapping[str, Callable[..., Any]], chosen: object, name: str) -> Any:  # noqa: ANN401 - either kind
    if not isinstance(chosen, dict) or not isinstance(kind := chosen.get("kind"), str):
        raise InputError(f"the {name} that this model was trained with cannot be {excerpt(chosen)}; it is damaged.")
    if kind not in kinds:
        raise InputError(
            f"this model was trained with the project's own {kind}, which is not part of prompt-video; "
            f"it can be tested with its experiment, and on other videos only with {' or '.join(sorted(kinds))}."
        )
    settings = check_settings(cast("type", kinds[kind]), chosen.get("settings"), f"{name}.settings")
    # JSON has no tuples.
    return kinds[kind](**{key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()})
