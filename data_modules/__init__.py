"""Videos on disk to batches: Lightning data modules, decoding, sampling and the feature store."""

from data_modules.base import VideoDataModule
from data_modules.moving_shapes import MovingShapes
from data_modules.sampling import SegmentSampler, WindowSampler
from data_modules.video_folder import VideoFolder

__all__ = ["MovingShapes", "SegmentSampler", "VideoDataModule", "VideoFolder", "WindowSampler"]
