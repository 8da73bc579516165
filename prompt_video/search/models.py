"""The model that videos are indexed with: a checkpoint's, of whatever task, or an experiment's."""

from pathlib import Path

from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.precision import resolve_backbone_dtype
from prompt_video.model.checkpoints import read_learned, restored
from prompt_video.model.embedding import refuse_probe, refuse_weighted
from prompt_video.model.kinds import text_head
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.tasks.base import learned_weights


def model_of_checkpoint(path: Path, backbone: FrozenBackbone | None = None, *, frozen: bool = False) -> VideoTextModel:
    """The model of a run's checkpoint or of an imported one; what a task learns beside it is left out.

    Args:
        path: the checkpoint, a folder of ``export --hub``, or a model on the hub.
        backbone: its backbone; None: from where it was, in the precision that suits the device that a trainer chooses.
        frozen: only the frozen backbone in it will be used.

    Raises:
        InputError: when it is no checkpoint, belongs to another backbone, or its model reads no texts.
    """
    learned = read_learned(path)
    if not frozen:
        refuse_probe(text_head(learned.spec["prompt"]["kind"]))
    name = learned.spec["backbone"]["name"]
    model = restored(learned, backbone or FrozenBackbone(name, resolve_backbone_dtype("auto")))
    if not frozen:
        refuse_weighted(model)
    return model


def untrained(model: VideoTextModel) -> VideoTextModel:
    """A model as an experiment describes it, where there is nothing to learn.

    Raises:
        InputError: when there is, or it reads no texts.
    """
    refuse_probe(type(model.prompt))
    refuse_weighted(model)
    if count := learned_weights(model):
        raise InputError(
            f"the experiment's model has {count:,} learned weights, and without training they are random: name its "
            "checkpoint with --ckpt, or say --frozen to search with the frozen backbone and its hand-crafted templates."
        )
    return model
