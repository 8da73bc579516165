"""The built-in world of several labels: two moving shapes at once, one alone, or none."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from data_modules.annotations.list_files import known_records, read_list
from data_modules.batch import Record, labelled
from data_modules.modules.trimmed import TrimmedDataModule, TrimmedOptions
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split
from data_modules.synthetic.moving_shapes import PAIRS
from data_modules.synthetic.rendering import NUM_FRAMES, video_seed
from data_modules.synthetic.shapes import (
    COLORS,
    SHAPES,
    Scene,
    class_name,
    draw,
    sample_backgrounds,
    sample_colors,
    sample_trajectories,
)
from data_modules.synthetic.world import Script, World
from data_modules.typed_options import Unpack

LABELS = "labels.json"
NUM_SHOWN = (0, 1, 1, 2, 2, 2, 2, 2, 2, 2)  # classes that each of ten videos shows


@dataclass(frozen=True)
class _Script(Script):
    num_shown: int
    seed: int

    @property
    def shown(self) -> list[int]:
        """Places in `PAIRS`, the shapes all different."""
        order = torch.randperm(len(PAIRS), generator=self._generator()).tolist()
        first: dict[str, int] = {}
        for place in order:
            first.setdefault(PAIRS[place][0], place)
        return list(first.values())[: self.num_shown]

    def frames(self) -> Iterator[UInt8[Tensor, "T 3 S S"]]:
        """One shape after another is painted over the same background, each in a colour of its own."""
        generator = self._generator()
        pictures = sample_backgrounds(1, generator).expand(NUM_FRAMES, -1, -1, -1)
        colors = [list(COLORS)[place] for place in torch.randperm(len(COLORS), generator=generator).tolist()]
        time = torch.linspace(0, 1, NUM_FRAMES)[None]
        for place, color in zip(self.shown, colors, strict=False):
            shape, motion = PAIRS[place]
            scene = sample_trajectories([motion], generator).at(time)
            each = Scene(
                *(values[0].unsqueeze(1) for values in (scene.center, scene.radius, scene.tilt, scene.opacity))
            )
            shapes = torch.full((NUM_FRAMES,), SHAPES.index(shape))
            painted = draw(shapes, sample_colors([color], generator).expand(NUM_FRAMES, 3), pictures, each)
            pictures = painted[:, 0] / 255
        yield (pictures * 255).round().to(torch.uint8)

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)


class MovingPairs(World, TrimmedDataModule):
    """The 48 classes of `MovingShapes`, of which seven videos in ten show two at once, two show one, and one none.

    A sample is an mp4 file (h264, 96 x 96, 32 frames, 12 a second); its shapes differ, and may pass over each
    other. What each shows is written beside the videos as a label file of `VideoFolder`. Deterministic by seed. Drawn
    by this project, MIT licence; nothing to cite.

    Args:
        root: folder of the videos; rendered when it does not exist.
        train_videos: for training.
        val_videos: for validation.
        test_videos: for testing.
        world_seed: another seed draws another world.
        options: those that all data sets share, see `TrimmedDataModule`.
    """

    version, videos_are = 1, "pairs"

    def __init__(
        self,
        root: Path = Path("data/moving_pairs"),
        train_videos: int = 600,
        val_videos: int = 120,
        test_videos: int = 300,
        world_seed: int = 0,
        **options: Unpack[TrimmedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.counts = {"train": train_videos, "val": val_videos, "test": test_videos}
        self.world_seed = world_seed

    def told(self) -> dict[str, str]:
        """The labels."""
        names, index = self.dataset_index.class_names, self.dataset_index
        rows = [
            {"path": record.video_id, "label": [names[target] for target in record.targets], "split": split}
            for split in SPLITS
            for record in index.records[split]
        ]
        return {LABELS: json.dumps(rows, indent=0)}

    def scan(self) -> DatasetIndex:
        """The rendered videos."""
        names = [class_name(*pair) for pair in PAIRS]
        records: dict[Split, list[Record]] = {
            split: [
                labelled(path.relative_to(self.root).as_posix(), path, script.shown, str(self.root / LABELS))
                for path, script in self.files(split)
            ]
            for split in SPLITS
        }
        everything = [record for split in SPLITS for record in records[split]]
        index = DatasetIndex(names, records, is_made_up=True)
        return replace(index, read_list=lambda path: read_list(Path(path), names, names, known_records(everything)))

    def files(self, split: Split) -> Iterator[tuple[Path, _Script]]:
        """One after another."""
        for number in range(self.counts[split]):
            seed = video_seed(self.world_seed, "pairs", split, number)
            yield self.root / split / f"{number:04d}.mp4", _Script(NUM_SHOWN[number % len(NUM_SHOWN)], seed)
