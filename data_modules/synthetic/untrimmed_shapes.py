"""The built-in world of long videos: several actions each, with pauses and distractors."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor

from data_modules.batch import Segment, UntrimmedRecord
from data_modules.modules.untrimmed import UntrimmedDataModule, UntrimmedOptions
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split, Trial
from data_modules.synthetic.moving_shapes import FOLDS, PAIRS, fold_of, seen_and_unseen
from data_modules.synthetic.rendering import FRAME_RATE, video_seed
from data_modules.synthetic.shapes import class_name
from data_modules.synthetic.video_script import VideoScript, play, write_video_script
from data_modules.synthetic.world import Script, World
from data_modules.typed_options import Unpack

ANNOTATIONS = "annotations.json"
_SUBSETS = {"train": "training", "val": "validation", "test": "testing"}


@dataclass(frozen=True)
class _Script(Script):
    fold: int
    seed: int

    @property
    def video_script(self) -> VideoScript:
        return _video_script(self.fold, self.seed)

    def frames(self) -> Iterator[UInt8[Tensor, "T 3 S S"]]:
        return play(self.video_script)


@lru_cache(maxsize=4096)  # a data module asks for all its scripts whenever a trainer starts
def _video_script(fold: int, seed: int) -> VideoScript:
    return write_video_script([pair for pair in PAIRS if fold_of(*pair) == fold], seed)


class UntrimmedShapes(World, UntrimmedDataModule):
    """Long videos of moving shapes, in each of which 4 to 7 actions of 48 classes are to be found.

    A sample is an mp4 file (h264, 96 x 96, 12 frames a second, about half a minute). Between two actions nothing is
    to be seen, or a shape that circles or stands still, which is no action; and a shape may wait before it acts and
    after. The actions of one video are of one of the three thirds that open-set trials leave out in turn. Deterministic
    by seed; the annotation is written beside the videos in ActivityNet's format. Drawn by this project, MIT licence;
    nothing to cite.

    Args:
        root: folder of the videos; rendered when it does not exist.
        train_videos: for training.
        val_videos: for validation.
        test_videos: for testing.
        world_seed: another seed draws another world.
        options: those that all data sets of untrimmed videos share, see `UntrimmedDataModule`.
    """

    version, videos_are = 2, "untrimmed"

    def __init__(
        self,
        root: Path = Path("data/untrimmed_shapes"),
        train_videos: int = 180,
        val_videos: int = 0,
        test_videos: int = 60,
        world_seed: int = 0,
        **options: Unpack[UntrimmedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.counts = {"train": train_videos, "val": val_videos, "test": test_videos}
        self.world_seed = world_seed

    def told(self) -> dict[str, str]:
        """The annotation."""
        return {ANNOTATIONS: json.dumps(self._annotation(), indent=1)}

    def scan(self) -> DatasetIndex:
        """The rendered videos."""
        names = [class_name(*pair) for pair in PAIRS]
        records = {split: [self._record(*file) for file in self.files(split)] for split in SPLITS}
        index = DatasetIndex(names, records)
        folds = {"open_set": lambda: [_fold(index, fold) for fold in range(FOLDS)]}
        return replace(index, published=folds, is_made_up=True)

    def _record(self, path: Path, script: _Script) -> UntrimmedRecord:
        video_script = script.video_script
        return UntrimmedRecord(
            video_id=path.relative_to(self.root).as_posix(),
            path=path,
            segments=tuple(
                Segment(action.start / FRAME_RATE, action.end / FRAME_RATE, PAIRS.index((action.shape, action.motion)))
                for action in video_script.actions
            ),
            duration_sec=video_script.num_frames / FRAME_RATE,
        )

    def files(self, split: Split) -> Iterator[tuple[Path, _Script]]:
        """One after another."""
        for number in range(self.counts[split]):
            seed = video_seed(self.world_seed, "untrimmed", split, number)
            yield self.root / split / f"{number:03d}.mp4", _Script(number % FOLDS, seed)

    def _annotation(self) -> dict[str, object]:
        names, database = self.dataset_index.class_names, {}
        for split in SPLITS:
            for record in self.dataset_index.records[split]:
                assert isinstance(record, UntrimmedRecord)
                segments = [{"label": names[s.target], "segment": [s.start_sec, s.end_sec]} for s in record.segments]
                about = {"subset": _SUBSETS[split], "duration": record.duration_sec, "annotations": segments}
                database[record.video_id] = about
        return {"version": "untrimmed shapes 1", "database": database}


def _fold(index: DatasetIndex, fold: int) -> Trial:
    seen, unseen = seen_and_unseen(fold)
    val = index.subset("val").only(seen)
    tests = {"test": index.subset("test").only(unseen)}
    return Trial(f"fold {fold}", index.subset("train").only(seen), tests, val if val.records else None)
