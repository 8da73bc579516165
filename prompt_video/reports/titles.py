"""What people call the figures and methods that files name in short."""

import re
from typing import Literal

from prompt_video.reports.tables import Column

# In the order in which rows stand: what is frozen, what learns little, then the others.
METHODS = {
    "frozen_clip": "zero-shot, bare names",
    "frozen_templates": "zero-shot, templates",
    "descriptions": "class descriptions",
    "descriptions_in_order": "class descriptions in order",
    "linear_probe": "linear probe",
    "text_probe": "linear probe from texts",
    "linear_adapter": "linear adapter",
    "cache": "cache of examples",
    "query_weighted": "query-weighted frames",
    "prompts": "prompts",
    "descriptions_prompts": "prompts + class descriptions",
    "temporal": "temporal encoder",
    "prompts_temporal": "prompts + temporal",
    "prompts_temporal_inside": "prompts + temporal inside proposals",
    "regularized": "prompts + temporal, regularized",
    "as_released": "prompts + temporal, as released",
}
_FIGURES = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_class": "mean over classes",
    "ece": "calibration error",
    "ece_before": "calibration error before",
    "auroc": "AUROC",
    "fpr95": "FPR95",
    "bank_auroc": "AUROC",
    "bank_fpr95": "FPR95",
    "hm": "harmonic mean",
    "hm_all": "harmonic mean",
    "map": "mAP",
    "f1": "F1",
    "map_avg": "average",
    "auc": "area under curve",
    "median_rank": "median rank",
    "mean_rank": "mean rank",
    "loss": "loss",
}
_GROUPS = {
    "clip_only": "mAP at overlap",
    "with_external": "mAP at overlap, with outside scores",
    "t2v": "text to video",
    "v2t": "video to text",
    "proposals": "proposals: average recall at",
}
_OWN, _ALL = "top-1 among own names", "top-1 among all names"
_NONE, _NONE_BANK = "none of these", "none of these, by the bank"
_SETTINGS = {
    "num_prefix": "vectors before",
    "num_suffix": "vectors behind",
    "num_layers": "temporal layers",
    "shots": "videos of a class",
    "lr": "learning rate",
}
_STAGES = {"train": "on the training split", "val": "on the validation split"}


def method_title(name: str) -> str:
    """A method in words; of one's own, the words of its name."""
    return METHODS.get(name, name.replace("_", " "))


def setting_title(name: str) -> str:
    """A setting in words: ``temporal layers``."""
    last = short_name(name)
    return _SETTINGS.get(last, last.replace("_", " "))


def short_name(setting: str) -> str:
    """The last part of its name that says something: ``num_layers``, and ``prompt`` of its arguments."""
    return next((part for part in reversed(setting.split(".")) if part != "init_args"), setting)


def method_order(name: str) -> tuple[int, str]:
    """Where the rows of a method stand, see `METHODS`; unknown ones by name behind the known."""
    known = list(METHODS)
    return (known.index(name) if name in known else len(known), name)


def column_of(key: str) -> Column:
    """The column of a figure of a test, as results name it: ``test/t2v/r@1``."""
    place, _, figure = key.removeprefix("test/").rpartition("/")
    is_rank, is_loss = figure.endswith("rank"), figure.endswith("loss")
    if figure == "videos":
        return Column("videos", group=place.replace("_", " "), decimals=0)
    is_lower = is_rank or is_loss or "ece" in figure or figure.endswith("fpr95")
    better: Literal["higher", "lower"] = "lower" if is_lower else "higher"
    title, group = _title(figure), _GROUPS.get(place, place)
    if figure.startswith("hm"):
        group = _ALL if figure.endswith("_all") else _OWN
    elif (half := place.removesuffix("_all")) in ("base", "novel") and figure == "top1":
        title, group = half, _ALL if place.endswith("_all") else _OWN
    elif figure.endswith(("auroc", "fpr95")):
        group = _NONE_BANK if figure.startswith("bank_") else _NONE
    elif place and place not in _GROUPS:
        test, _, kind = place.rpartition("/")  # of one of several tests
        group = f"{test.replace('_', ' ')}: {_GROUPS[kind]}" if kind in _GROUPS else place.replace("_", " ")
    return Column(title, "" if is_rank or is_loss else "%", better, group)


def title_of(key: str) -> str:
    """A logged figure as the title of a plot: ``val/top1`` is ``top-1 on the validation split``."""
    stage, _, name = key.partition("/")
    column = column_of(name)
    if key == "train/loss":
        return "training loss"
    words = f"{column.group.removesuffix(' at overlap')}: {column.title}" if column.group else column.title
    return f"{words.replace('mAP: average', 'mAP, average')} {_STAGES.get(stage, stage)}"


def begun(title: str) -> str:
    """A title with a capital letter in front, but for ``mAP``."""
    return title if title[1:2].isupper() else title[:1].upper() + title[1:]


def _title(figure: str) -> str:
    if found := re.fullmatch(r"(map|ar)@([\d.]+)", figure):
        return found[2]
    return _FIGURES.get(figure, figure.upper() if re.fullmatch(r"r@\d+", figure) else figure.replace("_", " "))
