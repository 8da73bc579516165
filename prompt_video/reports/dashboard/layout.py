"""What stands where on an experiment's dashboard, in plain values: sections of panels, each naming what runs log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from prompt_video.reports.dashboard.items import CONFUSION_COLUMNS
from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.localization import LocalizationTask
from prompt_video.tasks.multi_label import MultiLabelTask
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.tasks.retrieval import RetrievalTask


@dataclass(frozen=True)
class Panel:
    """One panel.

    Args:
        kind: ``line`` over the steps of training, ``bar`` of last values, ``table``, or a chart of a table's columns.
        title: above it; a table has its key there.
        keys: of what is logged; one where it is a table.
        columns: of a chart: those of the table that it draws.
    """

    kind: Literal["line", "bar", "table", "confusion", "scatter"]
    title: str
    keys: tuple[str, ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """Panels below one heading."""

    name: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Shape:
    """How an experiment's tests are made up, as its runs log them.

    Args:
        tests: their names; the only one is called ``test``.
        together: figures of all tests together, such as ``test/hm``.
        has_val: there are validation videos.
        has_trials: the protocol has several trials, of which means are logged and no single video.
        has_prompts: vectors are learned around texts.
    """

    tests: tuple[str, ...] = ("test",)
    together: tuple[str, ...] = ()
    has_val: bool = True
    has_trials: bool = False
    has_prompts: bool = True


# Of each task: curves by title, then figures of a test, which have the zero-shot model's beside them.
_CURVES: dict[type[VideoTextTask], dict[str, tuple[str, ...]]] = {
    MultiLabelTask: {
        "loss": ("train/loss", "val/loss"),
        "mAP over classes": ("val/map",),
        "F1 of all answers": ("val/f1",),
        "best class is shown": ("train/top1",),
    },
    RecognitionTask: {
        "loss": ("train/loss", "val/loss"),
        "top-1 accuracy": ("train/top1", "val/top1"),
        "validation accuracy": ("val/top1", "val/top5", "val/mean_class"),
    },
    LocalizationTask: {
        "loss": ("train/loss",),
        "loss of the detector": tuple(f"train/detector_{p}" for p in ("action", "segment", "refinement", "quality")),
        "mAP, mean over tIoUs": ("val/clip_only/map_avg", "val/clip_only/frozen_map_avg"),
        "top-1 accuracy of segments": ("train/top1",),
        "proposals": ("val/proposals/auc", "val/proposals/ar@10", "val/proposals/ar@100"),
    },
    RetrievalTask: {
        "loss": ("train/loss",),
        "R@1": ("train/r@1", "val/t2v/r@1", "val/v2t/r@1"),
        "median rank": ("val/t2v/median_rank", "val/v2t/median_rank"),
    },
}
_FIGURES: dict[type[VideoTextTask], dict[str, tuple[str, ...]]] = {
    MultiLabelTask: {"mAP over classes": ("map", "frozen_map"), "F1 of all answers": ("f1",)},
    RecognitionTask: {"top-1 accuracy": ("top1", "frozen_top1"), "other accuracies": ("top5", "mean_class")},
    LocalizationTask: {
        "mAP": tuple(f"clip_only/{name}map_avg" for name in ("", "frozen_")),
        "proposals": ("proposals/auc", "proposals/ar@10", "proposals/ar@100"),
    },
    RetrievalTask: {
        f"{words}: {title}": tuple(f"{direction}/{kind}{figure}" for kind in ("", "frozen_"))
        for direction, words in (("t2v", "text to video"), ("v2t", "video to text"))
        for figure, title in (("r@1", "R@1"), ("r@5", "R@5"), ("median_rank", "median rank"))
    },
}
_CLASSES: dict[type[VideoTextTask], tuple[str, str]] = {  # columns of the table of classes: frozen, learned
    MultiLabelTask: ("frozen_average_precision", "average_precision"),
    RecognitionTask: ("frozen_accuracy", "accuracy"),
    LocalizationTask: ("frozen", "clip_only"),
}


def layout(task: type[VideoTextTask], shape: Shape) -> list[Section]:
    """The sections of an experiment's dashboard, those with nothing in them left out.

    Args:
        task: of the experiment.
        shape: of its tests.
    """
    kind = next(known for known in _CURVES if issubclass(task, known))
    places = ["test" if name == "test" else f"test/{name}" for name in shape.tests]
    curves = {} if shape.has_trials else _CURVES[kind]
    lines = {
        title: tuple(k for k in keys if shape.has_val or not k.startswith("val/")) for title, keys in curves.items()
    }
    figures = {
        title: tuple(f"{place}/{figure}" for place in places for figure in names)
        for title, names in _FIGURES[kind].items()
    }
    together = [Panel("bar", "all tests together", shape.together)] if shape.together else []
    splits = ("train", *(["val"] if shape.has_val else []), *shape.tests)
    health = [Panel("bar", "videos that could not be used", tuple(f"broken/{split}" for split in splits))]
    if not shape.has_trials:
        health.insert(0, Panel("line", "share of time spent waiting for data", ("data_wait",)))
    sections = [
        Section("Curves", [Panel("line", title, keys) for title, keys in lines.items() if keys]),
        Section("Test", [*together, *(Panel("bar", title, keys) for title, keys in figures.items())]),
    ]
    if shape.has_trials:
        sections.append(Section("Trials", [_table("trials")]))
    else:
        sections += _of_videos(kind, shape)
    return [section for section in (*sections, Section("Health", health)) if section.panels]


def _of_videos(kind: type[VideoTextTask], shape: Shape) -> list[Section]:
    """What a single test shows of its classes, videos and prompts."""
    classes = []
    if kind is RecognitionTask:
        classes = [
            Panel("confusion", f"confusion, {name}", (f"confusion/{name}_table",), CONFUSION_COLUMNS)
            for name in shape.tests
        ]
    if kind in _CLASSES:
        of_table = ("tables/classes",)
        classes += [Panel("scatter", "classes: learned over zero-shot", of_table, _CLASSES[kind]), _table(*of_table)]
    retrieval = [_table("retrieval/hits"), _table("retrieval/misses")] if kind is RetrievalTask else []
    return [
        Section("Classes", classes),
        Section("Videos", [_table("tables/videos")]),
        Section("Timelines", [_table("tables/timelines")] if kind is LocalizationTask else []),
        Section("Retrieval", retrieval),
        Section("Prompts", [_table("tables/prompt_words")] if shape.has_prompts else []),
    ]


def _table(key: str) -> Panel:
    return Panel("table", key, (key,))
