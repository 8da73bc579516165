"""Seeded draws of videos, class by class."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from data_modules.batch import Record
from data_modules.protocols.trial import Subset


def draw_by_class(subset: Subset, count: Callable[[int], int], *seeds: int) -> Subset:
    """Some videos of every class, in the order of the subset.

    What is drawn of one class depends on the seeds and on that class's own videos only, not on the other classes.

    Args:
        subset: where from.
        count: videos to draw of a class, given how many it has.
        seeds: of the draw.
    """
    by_class: dict[int, list[Record]] = defaultdict(list)
    for record in subset.records:
        if record.targets:
            by_class[record.targets[0]].append(record)  # one class a video, so that none is drawn twice
    chosen: set[str] = set()
    for target, records in by_class.items():
        order = np.random.default_rng((*seeds, target)).permutation(len(records))
        chosen.update(records[index].video_id for index in order[: count(len(records))])
    return Subset(subset.class_names, tuple(record for record in subset.records if record.video_id in chosen))


def draw_any(subset: Subset, count: Callable[[int], int], *seeds: int) -> Subset:
    """Some videos of a subset that knows no classes, in its order; as `draw_by_class` with a single class."""
    order = np.random.default_rng((*seeds, 0)).permutation(len(subset.records))
    chosen = sorted(order[: count(len(subset.records))].tolist())
    return Subset(subset.class_names, tuple(subset.records[index] for index in chosen))


def draw_names(class_names: Sequence[str], count: int, *seeds: int) -> tuple[str, ...]:
    """Some class names, in their order."""
    order = np.random.default_rng(seeds).permutation(len(class_names))
    return tuple(class_names[index] for index in sorted(order[:count]))


def first_of_class(subset: Subset, count: int) -> Subset:
    """The first videos of every class, in the order of the subset."""
    taken: dict[int, int] = defaultdict(int)
    kept: list[Record] = []
    for record in subset.records:
        if any(taken[target] < count for target in record.targets):
            kept.append(record)
            for target in record.targets:
                taken[target] += 1
    return Subset(subset.class_names, tuple(kept))
