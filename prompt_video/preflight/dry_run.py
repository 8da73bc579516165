"""A miniature of an experiment's data: the layout of the real data set, made-up videos, a few of a few classes."""

import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_modules.batch import Record, UntrimmedRecord
from data_modules.data_sets.video_folder import VideoFolder
from data_modules.errors import InputError
from data_modules.files.json_files import write_json
from data_modules.modules.base import VideoDataModule
from data_modules.modules.captioned import CaptionedDataModule
from data_modules.modules.untrimmed import UntrimmedDataModule
from data_modules.synthetic.annotation_fixtures import write_annotations
from data_modules.synthetic.video_fixtures import SCENES, SLOW_RATE, Action, long_video, video
from data_modules.synthetic.world import World
from prompt_video.experiment.settings import SettingsCLI, read_settings
from prompt_video.experiment.tables.plan import Plan

log = logging.getLogger(__name__)

MARKER = ".made_by_dry_run"
LIMIT = {"trials": 2, "classes": 3, "videos": 2}
LIMIT_OF_LONG = {"trials": 2, "classes": 3, "videos": 1}  # each is minutes long
SMALL_BATCH = 4  # where batches must be full
FOLDER_VIDEOS = 30  # of each class of a folder: enough for the usual fractions, and for 16 shots
SMALL = (
    "--data.batch_size=4",
    "--data.num_workers=0",
    "--model.backbone=tiny",
    "--model.backbone_dtype=float32",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.num_nodes=1",
    "--trainer.strategy=auto",
    "--trainer.precision=32-true",
    "--trainer.max_epochs=1",
    "--wandb=disabled",
    "--choose=null",  # from a miniature nothing can be held out
)
OPTIONS = "options.json"  # of a table's miniature, once it is whole
# Of the user's, where a data set has such options.
NO_LISTS: Mapping[str, Any] = {"annotations": None, "labels": None, "captions": None, "also_right": None}


def open_folder(folder: Path) -> None:
    """An empty folder, marked as ours.

    Raises:
        InputError: when something else is in it.
    """
    if folder.exists() and not (folder / MARKER).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} was not made by a dry run, and is left alone; name another --out.")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def dry_run_options(settings: SettingsCLI, folder: Path) -> list[str]:
    """The options that make a run of an experiment small, behind its own; writes the data that it then takes.

    Args:
        settings: of the experiment.
        folder: for all that the run leaves.
    """
    features = settings.settings["data"]["init_args"]["features"]
    options = [*SMALL, *make_miniature(settings, folder / "data"), f"--data.features_root={folder / 'features'}"]
    return [*options, f"--name={settings.name}", *([] if features == "off" else ["--data.features=auto"])]


def on_miniatures(plan: Plan, folder: Path) -> Plan:
    """A table that takes made-up data; what was made for it before is taken again, so that it can go on.

    Args:
        plan: of the table.
        folder: for the data, one folder for each experiment.
    """
    rows = []
    for row in plan.rows:
        own = [option for option in row.options if option.startswith(("--config", "--data"))]
        settings = read_settings(list(row.options))
        place = folder / "_".join([Path(str(settings.settings["config"][0])).stem, *map(_word, own[1:])])
        known = place / OPTIONS
        if not known.is_file():
            open_folder(place)
            write_json(known, dry_run_options(settings, place))
        small = [option for option in json.loads(known.read_text()) if not option.startswith("--name=")]
        rows.append(replace(row, options=[*row.options, *small]))
    log.info("DRY RUN of %s on made-up videos in %s and the tiny CLIP: its figures are no results", plan.name, folder)
    return replace(plan, title=f"DRY RUN, no results. {plan.title}", rows=rows)


def _word(option: str) -> str:
    return re.sub(r"[^\w.]+", "_", option.removeprefix("--data.")).strip("_")[:60]


