"""Average precision of detections against the official algorithm written as plain loops, at ActivityNet's size.

4,926 videos with 100 proposals each, 7,654 instances of 200 classes, ten tIoU thresholds; nothing is drawn from real
data. Once each proposal has one label, most often that of its video; once each has every class, 98.5 million
detections in all, of which a few classes are measured: time and work are proportional to their number.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float, Int

from prompt_video.bench.measure import interleaved
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.metrics.average_precision import average_precision
from prompt_video.metrics.tables import ACTIVITYNET_TIOUS, Detections, Truth, video_number

NUM_VIDEOS, NUM_PROPOSALS, NUM_CLASSES, NUM_TRUTH = 4926, 100, 200, 7654
MEASURED = 4  # classes of those where each proposal has all


def run(setting: Setting, num_videos: int, rounds: int) -> Figures:
    """How many times faster ours is, for each of the two; both give the same figures.

    Args:
        setting: where.
        num_videos: the instances are fewer in proportion.
        rounds: in which the two are timed.
    """
    results: Figures = {"videos": float(num_videos)}
    sizes = {"one_label": (one_label, NUM_CLASSES), "every_class": (every_class, MEASURED)}
    for name, (make, num_classes) in sizes.items():
        detections, truth = make(num_videos)
        found: dict[str, Float[np.ndarray, "K L"]] = {}
        calls: dict[str, Callable[[], object]] = {
            "ours": partial(_keep, found, "ours", average_precision, detections, truth, num_classes, ACTIVITYNET_TIOUS),
            "loops": partial(_keep, found, "loops", average_precision_by_loops, detections, truth, num_classes),
        }
        seconds = interleaved(calls, rounds)
        assert np.allclose(found["ours"], found["loops"], rtol=0, atol=1e-9), "the figures are not the same"
        results[f"{name}_speedup"] = seconds["loops"] / seconds["ours"]
        results[f"{name}_seconds"] = seconds["ours"]
        results[f"{name}_map_avg"] = float(found["ours"].mean())
    return results


MEASUREMENTS = (
    Measurement(
        run,
        (
            Size(f"{NUM_VIDEOS:,} videos", 1500, 150, {"num_videos": NUM_VIDEOS, "rounds": 3}),
            Size("300 videos", 700, 8, {"num_videos": 300, "rounds": 3}, quick=True),
        ),
        on="host",
    ),
)


def _keep(
    found: dict[str, Float[np.ndarray, "K L"]], name: str, call: Callable[..., np.ndarray], *arguments: object
) -> None:
    found[name] = call(*arguments)


def one_label(num_videos: int) -> tuple[Detections, Truth]:
    """Each proposal under one label; three of four under that of its video."""
    truth, labels, segments, rng = _world(num_videos)
    own = np.repeat(labels, NUM_PROPOSALS)
    guess = np.where(rng.random(len(own)) < 0.75, own, rng.integers(NUM_CLASSES, size=len(own)))
    return _detections(num_videos, segments, guess, rng), truth


def every_class(num_videos: int) -> tuple[Detections, Truth]:
    """Each proposal under each of the measured classes."""
    truth, _, segments, rng = _world(num_videos)
    guess = np.tile(np.arange(MEASURED), num_videos * NUM_PROPOSALS)
    measured = truth.label < MEASURED
    detections = _detections(num_videos, segments.repeat(MEASURED, 0), guess, rng)
    return detections, Truth(*(column[measured] for column in truth))


def _world(num_videos: int) -> tuple[Truth, Int[np.ndarray, " V"], Float[np.ndarray, "N 2"], np.random.Generator]:
    """Ground truth, the label of each video, and segments of proposals: some near an instance, most of them not."""
    rng = np.random.default_rng(0)
    videos = _video_numbers(num_videos)
    labels = np.arange(num_videos) % NUM_CLASSES
    num_truth = NUM_TRUTH * num_videos // NUM_VIDEOS
    place = np.concatenate([np.arange(num_videos), rng.integers(num_videos, size=num_truth - num_videos)])
    instances = _segments(num_truth, rng)
    segments = _segments(num_videos * NUM_PROPOSALS, rng)
    near = np.arange(num_truth).repeat(10)
    rows = place[near] * NUM_PROPOSALS + rng.integers(NUM_PROPOSALS, size=len(near))
    segments[rows] = np.sort(instances[near] + rng.normal(0, 5, (len(near), 2)))
    return Truth(videos[place], labels[place], instances), labels, segments, rng


def _segments(count: int, rng: np.random.Generator) -> Float[np.ndarray, "N 2"]:
    return np.sort(rng.random((count, 2)) * 120)


def _detections(
    num_videos: int, segments: Float[np.ndarray, "N 2"], label: Int[np.ndarray, " N"], rng: np.random.Generator
) -> Detections:
    videos = _video_numbers(num_videos).repeat(len(segments) // num_videos)
    return Detections(videos, label, segments, rng.random(len(segments)))


def _video_numbers(num_videos: int) -> Int[np.ndarray, " V"]:
    return np.array([video_number(str(number)) for number in range(num_videos)])


def average_precision_by_loops(detections: Detections, truth: Truth, num_classes: int) -> Float[np.ndarray, "K L"]:
    """The official algorithm, class by class and detection by detection; every class needs ground truth."""
    return np.stack([_of_class(detections, truth, label, ACTIVITYNET_TIOUS) for label in range(num_classes)])


def _of_class(detections: Detections, truth: Truth, label: int, tious: Sequence[float]) -> Float[np.ndarray, " L"]:
    by_video: dict[int, list[Float[np.ndarray, " 2"]]] = {}
    for row in np.flatnonzero(truth.label == label):
        by_video.setdefault(int(truth.video[row]), []).append(truth.segments[row])
    instances = {video: np.stack(own) for video, own in by_video.items()}
    is_free = {video: np.ones((len(tious), len(own)), dtype=bool) for video, own in instances.items()}
    rows = np.flatnonzero(detections.label == label)
    rows = rows[np.argsort(-detections.scores[rows])]
    true, false = (np.zeros((len(tious), len(rows))) for _ in range(2))
    for rank, row in enumerate(rows):
        video = int(detections.video[row])
        if video not in instances:
            false[:, rank] = 1
            continue
        overlaps = _overlaps(detections.segments[row], instances[video])
        best_first = overlaps.argsort()[::-1]
        for number, tiou in enumerate(tious):
            for instance in best_first:
                if overlaps[instance] < tiou:
                    break
                if is_free[video][number, instance]:
                    is_free[video][number, instance] = False
                    true[number, rank] = 1
                    break
            if not true[number, rank]:
                false[number, rank] = 1
    return _area(true, false, len(np.flatnonzero(truth.label == label)))


def _overlaps(segment: Float[np.ndarray, " 2"], others: Float[np.ndarray, "M 2"]) -> Float[np.ndarray, " M"]:
    intersection = (np.minimum(segment[1], others[:, 1]) - np.maximum(segment[0], others[:, 0])).clip(0)
    union = (others[:, 1] - others[:, 0]) + (segment[1] - segment[0]) - intersection
    overlaps: Float[np.ndarray, " M"] = intersection / union
    return overlaps


def _area(true: Float[np.ndarray, "L N"], false: Float[np.ndarray, "L N"], num_truth: int) -> Float[np.ndarray, " L"]:
    """Below the precision over recall, precision being the highest at this recall or more."""
    hits, misses = true.cumsum(1), false.cumsum(1)
    precision = np.maximum.accumulate((hits / (hits + misses))[:, ::-1], axis=1)[:, ::-1]
    recall = np.concatenate([np.zeros((len(hits), 1)), hits / num_truth], axis=1)
    area: Float[np.ndarray, " L"] = (precision * np.diff(recall, axis=1)).sum(1)
    return area
