"""Every class of this package that an experiment names, each by its bare name."""

from data_modules.activitynet import ActivityNet13
from data_modules.base import VideoDataModule
from data_modules.captioned_folder import CaptionedFolder
from data_modules.captioned_shapes import CaptionedShapes
from data_modules.didemo import DiDeMo
from data_modules.hmdb51 import HMDB51
from data_modules.kinetics import Kinetics
from data_modules.lsmdc import LSMDC
from data_modules.moving_shapes import MovingShapes
from data_modules.msrvtt import MSRVTT
from data_modules.sampling import SegmentSampler, WindowSampler
from data_modules.something_something import SomethingSomethingV2
from data_modules.spoken_moments import SpokenMoments
from data_modules.thumos14 import Thumos14
from data_modules.trimmed import TrimmedDataModule
from data_modules.ucf101 import UCF101
from data_modules.untrimmed import UntrimmedDataModule
from data_modules.untrimmed_folder import UntrimmedFolder
from data_modules.untrimmed_shapes import UntrimmedShapes
from data_modules.video_folder import VideoFolder
from data_modules.windows import SlidingWindows, WholeVideo

__all__ = [
    "HMDB51",
    "LSMDC",
    "MSRVTT",
    "UCF101",
    "ActivityNet13",
    "CaptionedFolder",
    "CaptionedShapes",
    "DiDeMo",
    "Kinetics",
    "MovingShapes",
    "SegmentSampler",
    "SlidingWindows",
    "SomethingSomethingV2",
    "SpokenMoments",
    "Thumos14",
    "TrimmedDataModule",
    "UntrimmedDataModule",
    "UntrimmedFolder",
    "UntrimmedShapes",
    "VideoDataModule",
    "VideoFolder",
    "WholeVideo",
    "WindowSampler",
]