def make_miniature(settings: SettingsCLI, folder: Path) -> list[str]:
    """Write the data that an experiment needs at the least.

    Args:
        settings: of the experiment.
        folder: where to; every data set becomes a folder in it.

    Returns:
        The options that make the experiment use it.
    """
    options = settings.settings["data"]["init_args"]
    changes = _changes(options, folder)
    if settings.settings["data"]["class_path"].endswith("CaptionedFolder"):
        changes["captions"] = Path(Path(options["captions"]).name)  # it has no captions but its file's
    others = []
    for number, other in enumerate(options.get("test_on") or [], start=1):
        arguments = {**other["init_args"].as_dict(), **_changes(other["init_args"], folder / f"test_on_{number}")}
        others.append({"class_path": other["class_path"], "init_args": arguments})
    changes |= {"limit": LIMIT, "trial": None}
    if options.get("drop_last"):
        changes["batch_size"] = SMALL_BATCH
    if "test_on" in options:
        changes["test_on"] = others or None
    if isinstance(settings.data(**changes), UntrimmedDataModule):
        changes |= {"limit": LIMIT_OF_LONG, "frame_rate": SLOW_RATE}
    _write(settings.data(**changes))
    return [
        f"--data.{name}={value if isinstance(value, Path) else json.dumps(value, default=str)}"
        for name, value in changes.items()
    ]


def _changes(options: Any, folder: Path) -> dict[str, Any]:  # noqa: ANN401 - a namespace of the configuration
    root = folder / Path(options["root"]).name
    return {"root": root, **{name: value for name, value in NO_LISTS.items() if name in options}}


def _write(data: VideoDataModule) -> None:
    for module in (data, *data.test_on):
        module.root.mkdir(parents=True, exist_ok=True)
        if isinstance(module, VideoFolder):
            _fill_folder(module)
        else:
            write_annotations(module)
    scenes: dict[str, int] = {}
    for name, record in _records(data):
        if not record.path.exists():
            record.path.parent.mkdir(parents=True, exist_ok=True)
            suffix = record.path.suffix.lower()
            if isinstance(record, UntrimmedRecord):
                record.path.write_bytes(_long_video(record, suffix))
            else:
                scene = scenes.setdefault(name, len(scenes)) % len(SCENES)
                record.path.write_bytes(video(scene, suffix))


def _fill_folder(data: VideoFolder) -> None:
    labels = [*data.renamed, *(f"class_{letter}" for letter in "abc")]
    for number, label in enumerate(labels):
        (data.root / label).mkdir(parents=True)
        for copy in range(FOLDER_VIDEOS):
            (data.root / label / f"{copy}.mp4").write_bytes(video(number % len(SCENES), ".mp4"))


def _records(data: VideoDataModule) -> Iterator[tuple[str, Record]]:
    """Class name and record of every video that is needed; what is long or has captions is its own class.

    Of a world that is all there is: it would render what is missing, wanted or not.
    """
    if isinstance(data, UntrimmedDataModule | CaptionedDataModule):
        # As the data set lists them: what a trial hides is to be seen in its videos too.
        needed = {record.video_id for records in data.videos().values() for record in records}
        for module in (data, *data.test_on):
            whole = isinstance(module, World)
            yield from ((r.video_id, r) for r in _listed(module) if whole or r.video_id in needed)
        return
    for trial in data.trials:
        for subset in trial.subsets.values():
            yield from ((_name(subset.class_names, record), record) for record in subset.records)
    for module in (data, *data.test_on):
        if isinstance(module, World):
            yield from ((_name(module.dataset_index.class_names, record), record) for record in _listed(module))


def _name(class_names: Sequence[str], record: Record) -> str:
    """Of the first class that it shows; none where it shows no candidate."""
    return class_names[record.targets[0]] if record.targets else ""


def _listed(data: VideoDataModule) -> Iterator[Record]:
    return (record for records in data.dataset_index.records.values() for record in records)


def _long_video(record: UntrimmedRecord, suffix: str) -> bytes:
    """As long as the real one, and something is to be seen wherever something is annotated."""
    actions = [Action(s.start_sec, s.end_sec, s.target % len(SCENES)) for s in record.segments]
    duration_sec = record.duration_sec or max((action.end_sec for action in actions), default=1.0)
    return long_video(duration_sec, actions, suffix)
