"""VideoTextModel: score videos against texts. The page to read first.

    video: frames -> clip.encode_frames -> temporal -> one vector     }
    text:  words  -> prompt -> clip.encode_text     -> one vector     }  cosine / temperature = score

Only the prompt and the temporal encoder learn; CLIP is frozen.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.batch import Batch
from data_modules.errors import InputError
from prompt_video.clip import FrozenCLIP
from prompt_video.linear_probe import LinearProbe
from prompt_video.prompt import PromptLearner, TemplatePrompt
from prompt_video.temporal import TemporalEncoder
from prompt_video.text_side import TextSide

TEXT_SIDES: dict[str, type[TextSide]] = {side.__name__: side for side in (PromptLearner, TemplatePrompt, LinearProbe)}
SMALLEST_TEMPERATURE = 0.01  # CLIP's own bound while it learned its temperature


class VideoTextModel(nn.Module):
    """Scores of videos for texts.

    Args:
        clip: the frozen CLIP; several models may share one.
        prompt: makes the text side, given the width of CLIP's token embeddings.
        temporal: makes the temporal encoder, given the width of CLIP's joint space.
        temperature: divides the cosine similarity.
        learn_temperature: learn it, starting there.
        text_chunk: texts whose inner values are kept at a time in training, so that memory does not grow with their
            number; the result is the same. None keeps all, which is faster.
    """

    def __init__(
        self,
        clip: FrozenCLIP,
        prompt: Callable[[int], nn.Module],
        temporal: Callable[[int], TemporalEncoder],
        temperature: float = 0.07,
        learn_temperature: bool = False,
        text_chunk: int | None = None,
    ) -> None:
        super().__init__()
        self.clip = clip
        self.prompt = cast(TextSide, prompt(clip.width))
        self.temporal = temporal(clip.embed_dim)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)), requires_grad=learn_temperature)
        self.text_chunk = text_chunk
        self._classifier: tuple[object, Tensor] | None = None
        if getattr(self.prompt, "context_length", 0) > clip.context_length:
            raise InputError(
                f"the prompt counts on {self.prompt.context_length} positions, and the text encoder of CLIP "
                f"'{clip.name}' has {clip.context_length}; set context_length of the prompt."
            )

    @property
    def temperature(self) -> Float[Tensor, ""]:
        """What the cosine similarity is divided by."""
        return self.log_temperature.exp().clamp(min=SMALLEST_TEMPERATURE)

    def forward(self, batch: Batch) -> Float[Tensor, "R K"]:
        """The score of every video for every text of the batch."""
        return self.scores(self.video_features(batch), batch["text"])

    def scores(self, video_features: Float[Tensor, "R D"], texts: Sequence[str]) -> Float[Tensor, "R K"]:
        """Cosine over temperature; of a linear probe, its own scores."""
        video_features = F.normalize(video_features, dim=-1)
        if isinstance(self.prompt, LinearProbe):
            return self.prompt.scores(video_features, texts)
        return video_features @ self.text_features(texts).T / self.temperature

    def video_features(self, batch: Batch) -> Float[Tensor, "R D"]:
        """One vector a video, not normalised; pixels are encoded, stored features taken as they are."""
        mask = batch["mask"]
        if "features" in batch:
            features = batch["features"]
            features = features.to(torch.promote_types(features.dtype, torch.float32))
        else:
            real = self.clip.encode_frames(batch["video"][mask])
            features = real.new_zeros(*mask.shape, real.shape[-1]).masked_scatter(mask.unsqueeze(-1), real)
        videos: Tensor = self.temporal(features, mask)
        return videos

    def text_features(self, texts: Sequence[str]) -> Float[Tensor, "K D"]:
        """One unit vector a text; computed once for as long as the texts and the prompt stay the same."""
        learned = [weight for weight in self.prompt.parameters() if weight.requires_grad]
        if learned and (self.training or torch.is_grad_enabled()):
            return self._encode(texts)
        state = (tuple(texts), self.log_temperature.device, *((id(weight), weight._version) for weight in learned))
        if self._classifier is None or self._classifier[0] != state:
            # Not in inference mode: what is kept may be met by a training step.
            with torch.inference_mode(False), torch.no_grad():
                self._classifier = (state, self._encode(texts))
        return self._classifier[1]

    def _encode(self, texts: Sequence[str]) -> Float[Tensor, "K D"]:
        features: Tensor = self.prompt(texts, self.clip, self.text_chunk)
        return features

    def forget_texts(self) -> None:
        """Drop the kept text features."""
        self._classifier = None

    def train(self, mode: bool = True) -> "VideoTextModel":
        """As ever; text features are computed anew."""
        self.forget_texts()
        return super().train(mode)

    def set_vocabulary(self, texts: Sequence[str]) -> None:
        """Name the classes before an optimizer is made; a linear probe needs it, other text sides take any text."""
        if isinstance(self.prompt, LinearProbe):
            self.prompt.set_vocabulary(texts, self.clip.embed_dim)

    def learned_state(self) -> dict[str, Tensor]:
        """The learned weights, without CLIP."""
        return {name: weight.detach() for name, weight in self.named_parameters() if weight.requires_grad}

    def load_learned_state(self, state: Mapping[str, Tensor]) -> None:
        """Take learned weights of a model of the same `spec`; a task's ``model.`` in front of a name is ignored."""
        state = {name.removeprefix("model."): weight for name, weight in state.items()}
        own = self.learned_state()
        wrong = sorted(name for name in own.keys() | state.keys() if _shape(own, name) != _shape(state, name))
        if wrong:
            raise InputError(
                "these learned weights belong to a model of another shape: "
                + ", ".join(f"{name} is {_shape(state, name)} instead of {_shape(own, name)}" for name in wrong[:5])
            )
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(state[name])
        self.forget_texts()

    def spec(self) -> dict[str, Any]:
        """All that is needed to build this model again and to refuse a wrong CLIP, ready for JSON."""
        clip, probe = self.clip, self.prompt if isinstance(self.prompt, LinearProbe) else None
        return {
            "clip": {
                "name": clip.name,
                "dtype": clip.dtype,
                "fingerprint": clip.fingerprint,
                "width": clip.width,
                "embed_dim": clip.embed_dim,
            },
            "prompt": {"kind": type(self.prompt).__name__, "settings": self.prompt.settings()},
            "temporal": self.temporal.settings(),
            "temperature": self.temperature.item(),
            "learn_temperature": self.log_temperature.requires_grad,
            "class_names": probe.class_names if probe else None,
        }

    def check_spec(self, spec: Mapping[str, Any]) -> None:
        """Refuse weights that were learned on another CLIP, or in another shape."""
        clip = spec["clip"]
        if clip["fingerprint"] != self.clip.fingerprint:
            raise InputError(
                f"these weights were learned on CLIP '{clip['name']}' (fingerprint {clip['fingerprint']}), and this is "
                f"CLIP '{self.clip.name}' (fingerprint {self.clip.fingerprint}); they do not work together."
            )
        given, own = _lasting(spec), _lasting(self.spec())
        wrong = sorted(name for name in given.keys() | own.keys() if given.get(name) != own.get(name))
        if wrong:
            raise InputError(
                "these weights were learned with other settings: "
                + ", ".join(f"{name} was {given.get(name)} and is {own.get(name)}" for name in wrong)
            )

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], clip: FrozenCLIP | None = None) -> "VideoTextModel":
        """Build a model from its `spec`; its learned weights come by `load_learned_state`."""
        clip = clip or FrozenCLIP(spec["clip"]["name"], spec["clip"]["dtype"])
        prompt = partial(TEXT_SIDES[spec["prompt"]["kind"]], **spec["prompt"]["settings"])
        temporal = partial(TemporalEncoder, **spec["temporal"])
        model = cls(clip, prompt, temporal, spec["temperature"], spec["learn_temperature"])
        model.set_vocabulary(spec["class_names"] or [])
        model.check_spec(spec)
        return model


def _shape(state: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(state[name].shape) if name in state else None


def _lasting(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that weights are bound to; others only matter before training, or to the reading of texts."""
    settings = {"prompt": spec["prompt"]["kind"], "class_names": spec["class_names"]}
    settings |= {f"prompt.{name}": value for name, value in spec["prompt"]["settings"].items()}
    settings |= {f"temporal.{name}": value for name, value in spec["temporal"].items()}
    passing = ("prompt.init_std", "prompt.too_long", "temporal.position_std")
    return {name: value for name, value in settings.items() if name not in passing}
