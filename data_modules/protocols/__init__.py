"""Protocols: which videos and which class names train a model, and which test it."""

from data_modules.protocols.base_to_novel import BaseToNovel
from data_modules.protocols.by_list import ByList
from data_modules.protocols.closed_set import ClosedSet
from data_modules.protocols.cross_dataset import CrossDataset
from data_modules.protocols.few_shot import FewShot
from data_modules.protocols.folds import Folds
from data_modules.protocols.open_set import OpenSet
from data_modules.protocols.protocol import Protocol
from data_modules.protocols.random_halves import RandomHalves
from data_modules.protocols.rejection import Rejection

__all__ = [
    "BaseToNovel",
    "ByList",
    "ClosedSet",
    "CrossDataset",
    "FewShot",
    "Folds",
    "OpenSet",
    "Protocol",
    "RandomHalves",
    "Rejection",
]
