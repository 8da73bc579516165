"""How batches reach the device that computes."""

import os
import tempfile
from typing import TypedDict

import torch

from data_modules.errors import InputError

DECODERS = 2  # processes, where frames are decoded and nobody asked for another number
BATCHES_AHEAD = 4  # of stored features, which are small, for each worker; of frames torch's own 2 fill the memory
# Of the folder for temporary files, where processes that load data hand tensors over by sockets: these may have 107 in
# all. With more a tensor is lost without an error.
MOST_TEMPORARY_BYTES = 75


class LoaderOptions(TypedDict, total=False):
    """Those of `torch.utils.data.DataLoader` that depend on where batches go."""

    num_workers: int
    persistent_workers: bool
    pin_memory: bool
    prefetch_factor: int


def loader_options(
    device: torch.device | None, num_workers: int | None, *, stored: bool = False, persistent: bool = False
) -> LoaderOptions:
    """Options of a run's data loader: its workers and, for a GPU, page-locked memory and more batches ahead.

    A copy from page-locked memory goes on beside the computation: see `VideoDataModule.transfer_batch_to_device`.

    Args:
        device: that computes; None: it is not known.
        num_workers: processes that load data; 0 loads in the main process. None: some where frames are decoded and for
            a GPU, and none for stored features on a CPU, which are read in less time than a process hands them over.
        stored: batches hold stored features rather than frames.
        persistent: workers live on from one epoch to the next.

    Raises:
        InputError: when the path of the folder for temporary files is too long for such processes.
    """
    on_gpu = device is not None and device.type == "cuda"
    if num_workers is None:
        num_workers = 0 if stored and not on_gpu else DECODERS
    temporary = tempfile.gettempdir()
    if num_workers and len(os.fsencode(temporary)) > MOST_TEMPORARY_BYTES:
        raise InputError(
            f"the folder for temporary files, {temporary}, has too long a path for processes that load data: "
            f"set TMPDIR to one of {MOST_TEMPORARY_BYTES} letters or fewer, such as /tmp."
        )
    options = LoaderOptions(num_workers=num_workers)
    if num_workers and persistent:
        options["persistent_workers"] = True
    if on_gpu:
        options["pin_memory"] = True
        if stored and num_workers:
            options["prefetch_factor"] = BATCHES_AHEAD
    return options
