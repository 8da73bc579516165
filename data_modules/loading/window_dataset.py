"""Windows of untrimmed videos, from a feature store."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from data_modules.batch import Batch, Segment, Span, UntrimmedRecord, WindowColumns
from data_modules.features.store import FeatureStore
from data_modules.loading.dataset import KeyedDataset
from data_modules.loading.sample_keys import SampleKey
from data_modules.loading.windows import Window, Windows
from data_modules.video.timeline import Timeline, tick_starts

SMALLEST_VISIBLE = 0.5  # share of an action that a training window must show for it to count there


class WindowSample(TypedDict):
    """One window of an untrimmed video."""

    features: Float[Tensor, "T D"]  # zero where training may not look
    mask: Bool[Tensor, " T"]  # True: a frame that may be looked at
    window: Window
    video_id: str
    duration_sec: float  # of the whole video
    is_last: bool  # no window of the same video follows
    segments: list[Segment]  # training: the actions that the window shows, cut to it
    ignored_sec: list[Span]  # training: neither action nor background


class WindowDataset(KeyedDataset[WindowSample]):
    """The windows of one subset, video after video.

    In training those windows count that answer for the middle of an action. Frames in stretches that are hidden from
    training are neither read nor marked as real, and actions that reach into them are not trained on.

    Args:
        records: the videos.
        windows: how they are cut.
        store: of their frame features.
        training: draw each window near its place, and say what happens in it.
        seed: of the draws.
    """

    def __init__(
        self, records: Sequence[UntrimmedRecord], windows: Windows, store: FeatureStore, *, training: bool, seed: int
    ) -> None:
        self.records, self.windows, self.store = records, windows, store
        self.training, self.seed = training, seed
        self.places = [(index, window) for index, record in enumerate(records) for window in self._cover(record)]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def videos(self) -> list[int]:
        """Which video each window is of."""
        return [index for index, _ in self.places]

    def __getitems__(self, sample_keys: Sequence[SampleKey]) -> list[WindowSample]:
        """Windows with their stored features, in the order of the keys; in training moved by a draw of their key."""
        chosen = [self._window(sample_key) for sample_key in sample_keys]
        rows = [self._rows(record, window) for record, window in chosen]
        masks = [self._mask(record, window, of) for (record, window), of in zip(chosen, rows, strict=True)]
        requests = [
            (record.video_id, of[mask.numpy()]) for (record, _), of, mask in zip(chosen, rows, masks, strict=True)
        ]
        features = torch.split(self.store.gather(requests), [len(rows) for _, rows in requests])
        return [
            self._sample(record, window, own, mask, self._is_last(index))
            for (_, index), (record, window), own, mask in zip(sample_keys, chosen, features, masks, strict=True)
        ]

    def _cover(self, record: UntrimmedRecord) -> list[Window]:
        """The windows of a video, in their order; in training those that answer for an action."""
        duration_sec, frame_rate, start_sec = self._length(record)
        windows = self.windows.cover(duration_sec, frame_rate, start_sec)
        if not self.training:
            return windows
        segments, _ = trainable(record, duration_sec)
        return [window for window in windows if _answers_for_an_action(window, segments)]

    def _length(self, record: UntrimmedRecord) -> tuple[float, float, float]:
        """Where a video ends, stored frames a second, and where its first frame comes on screen."""
        duration_sec = self.store.duration_sec(record.video_id)
        start_sec = float(self._stands_for(record.video_id)[0][0])
        return duration_sec, self.store.num_frames(record.video_id) / (duration_sec - start_sec), start_sec

    def _window(self, sample_key: SampleKey) -> tuple[UntrimmedRecord, Window]:
        index, window = self.places[sample_key[1]]
        record = self.records[index]
        if not self.training:
            return record, window
        rng = np.random.default_rng((self.seed, *sample_key))
        duration_sec, frame_rate, start_sec = self._length(record)
        return record, self.windows.draw(duration_sec, frame_rate, window, rng, start_sec)

    def _is_last(self, index: int) -> bool:
        return index + 1 == len(self.places) or self.places[index + 1][0] != self.places[index][0]

    def _stands_for(self, video_id: str) -> tuple[Float64[np.ndarray, " N"], Float64[np.ndarray, " N"]]:
        """The time that each stored frame stands for: from, up to."""
        times, frame_rate = self.store.times_sec(video_id), self.store.recipe.frame_rate
        if frame_rate is not None:  # the times are the middles of evenly spaced ticks
            return tick_starts(times, frame_rate), times + 0.5 / frame_rate
        # Every frame of the video: each from when it comes on screen until the next one does.
        ends: Float64[np.ndarray, " N"] = np.append(times[1:], self.store.duration_sec(video_id))
        return times, ends

    def _rows(self, record: UntrimmedRecord, window: Window) -> Int64[np.ndarray, " T"]:
        """The stored frame that stands for the middle of each frame of a window."""
        starts, _ = self._stands_for(record.video_id)
        return Timeline(starts, self.store.duration_sec(record.video_id)).on_screen(window.moments_sec)

    def _mask(self, record: UntrimmedRecord, window: Window, rows: Int64[np.ndarray, " T"]) -> Bool[Tensor, " T"]:
        """Frames that may be looked at: neither they nor what is stored for them reaches into a hidden stretch."""
        if not self.training or not record.hidden_sec:
            return torch.ones(window.num_frames, dtype=torch.bool)
        starts, ends = self._stands_for(record.video_id)
        middles, half = window.moments_sec, window.frame_sec / 2
        hidden = meets(middles - half, middles + half, record.hidden_sec)
        hidden |= meets(starts[rows], ends[rows], record.hidden_sec)
        return torch.from_numpy(~hidden)

    def _sample(
        self, record: UntrimmedRecord, window: Window, read: Tensor, mask: Bool[Tensor, " T"], is_last: bool
    ) -> WindowSample:
        features = read
        if len(read) < window.num_frames:
            features = read.new_zeros(window.num_frames, read.shape[-1])
            features[mask] = read
        duration_sec = self.store.duration_sec(record.video_id)
        segments, ignored = in_window(*trainable(record, duration_sec), window) if self.training else ([], [])
        return WindowSample(
            features=features,
            mask=mask,
            window=window,
            video_id=record.video_id,
            duration_sec=duration_sec,
            is_last=is_last,
            segments=segments,
            ignored_sec=ignored,
        )


class CollateWindows:
    """Windows to a batch, padded to the longest.

    Args:
        subset: of the trial, that every batch names.
        class_names: the candidates that every batch carries.
    """

    def __init__(self, subset: str, class_names: Sequence[str]) -> None:
        self.subset = subset
        self.class_names = list(class_names)

    def __call__(self, samples: Sequence[WindowSample]) -> Batch:
        """Pad features, masks and times to the longest window, and stack them."""
        windows = [sample["window"] for sample in samples]
        return Batch(
            features=pad_sequence([sample["features"] for sample in samples], batch_first=True),
            mask=pad_sequence([sample["mask"] for sample in samples], batch_first=True),
            time_sec=pad_sequence([_column(window.moments_sec) for window in windows], batch_first=True),
            text=self.class_names,
            subset=self.subset,
            target=torch.full((len(samples),), -1),
            video_id=[sample["video_id"] for sample in samples],
            num_views=1,
            broken=[],
            windows=WindowColumns(
                origin_sec=_column([window.origin_sec for window in windows]),
                frame_sec=_column([window.frame_sec for window in windows]),
                duration_sec=_column([sample["duration_sec"] for sample in samples]),
                is_last=[sample["is_last"] for sample in samples],
                own_sec=_spans([window.own_sec for window in windows]),
                segments_sec=[_spans([(s.start_sec, s.end_sec) for s in sample["segments"]]) for sample in samples],
                segment_targets=[
                    torch.tensor([s.target for s in sample["segments"]], dtype=torch.long) for sample in samples
                ],
                ignored_sec=[_spans(sample["ignored_sec"]) for sample in samples],
            ),
        )


def _column(values: Sequence[float] | Float64[np.ndarray, " N"]) -> Float[Tensor, " N"]:
    return torch.as_tensor(values, dtype=torch.float32)


def _spans(values: Sequence[Span]) -> Float[Tensor, "N 2"]:
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 2)


def trainable(record: UntrimmedRecord, duration_sec: float) -> tuple[list[Segment], list[Span]]:
    """The actions of a video that can be trained on, cut to the video; and the stretches that mean nothing.

    Left out are segments that end where they start, or before, or lie outside of the video. Neither action nor
    background is what is ambiguous; what is hidden, since nobody may look whether it is background; and an action that
    reaches into a hidden stretch: the rest of it would be an action in part.

    Args:
        record: of the video.
        duration_sec: of the video itself, whatever the annotation says.
    """
    segments, ignored = [], [*record.ambiguous_sec, *record.hidden_sec]
    for segment in record.segments:
        start, end = max(segment.start_sec, 0.0), min(segment.end_sec, duration_sec)
        if end <= start:
            continue
        if any(start < to and end > since for since, to in record.hidden_sec):
            ignored.append((start, end))
        else:
            segments.append(Segment(start, end, segment.target))
    return segments, ignored


def in_window(segments: Sequence[Segment], ignored: Sequence[Span], window: Window) -> tuple[list[Segment], list[Span]]:
    """What a window shows of them; an action that it shows less than half of is neither action nor background."""
    seen: list[Segment] = []
    unclear = [span for span in ignored if span[0] < window.end_sec and span[1] > window.origin_sec]
    for segment in segments:
        start, end = max(segment.start_sec, window.origin_sec), min(segment.end_sec, window.end_sec)
        if end <= start:
            continue
        if end - start >= SMALLEST_VISIBLE * (segment.end_sec - segment.start_sec):
            seen.append(Segment(start, end, segment.target))
        else:
            unclear.append((start, end))
    return seen, unclear


def meets(
    starts_sec: Float64[np.ndarray, " T"], ends_sec: Float64[np.ndarray, " T"], spans: Sequence[Span]
) -> Bool[np.ndarray, " T"]:
    """Whether each frame, from its start up to its end, has a part in one of the stretches."""
    has_part = np.zeros(len(starts_sec), dtype=bool)
    for since, to in spans:
        has_part |= (starts_sec < to) & (ends_sec > since)
    return has_part


def _answers_for_an_action(window: Window, segments: Sequence[Segment]) -> bool:
    since, to = window.own_sec
    return any(since <= (segment.start_sec + segment.end_sec) / 2 < to for segment in segments)
