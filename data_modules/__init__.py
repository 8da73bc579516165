"""Videos on disk to batches: Lightning data modules, protocols, decoding, sampling and the feature store."""

from data_modules.base import VideoDataModule
from data_modules.hmdb51 import HMDB51
from data_modules.kinetics import Kinetics
from data_modules.moving_shapes import MovingShapes
from data_modules.sampling import SegmentSampler, WindowSampler
from data_modules.something_something import SomethingSomethingV2
from data_modules.ucf101 import UCF101
from data_modules.video_folder import VideoFolder

__all__ = [
    "HMDB51",
    "UCF101",
    "Kinetics",
    "MovingShapes",
    "SegmentSampler",
    "SomethingSomethingV2",
    "VideoDataModule",
    "VideoFolder",
    "WindowSampler",
]
