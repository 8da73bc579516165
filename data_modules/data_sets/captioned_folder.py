"""Any folder of videos with a file of captions: a user's own data without a new class."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from data_modules.annotations.caption_rows import CaptionRow, read_caption_rows
from data_modules.annotations.captions import captioned_records
from data_modules.annotations.listed_videos import VideosBelow, path_below
from data_modules.batch import CaptionedRecord
from data_modules.errors import InputError
from data_modules.files.file_index import stem_of
from data_modules.files.regular_files import is_file, is_folder
from data_modules.modules.captioned import CaptionedDataModule, CaptionedOptions
from data_modules.protocols.division import Division
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split
from data_modules.typed_options import Unpack


class CaptionedFolder(CaptionedDataModule):
    """Videos below a folder, in any layout, and one file that says of each what is to be seen in it.

    CSV: a header ``video,caption`` or ``video,caption,split`` and a row a caption, so several rows a video; captions
    with commas stand in quotes. JSON: a list of objects with these keys, or one object ``{video: caption}`` or
    ``{video: [caption, caption]}``; JSON lines: such an object a line. Videos are paths relative to ``root``, with or
    without suffix; splits are train, val and test. Videos without a split are divided by chance, all captions of a
    video together: the same way for the same seed. A video's id is its path without suffix.

    Args:
        root: folder of the videos; it may be missing where ``features`` names a feature store.
        captions: the CSV, JSON or JSON lines file, relative to ``root`` or absolute.
        val_fraction: share of the videos for validation where the file names no validation split; they are taken from
            those without a split and those for training.
        test_fraction: share of the videos for testing where the file names no test split; taken from the same.
        split_seed: of that division; runs with different seeds but the same ``split_seed`` share their splits.
        options: those that all data sets of captioned videos share, see `CaptionedDataModule`.
    """

    def __init__(
        self,
        root: Path,
        captions: Path = Path("captions.csv"),
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        **options: Unpack[CaptionedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.caption_file = self.root / captions
        self.division = Division(val_fraction, test_fraction, split_seed)

    def prepare_data(self) -> None:
        """Look whether there are videos at all.

        Raises:
            InputError: when there are none, and no feature store is named.
        """
        paths = [record.path for records in self.dataset_index.records.values() for record in records]
        if self.features in ("auto", "off") and not any(path.exists() for path in paths):
            raise InputError(
                f"none of the {len(paths)} videos of {self.caption_file} is below {self.root}; the first would be "
                f"{paths[0]}. Set data.root to the folder that the file's paths start from, or data.features to the "
                "store of their features."
            )

    def scan(self) -> DatasetIndex:
        """Read the captions, in the order of the file, and find the videos."""
        if self.features in ("auto", "off") and not is_folder(self.root):
            raise InputError(
                f"there is no folder {self.root}; set data.root (data.init_args.root in YAML) to your videos."
            )
        if not is_file(self.caption_file):
            raise InputError(
                f"there is no caption file {self.caption_file}; set data.captions to a CSV with the header "
                "video,caption[,split], or to a JSON file."
            )
        captions: list[tuple[str, str]] = []
        named: dict[str, tuple[str, str]] = {}
        splits: dict[str, tuple[Split, str]] = {}
        for row in read_caption_rows(self.caption_file):
            folder, _, name = path_below(self.root, row.video, f"{self.caption_file}, {row.entry}").rpartition("/")
            stem = stem_of(name)
            video_id = f"{folder}/{stem}" if folder else stem
            captions.append((video_id, row.caption))
            if name != stem:
                first, entry = named.setdefault(video_id, (name, row.entry))
                self._agree(row, f"the file {name}", f"the file {first}", entry)
            if row.split is not None:
                split, entry = splits.setdefault(video_id, (row.split, row.entry))
                self._agree(row, f"in {row.split}", f"in {split}", entry)
        suffixed = {video_id: name for video_id, (name, _) in named.items()}
        records = captioned_records(captions, partial(self._place, VideosBelow(self.root), suffixed), self.tally)
        if not records:
            raise InputError(f"{self.caption_file}: all captions are empty.")
        return DatasetIndex((), self._divide(records, {video_id: split for video_id, (split, _) in splits.items()}))

    def _place(self, videos: VideosBelow, named: Mapping[str, str], video_id: str) -> Path:
        """The file of a video; of a missing one where it would be.

        Args:
            videos: below the root.
            named: of a video the file's name, where the captions say its suffix.
            video_id: which video.

        Raises:
            InputError: when it may be several files.
        """
        folder, slash, stem = video_id.rpartition("/")
        path = videos.find(f"{folder}{slash}{named.get(video_id, stem)}", str(self.caption_file))
        return path or self.root / folder / named.get(video_id, f"{stem}.mp4")

    def _agree(self, row: CaptionRow, now: str, before: str, entry: str) -> None:
        if now != before:
            raise InputError(
                f"{self.caption_file}, {row.entry}: {row.video} is {now} here and {before} on {entry}; a video has one "
                "file and one split."
            )

    def _divide(
        self, records: Sequence[CaptionedRecord], named: Mapping[str, Split]
    ) -> dict[Split, list[CaptionedRecord]]:
        """Give every video a split: the one it names, or one by chance where the data names none."""
        splits: dict[str, Split] = {record.video_id: named.get(record.video_id, "train") for record in records}
        # Sorted: neither the order of the rows nor the kind of the file changes the division.
        free = sorted(video_id for video_id, split in splits.items() if split == "train")
        for split, held_out in self.division.held_out(free, set(splits.values())).items():
            splits.update(dict.fromkeys(held_out, split))
        if "train" not in splits.values():
            raise InputError(f"{self.caption_file}: no video is left for training.")
        return {split: [record for record in records if splits[record.video_id] == split] for split in SPLITS}
