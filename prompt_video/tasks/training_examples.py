"""One look through the training videos, for methods that keep something of them."""

import logging
import time
from collections.abc import Callable

import torch

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.modules.base import VideoDataModule
from data_modules.protocols.trial import Subset
from prompt_video.model.examples import Examples

log = logging.getLogger(__name__)


def examples_in(data: VideoDataModule, of_batch: Callable[[Batch], Examples], device: torch.device) -> Examples:
    """What all training videos show, each looked at once.

    Args:
        data: of one trial, with open feature stores. On several processes each looks through all of them.
        of_batch: vectors and classes of what a batch of videos shows.
        device: where batches go.

    Raises:
        InputError: when no training video could be read.
    """
    started = time.monotonic()
    parts = []
    with torch.no_grad():
        for batch in data.examples_dataloader():
            data.dropped_videos.add("train", batch["broken"])
            if batch["video_id"]:
                parts.append(of_batch(data.transfer_batch_to_device(batch, device, 0)))
    if not sum(len(part.target) for part in parts):
        raise InputError("none of the training videos, which this method keeps, could be read.")
    found = Examples(torch.cat([part.videos for part in parts]), torch.cat([part.target for part in parts]))
    log.info("looked through %d training examples in %.1f s", len(found.target), time.monotonic() - started)
    return found


def shots_of(train: Subset) -> float:
    """Training videos that show a class, on average; 1 where there are no classes."""
    total = sum(len(record.targets) for record in train.records)
    return total / len(train.class_names) if train.class_names else 1.0
