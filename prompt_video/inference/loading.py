"""`load`: a model for one's own videos and words."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.precision import BackboneDtype, place_of, resolve_backbone_dtype
from prompt_video.inference.detecting import SegmentDetector
from prompt_video.inference.loaded import LoadedModel
from prompt_video.inference.rejecting import rule_of
from prompt_video.model.calibration import Calibration
from prompt_video.model.checkpoints import open_model, read_learned
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.rejection import Rejection
from prompt_video.model.templates import DEFAULT
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel


def load(
    path: str | Path | None = None,
    *,
    backbone: str | None = None,
    device: str | torch.device | None = None,
    backbone_dtype: BackboneDtype = "auto",
    templates: str | Sequence[str] | None = None,
    none_below: float | None = None,
    none_bank: str | None = None,
) -> LoadedModel:
    """Load a model for one's own videos and words.

    Models of one backbone share its weights, however many are loaded.

    Args:
        path: a checkpoint of a run, an imported one, a folder that ``prompt-video export --hub`` wrote, or a model on
            the HuggingFace hub, ``user/model`` or ``user/model@revision``; None: the frozen backbone with hand-written
            templates, nothing learned.
        backbone: its frozen model: a short name, a hub id or a local folder; None: that of training, or ``tiny``.
        device: to compute on; None: a GPU if there is one.
        backbone_dtype: what it computes in, whatever it computed in while the model learned; ``auto``: half precision
            on GPUs, float32 on CPUs.
        templates: hand-written prompts of the frozen backbone: the name of a set, such as ``video``, which is the
            default, or ``clip-kinetics``; a text file with one a line; or the sentences, with ``{}`` where a text goes.
        none_below: confidence, from 0 to 1, below which a video shows none of the candidates; None: as the checkpoint
            says, or with a bank 0.5, or every video shows one of them.
        none_bank: texts that mean something else, see `Rejection`: the name of a list of classes, such as
            ``kinetics700``, or a text file with one a line.

    Raises:
        InputError: when the file is no checkpoint, its backbone is not there or is another one, or there is no such
            device or bank; when a checkpoint is given templates, which it has no use for.
    """
    rule = rule_of(none_below, none_bank)
    place = place_of(device)
    precision = resolve_backbone_dtype(backbone_dtype, place)
    if path is None:
        frozen = _frozen(FrozenBackbone(backbone or "tiny", precision), DEFAULT if templates is None else templates)
        return LoadedModel(frozen.to(place), {}, [], None, rejection=rule)
    if templates is not None:
        raise InputError(
            f"templates are for the frozen backbone, and {path} has prompts of its own; leave out one of them."
        )
    learned = read_learned(Path(path))
    model = open_model(learned, backbone, precision, cut_texts=True).to(place)
    detector = SegmentDetector.of(learned.task, learned.state, model.backbone.embed_dim)
    if detector is not None:
        detector.detector.to(place)
    calibration, kept = Calibration.of(learned.calibration), Rejection.of(learned.rejection)
    return LoadedModel(model, learned.task, list(learned.class_names or []), detector, calibration, rule or kept)


def _frozen(backbone: FrozenBackbone, templates: str | Sequence[str]) -> VideoTextModel:
    """Nothing but the backbone, at its own temperature: hand-written prompts, and frames averaged."""
    prompt = partial(TemplatePrompt, templates=templates, too_long="truncate")
    temporal = partial(TemporalEncoder, num_layers=0, num_heads=1)
    return VideoTextModel(backbone, prompt, temporal, frozen_templates=templates).eval().requires_grad_(False)
