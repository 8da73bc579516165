"""The built-in data set: coloured shapes moving over textured backgrounds, rendered to mp4 files on first use."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor

from data_modules.annotations.list_files import known_records, read_list
from data_modules.batch import Record
from data_modules.modules.trimmed import TrimmedDataModule, TrimmedOptions
from data_modules.protocols.base_to_novel import HARMONIC
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split, Trial
from data_modules.synthetic.rendering import render, video_seed
from data_modules.synthetic.shapes import MOTIONS, SHAPES, class_name
from data_modules.synthetic.world import Script, World
from data_modules.typed_options import Unpack

PAIRS = [(shape, motion) for shape in SHAPES for motion in MOTIONS]  # of the classes, in their order
FOLDS = 3  # of these pairs, for open-set protocols


@dataclass(frozen=True)
class _Script(Script):
    shape: str
    motion: str
    seed: int

    def frames(self) -> list[UInt8[Tensor, "T 3 S S"]]:
        return [render(self.shape, self.motion, self.seed).frames]


class MovingShapes(World, TrimmedDataModule):
    """48 classes, 6 shapes times 8 motions, such as "a star moving left"; runs anywhere, with no download.

    A sample is an mp4 file (h264, 96 x 96, 32 frames, 12 a second) of one shape in a random colour, size and place.
    A single frame shows the shape but not whether it moves left or right, so that a model that only averages frames
    must fail where one that sees their order need not. Deterministic by seed. Drawn by this project, MIT licence;
    nothing to cite.

    Args:
        root: folder of the videos; rendered when it does not exist.
        train_videos: videos of each class for training.
        val_videos: videos of each class for validation.
        test_videos: videos of each class for testing.
        world_seed: another seed draws another world.
        options: those that all data sets share, see `TrimmedDataModule`.
    """

    version = 2

    def __init__(
        self,
        root: Path = Path("data/moving_shapes"),
        train_videos: int = 20,
        val_videos: int = 5,
        test_videos: int = 10,
        world_seed: int = 0,
        **options: Unpack[TrimmedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.counts = {"train": train_videos, "val": val_videos, "test": test_videos}
        self.world_seed = world_seed

    def scan(self) -> DatasetIndex:
        """The rendered videos, class by class."""
        names = [class_name(*pair) for pair in PAIRS]
        records: dict[Split, list[Record]] = {}
        for split in SPLITS:
            records[split] = [
                Record(
                    video_id=path.relative_to(self.root).as_posix(),
                    path=path,
                    target=names.index(class_name(script.shape, script.motion)),
                )
                for path, script in self.files(split)
            ]
        index = DatasetIndex(names, records)
        everything = [record for split in SPLITS for record in records[split]]
        return replace(
            index,
            read_list=lambda path: read_list(Path(path), names, names, known_records(everything)),
            published={"base_to_novel": lambda: [_fold(index, fold) for fold in range(FOLDS)]},
            is_made_up=True,
        )

    def files(self, split: Split) -> Iterable[tuple[Path, _Script]]:
        """Class by class."""
        for shape, motion in PAIRS:
            folder = self.root / split / class_name(shape, motion).replace(" ", "_")
            for number in range(self.counts[split]):
                seed = video_seed(self.world_seed, split, shape, motion, number)
                yield folder / f"{number:03d}.mp4", _Script(shape, motion, seed)


def fold_of(shape: str, motion: str) -> int:
    """Which fold a class is unseen in: every shape and every motion is seen in each, some combinations are not."""
    return -(SHAPES.index(shape) + 2 * MOTIONS.index(motion)) % FOLDS


def seen_and_unseen(fold: int) -> tuple[list[str], list[str]]:
    """Names of the classes that a fold trains on, and of the third that it does not, each in the order of `PAIRS`."""
    seen = [class_name(*pair) for pair in PAIRS if fold_of(*pair) != fold]
    return seen, [class_name(*pair) for pair in PAIRS if fold_of(*pair) == fold]


def _fold(index: DatasetIndex, fold: int) -> Trial:
    base, novel = seen_and_unseen(fold)
    train, val, test = (index.subset(split) for split in SPLITS)
    tests = {"base": test.only(base), "novel": test.only(novel)}
    return Trial(f"fold {fold}", train.only(base), tests, val.only(base), HARMONIC)
