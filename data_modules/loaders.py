"""How batches reach the device that computes."""

from typing import Any

from lightning.pytorch import Trainer

BATCHES_AHEAD = (
    4  # of stored features, which are small, for each worker; of decoded frames torch's own 2 fill the memory
)


def loader_options(trainer: Trainer | None, num_workers: int, *, stored: bool = False) -> dict[str, Any]:
    """Options of a run's data loader: its workers and, for a GPU, page-locked memory and more batches ahead.

    A copy from page-locked memory goes on beside the computation: see `VideoDataModule.transfer_batch_to_device`.

    Args:
        trainer: of the run; None: no device is known.
        num_workers: processes that load data; 0 loads in the main process.
        stored: batches hold stored features rather than frames.
    """
    options: dict[str, Any] = {"num_workers": num_workers}
    if trainer is not None and trainer.strategy.root_device.type == "cuda":
        options["pin_memory"] = True
        if stored and num_workers:
            options["prefetch_factor"] = BATCHES_AHEAD
    return options
