"""Every class of this package that an experiment names, each by its bare name."""

from data_modules.data_sets.activitynet import ActivityNet13 as ActivityNet13
from data_modules.data_sets.captioned_folder import CaptionedFolder as CaptionedFolder
from data_modules.data_sets.didemo import DiDeMo as DiDeMo
from data_modules.data_sets.hmdb51 import HMDB51 as HMDB51
from data_modules.data_sets.kinetics import Kinetics as Kinetics
from data_modules.data_sets.lsmdc import LSMDC as LSMDC
from data_modules.data_sets.msrvtt import MSRVTT as MSRVTT
from data_modules.data_sets.something_something import SomethingSomethingV2 as SomethingSomethingV2
from data_modules.data_sets.spoken_moments import SpokenMoments as SpokenMoments
from data_modules.data_sets.thumos14 import Thumos14 as Thumos14
from data_modules.data_sets.ucf101 import UCF101 as UCF101
from data_modules.data_sets.untrimmed_folder import UntrimmedFolder as UntrimmedFolder
from data_modules.data_sets.video_folder import VideoFolder as VideoFolder
from data_modules.loading.sampling import SegmentSampler as SegmentSampler
from data_modules.loading.sampling import WindowSampler as WindowSampler
from data_modules.loading.windows import SlidingWindows as SlidingWindows
from data_modules.loading.windows import WholeVideo as WholeVideo
from data_modules.modules.base import VideoDataModule as VideoDataModule
from data_modules.modules.captioned import CaptionedDataModule as CaptionedDataModule
from data_modules.modules.trimmed import TrimmedDataModule as TrimmedDataModule
from data_modules.modules.untrimmed import UntrimmedDataModule as UntrimmedDataModule
from data_modules.synthetic.captioned_shapes import CaptionedShapes as CaptionedShapes
from data_modules.synthetic.moving_pairs import MovingPairs as MovingPairs
from data_modules.synthetic.moving_shapes import MovingShapes as MovingShapes
from data_modules.synthetic.untrimmed_shapes import UntrimmedShapes as UntrimmedShapes
