"""The built-in data set: coloured shapes moving over textured backgrounds, rendered to mp4 files on first use."""

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, Dataset

from data_modules.annotations.list_files import known_records, read_list
from data_modules.base import VideoDataModule
from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.protocols.base_to_novel import HARMONIC
from data_modules.protocols.trial import SPLITS, Catalog, Split, Trial
from data_modules.rendering import render, video_seed, write_mp4
from data_modules.shapes import MOTIONS, SHAPES, class_name

log = logging.getLogger(__name__)

FOLDS = 3  # of the combinations of shape and motion, for open-set protocols
WORLD_VERSION = 1  # raise it when the same seed would no longer give the same files


@dataclass(frozen=True)
class _Task:
    path: Path
    shape: str
    motion: str
    seed: int


class MovingShapes(VideoDataModule):
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
        options: those that all data sets share, see `VideoDataModule`.
    """

    def __init__(
        self,
        root: Path = Path("data/moving_shapes"),
        train_videos: int = 20,
        val_videos: int = 5,
        test_videos: int = 10,
        world_seed: int = 0,
        **options: Any,  # noqa: ANN401 - resolved and type-checked by the command line, from the base class
    ) -> None:
        super().__init__(root, **options)
        self.counts: dict[Split, int] = {"train": train_videos, "val": val_videos, "test": test_videos}
        self.world_seed = world_seed

    def prepare_data(self) -> None:
        """Render what is missing; a killed rendering goes on where it stopped."""
        world = {"version": WORLD_VERSION, "seed": self.world_seed}
        marker = self.root / "world.json"
        if marker.exists():
            if (found := json.loads(marker.read_text())) != world:
                raise InputError(
                    f"{self.root} holds another world ({found}) than asked for ({world}); name another data.root."
                )
        else:
            self.root.mkdir(parents=True, exist_ok=True)
            marker.write_text(json.dumps(world))
        tasks = [task for split in SPLITS for task in self._tasks(split) if not task.path.exists()]
        if not tasks:
            return
        log.info("rendering %d videos to %s", len(tasks), self.root)
        workers = min(os.cpu_count() or 1, 8) if len(tasks) > 200 else 0
        for _ in DataLoader(_Rendering(tasks), batch_size=None, num_workers=workers):
            pass

    def scan(self) -> Catalog:
        """The rendered videos, class by class."""
        names = [class_name(shape, motion) for shape in SHAPES for motion in MOTIONS]
        records: dict[Split, list[Record]] = {}
        for split in SPLITS:
            records[split] = [
                Record(
                    video_id=task.path.relative_to(self.root).as_posix(),
                    path=task.path,
                    target=names.index(class_name(task.shape, task.motion)),
                )
                for task in self._tasks(split)
            ]
        catalog = Catalog(names, records)
        everything = [record for split in SPLITS for record in records[split]]
        return replace(
            catalog,
            read_list=lambda path: read_list(Path(path), names, names, known_records(everything)),
            published={"base_to_novel": lambda: [_fold(catalog, fold) for fold in range(FOLDS)]},
        )

    def _tasks(self, split: Split) -> Iterable[_Task]:
        for shape in SHAPES:
            for motion in MOTIONS:
                for number in range(self.counts[split]):
                    folder = self.root / split / class_name(shape, motion).replace(" ", "_")
                    seed = video_seed(self.world_seed, split, shape, motion, number)
                    yield _Task(folder / f"{number:03d}.mp4", shape, motion, seed)


def _fold(catalog: Catalog, fold: int) -> Trial:
    """Every shape and every motion is seen, a third of their combinations is not; each of them in one fold."""
    pairs = [(shape, motion) for shape in range(len(SHAPES)) for motion in range(len(MOTIONS))]
    novel = [
        name
        for name, (shape, motion) in zip(catalog.class_names, pairs, strict=True)
        if (shape + 2 * motion + fold) % FOLDS == 0
    ]
    base = [name for name in catalog.class_names if name not in novel]
    train, val, test = (catalog.part(split) for split in SPLITS)
    tests = {"base": test.only(base), "novel": test.only(novel)}
    return Trial(f"fold {fold}", train.only(base), tests, val.only(base), HARMONIC)


class _Rendering(Dataset[int]):
    """Renders as it is iterated: a loader's workers are a pool that every platform here starts safely and fast."""

    def __init__(self, tasks: list[_Task]) -> None:
        self.tasks = tasks

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, index: int) -> int:
        task = self.tasks[index]
        write_mp4(render(task.shape, task.motion, task.seed).frames, task.path)
        return index
