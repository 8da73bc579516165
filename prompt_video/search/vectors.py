"""All vectors of an index, memory-mapped, and those nearest to a query, by one product with every one of them.

Of a million spans, some thousand hours of video, that takes a quarter of a second on two cores.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from data_modules.features.store import FeatureStore

# Converted to float32 at a time. They stay in a core's cache: the whole conversion then costs about as much as reading.
BLOCK_BYTES = 2 << 20
PIECE_ROWS = 16384  # searched by one thread at a time

Scores = Float[Tensor, "Q K"]
Rows = Int[Tensor, "Q K"]
Piece = tuple[int, int]  # shard and first row in it
Nearest = tuple[Scores, Rows]


class Vectors:
    """The rows of a store as one long list.

    Args:
        store: of unit vectors.

    Raises:
        InputError: a shard is damaged.
    """

    def __init__(self, store: FeatureStore) -> None:
        self.dim = store.recipe.dim
        self.video_ids: list[str] = []
        self._features: list[Tensor] = []
        self._times_sec: list[np.ndarray] = []
        indices = [torch.empty(0, dtype=torch.int32)]
        for shard in store.shards():
            video_index = np.full(len(shard.features), -1, np.int32)
            for number, (start, count) in enumerate(zip(shard.starts.tolist(), shard.counts.tolist(), strict=True)):
                video_index[start : start + count] = len(self.video_ids) + number
            self.video_ids += shard.video_ids
            self._features.append(torch.from_numpy(shard.features))
            self._times_sec.append(shard.times_sec)
            indices.append(torch.from_numpy(video_index))
        lengths = [len(features) for features in self._features]
        self._starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self._video_index = torch.cat(indices)  # of each row; -1 where it belongs to no video any more

    def __len__(self) -> int:
        """Rows that belong to a video."""
        return int((self._video_index >= 0).sum())

    def of(self, row: int) -> tuple[str, float]:
        """The video of a row, and its time in seconds."""
        shard = int(np.searchsorted(self._starts, row, side="right")) - 1
        time_sec = float(self._times_sec[shard][row - self._starts[shard]])
        return self.video_ids[int(self._video_index[row])], time_sec

    def nearest(self, queries: Float[Tensor, "Q D"], count: int) -> Nearest:
        """The rows with the greatest product, best first: so many, or all that there are.

        Args:
            queries: unit vectors.
            count: of each query.
        """
        columns = queries.T.contiguous()
        pieces = [
            (number, first) for number, own in enumerate(self._features) for first in range(0, len(own), PIECE_ROWS)
        ]
        parts = _each_on_one_thread(lambda piece: self._nearest_of(*piece, columns, count), pieces)
        best, order = torch.cat([scores for scores, _ in parts], 1).sort(descending=True, stable=True)
        rows = torch.cat([rows for _, rows in parts], 1).gather(1, order)
        count = min(count, len(self))
        return best[:, :count], rows[:, :count]

    def _nearest_of(self, shard: int, first: int, columns: Float[Tensor, "D Q"], count: int) -> tuple[Scores, Rows]:
        """Of one piece of one shard."""
        features = self._features[shard][first : first + PIECE_ROWS]
        start = int(self._starts[shard]) + first
        scores = torch.empty(columns.shape[1], len(features))
        for place, block in _blocks(features):
            scores[:, place : place + len(block)] = (block @ columns).T
        scores.masked_fill_(self._video_index[start : start + len(features)] < 0, -torch.inf)
        best, rows = scores.topk(min(count, len(features)))
        return best, rows + start

    def stored(self) -> Sequence[Float[Tensor, "M D"]]:
        """All vectors, shard by shard, as they lie on disk."""
        return self._features


def _each_on_one_thread(call: Callable[[Piece], Nearest], pieces: Sequence[Piece]) -> list[Nearest]:
    """The results of all pieces, in order, as many at a time as torch may use threads.

    Not several threads on each product: they would wait for one another thousands of times, for long on a busy machine.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(call, pieces))
    finally:
        torch.set_num_threads(threads)  # threads that start later are given the newest number


def _blocks(features: Float[Tensor, "M D"]) -> Iterator[tuple[int, Float[Tensor, "B D"]]]:
    num_rows = max(1, BLOCK_BYTES // (4 * features.shape[1]))
    buffer = torch.empty(min(num_rows, len(features)), features.shape[1])
    for first in range(0, len(features), num_rows):
        part = features[first : first + num_rows]
        yield first, buffer[: len(part)].copy_(part)
