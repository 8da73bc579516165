"""The built-in world of described videos: several actions one after another, told in sentences."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor

from data_modules.annotations.captions import captioned_records
from data_modules.batch import CaptionedRecord
from data_modules.modules.captioned import CaptionedDataModule, CaptionedOptions
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split
from data_modules.synthetic.rendering import video_seed
from data_modules.synthetic.story_script import Story, tell, write_story
from data_modules.synthetic.video_script import play
from data_modules.synthetic.world import Script, World
from data_modules.typed_options import Unpack

CAPTIONS = "captions.json"


@dataclass(frozen=True)
class _Script(Script):
    seed: int

    @property
    def story(self) -> Story:
        return write_story(self.seed)

    def frames(self) -> Iterator[UInt8[Tensor, "T 3 S S"]]:
        return play(self.story.video_script)


class CaptionedShapes(World, CaptionedDataModule):
    """Videos of two or three moving shapes, one after another, each described in sentences.

    A sample is an mp4 file (h264, 96 x 96, 12 frames a second, four to nine seconds) with several captions such as "a
    small red star moves left, then a blue heart spins". What happens first can only be told by one who sees the order
    of the frames. Deterministic by seed; the captions are written beside the videos. Drawn by this project, MIT
    licence; nothing to cite.

    Args:
        root: folder of the videos; rendered when it does not exist.
        train_videos: for training.
        val_videos: for validation.
        test_videos: for testing.
        captions_per_video: wordings of each video in training; in testing there is one.
        world_seed: another seed draws another world.
        options: those that all captioned data sets share, see `CaptionedDataModule`.
    """

    version, videos_are = 1, "captioned"

    def __init__(
        self,
        root: Path = Path("data/captioned_shapes"),
        train_videos: int = 900,
        val_videos: int = 100,
        test_videos: int = 300,
        captions_per_video: int = 4,
        world_seed: int = 0,
        **options: Unpack[CaptionedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.counts = {"train": train_videos, "val": val_videos, "test": test_videos}
        self.captions_per_video = captions_per_video
        self.world_seed = world_seed

    def told(self) -> dict[str, str]:
        """The captions."""
        rows = [
            {"video": record.video_id, "caption": caption, "split": split}
            for split in SPLITS
            for record in self._records(split)
            for caption in record.captions
        ]
        return {CAPTIONS: json.dumps(rows, indent=0)}

    def scan(self) -> DatasetIndex:
        """The rendered videos."""
        return DatasetIndex((), {split: self._records(split) for split in SPLITS})

    def _records(self, split: Split) -> list[CaptionedRecord]:
        wordings = self.captions_per_video if split == "train" else 1
        rows = [
            (path.relative_to(self.root).as_posix(), caption)
            for path, script in self.files(split)
            for caption in tell(script.story, wordings)
        ]
        return captioned_records(rows, lambda video_id: self.root / video_id, self.tally)

    def files(self, split: Split) -> Iterator[tuple[Path, _Script]]:
        """One after another."""
        for number in range(self.counts[split]):
            seed = video_seed(self.world_seed, "captioned", split, number)
            yield self.root / split / f"{number:04d}.mp4", _Script(seed)
