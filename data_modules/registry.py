"""Every class of this package that an experiment names, each by its bare name."""

from data_modules.data_sets.activitynet import ActivityNet13
from data_modules.data_sets.captioned_folder import CaptionedFolder
from data_modules.data_sets.didemo import DiDeMo
from data_modules.data_sets.hmdb51 import HMDB51
from data_modules.data_sets.kinetics import Kinetics
from data_modules.data_sets.lsmdc import LSMDC
from data_modules.data_sets.msrvtt import MSRVTT
from data_modules.data_sets.something_something import SomethingSomethingV2
from data_modules.data_sets.spoken_moments import SpokenMoments
from data_modules.data_sets.thumos14 import Thumos14
from data_modules.data_sets.ucf101 import UCF101
from data_modules.data_sets.untrimmed_folder import UntrimmedFolder
from data_modules.data_sets.video_folder import VideoFolder
from data_modules.loading.sampling import SegmentSampler, WindowSampler
from data_modules.loading.windows import SlidingWindows, WholeVideo
from data_modules.modules.base import VideoDataModule
from data_modules.modules.trimmed import TrimmedDataModule
from data_modules.modules.untrimmed import UntrimmedDataModule
from data_modules.synthetic.captioned_shapes import CaptionedShapes
from data_modules.synthetic.moving_shapes import MovingShapes
from data_modules.synthetic.untrimmed_shapes import UntrimmedShapes

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
