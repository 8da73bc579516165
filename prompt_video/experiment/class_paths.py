"""Classes that an experiment file names, looked at before they are imported: whoever imports a module runs it.

jsonargparse imports whatever a ``class_path`` names and asks afterwards whether it is of the kind that a setting takes.
Here the source is read first. A class must be written or imported in the module that is named and, base by base, lead
to a class that is loaded already and of that kind; so one's own subclasses go on working, and nothing else is run.
"""

import sys
from collections.abc import Iterator
from typing import Any

from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins import CheckpointIO, LayerSync, Precision
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.strategies import Strategy
from torch.nn import Module
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from prompt_video.compat import check_before_import
from prompt_video.io.class_sources import is_found, leads_to

# What any setting could ask for.
KINDS = (
    Accelerator, Callback, CheckpointIO, ClusterEnvironment, LayerSync, LightningDataModule, LightningModule, Logger,
    LRScheduler, Module, Optimizer, Precision, Profiler, Strategy,
)  # fmt: skip


class ForeignClassError(ImportError):
    """A class that no setting takes, or not this one; none of it was imported."""


def check_class_path(path: str, kinds: tuple[type, ...] = KINDS) -> None:
    """Refuse what is of none of some kinds, before it is imported.

    Args:
        path: ``package.module.Class``; what is loaded already is left to the parser, as nothing of it runs.
        kinds: classes, one of which it must be or be a subclass of.

    Raises:
        ForeignClassError: when it is none, or its source does not tell.
    """
    if path.rpartition(".")[0] in sys.modules or not all(part.isidentifier() for part in path.split(".")):
        return
    if not leads_to(path, kinds) and not is_found(path):
        raise ForeignClassError(
            f"Python finds no module '{path.partition('.')[0]}': where it is a file of yours, type `PYTHONPATH=FOLDER` "
            "with the folder that it is in before the command."
        )
    if not leads_to(path, kinds):
        wanted = kinds[0].__name__ if len(kinds) == 1 else "class that a setting takes"
        raise ForeignClassError(
            f"there is no {wanted} '{path}' to be seen in its source, and nothing of it was imported: name a subclass "
            "by the module that it is written in."
        )


def subclasses(*bases: type) -> Iterator[Any]:
    """Some classes and all that are derived from them, as far as they are loaded."""
    for base in bases:
        yield base
        yield from subclasses(*base.__subclasses__())


def guard_imports() -> None:
    """Let jsonargparse look before it imports, from now on."""
    check_before_import(check_class_path, check_class_path)
