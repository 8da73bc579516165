"""VideoTextModel: score videos against texts. The page to read first.

    video: frames -> backbone.encode_frames -> temporal -> one vector     }
    text:  words  -> prompt -> backbone.encode_text     -> one vector     }  cosine / temperature = score

Only the prompt and the temporal encoder learn; the backbone is frozen.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.batch import Batch
from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import TextShape
from prompt_video.model.examples import Examples
from prompt_video.model.frozen_share import mixed_scores
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.templates import DEFAULT, describe, name_of
from prompt_video.model.temporal import TemporalEncoder, mean_frame
from prompt_video.model.text_feature_cache import TextFeatureCache
from prompt_video.model.text_head import Scorer, TextHead

TEMPERATURE = 0.07  # the paper's
SMALLEST_TEMPERATURE = 0.01  # CLIP's own bound while it learned its temperature


class VideoTextModel(nn.Module):
    """Scores of videos for texts.

    Args:
        backbone: the frozen backbone; several models may share one.
        prompt: makes the text head, given what the text encoder takes.
        temporal: makes the temporal encoder, given the width of the joint space.
        temperature: divides the cosine similarity. None: the paper's 0.07 where anything is learned, and the backbone's
            own where nothing is, or where training starts at the frozen backbone.
        learn_temperature: learn it, starting there.
        text_chunk: texts whose inner values are kept at a time in training, so that memory does not grow with their
            number; the result is the same. None keeps all, which is faster.
        frozen_templates: hand-crafted prompts of the frozen backbone that this model is compared with; see
            `TemplatePrompt`.
        frozen_share: share of the frozen backbone's cosines in those of testing, from 0 to 1.
    """

    def __init__(
        self,
        backbone: FrozenBackbone,
        prompt: Callable[[TextShape], nn.Module],
        temporal: Callable[[int], TemporalEncoder],
        temperature: float | None = None,
        learn_temperature: bool = False,
        text_chunk: int | None = None,
        frozen_templates: str | Sequence[str] = DEFAULT,
        frozen_share: float = 0.0,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.prompt = cast(TextHead, prompt(backbone.text_shape))
        self.temporal = temporal(backbone.embed_dim)
        start = starting_temperature(temperature, backbone, self.prompt, self.temporal)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(start)), requires_grad=learn_temperature)
        self.smallest_temperature = min(SMALLEST_TEMPERATURE, start)
        self.text_chunk = text_chunk
        self.frozen_prompt = TemplatePrompt(backbone.text_shape, frozen_templates, too_long="truncate")
        self.frozen_share = frozen_share
        self._text_cache = TextFeatureCache()
        if not 0 <= frozen_share <= 1:
            raise InputError(f"frozen_share must be in [0, 1], not {frozen_share}")
        if self.prompt.text_parts != self.temporal.text_parts:
            raise InputError(
                f"the prompt makes {self.prompt.text_parts} vectors of a text, and the temporal encoder compares with "
                f"{self.temporal.text_parts}: sentences in order go with OrderedParts of as many parts."
            )
        if frozen_share and not self.temporal.is_linear:
            raise InputError(
                "frozen_share is for scores of one vector a video; set it to 0 with this temporal encoder."
            )

    @property
    def temperature(self) -> Float[Tensor, ""]:
        """What the cosine similarity is divided by."""
        return self.log_temperature.exp().clamp(min=self.smallest_temperature)

    def forward(self, batch: Batch) -> Float[Tensor, "R K"]:
        """The score of every video for every text of the batch."""
        return self.scores(self.video_features(batch), batch["text"])

    def scores(
        self,
        video_features: Float[Tensor, "R E"],
        texts: Sequence[str],
        text_features: Float[Tensor, "K F"] | None = None,
    ) -> Float[Tensor, "R K"]:
        """The score of every video for every text: what the text head makes of them.

        Args:
            video_features: not normalised.
            texts: the candidates.
            text_features: of these, where they are known already.
        """
        unit = F.normalize(video_features, dim=-1)
        return self.classifier(texts, text_features).scores(unit, self.temporal.product)

    def classifier(self, texts: Sequence[str], text_features: Float[Tensor, "K D"] | None = None) -> Scorer:
        """What scores unit vectors of videos; see `scores`."""
        known = self.text_features if text_features is None else lambda _: text_features
        return self.prompt.classifier(texts, known, self.temperature)

    def similarity(
        self, video_features: Float[Tensor, "R E"], text_features: Float[Tensor, "K F"]
    ) -> Float[Tensor, "R K"]:
        """Cosine over temperature; the videos' features need not be normalised."""
        return self.temporal.product(F.normalize(video_features, dim=-1), text_features) / self.temperature

    def test_scores(self, batch: Batch) -> tuple[Float[Tensor, "R K"], Float[Tensor, "R K"]]:
        """Scores of this model, with its `frozen_share`, and of the frozen backbone on the same frames."""
        frames, mask = self.frame_features(batch), batch["mask"]
        learned = self.scores(self.temporal(frames, mask), batch["text"])
        return self.beside_frozen(learned, mean_frame(frames, mask), batch["text"])

    def beside_frozen(
        self, scores: Float[Tensor, "R K"], mean_frames: Float[Tensor, "R D"], texts: Sequence[str]
    ) -> tuple[Float[Tensor, "R K"], Float[Tensor, "R K"]]:
        """Scores of testing, and those of the frozen backbone: at the temperature that it was trained with.

        Args:
            scores: of this model, without `frozen_share`.
            mean_frames: features of the same videos or segments, not normalised.
            texts: the candidates.
        """
        cosine = F.normalize(mean_frames, dim=-1) @ self.frozen_text_features(texts).T
        mixed = mixed_scores(scores, cosine / self.temperature, self.frozen_share)
        return mixed, cosine / self.backbone.temperature

    def video_features(self, batch: Batch) -> Float[Tensor, "R D"]:
        """One vector a video, not normalised."""
        videos: Tensor = self.temporal(self.frame_features(batch), batch["mask"])
        return videos

    def frame_features(self, batch: Batch) -> Float[Tensor, "R T D"]:
        """Features of the frozen backbone: pixels are encoded, stored features taken as they are."""
        mask = batch["mask"]
        if "features" in batch:
            features = batch["features"]
            return features.to(torch.promote_types(features.dtype, torch.float32))
        real = self.backbone.encode_frames(batch["video"][mask])
        return real.new_zeros(*mask.shape, real.shape[-1]).masked_scatter(mask.unsqueeze(-1), real)

    def text_features(self, texts: Sequence[str]) -> Float[Tensor, "K D"]:
        """One unit vector a text; computed once for as long as the texts and the prompt stay the same."""
        learned = [weight for weight in self.prompt.parameters() if weight.requires_grad]
        if learned and (self.training or torch.is_grad_enabled()):
            return self._encode(self.prompt, texts)
        return self._cached(self.prompt, texts, learned)

    def frozen_text_features(self, texts: Sequence[str]) -> Float[Tensor, "K D"]:
        """One unit vector a text, by the hand-crafted prompts."""
        return self._cached(self.frozen_prompt, texts, [])

    def _cached(self, head: TextHead, texts: Sequence[str], learned: Sequence[Tensor]) -> Float[Tensor, "K D"]:
        key = (tuple(texts), self.log_temperature.device)
        return self._text_cache.features(head, key, learned, lambda: self._encode(head, texts))

    def _encode(self, head: TextHead, texts: Sequence[str]) -> Float[Tensor, "K D"]:
        features: Tensor = head(texts, self.backbone, self.text_chunk)
        return features

    def forget_texts(self) -> None:
        """Drop the kept features of learned texts."""
        self._text_cache.forget(self.prompt)

    def train(self, mode: bool = True) -> "VideoTextModel":
        """As torch's; text features are computed anew."""
        self.forget_texts()
        return super().train(mode)

    def compile_parts(self) -> None:
        """Use torch.compile for the text path of training and for the temporal encoder; figures change by rounding."""
        self.backbone.compiled = True
        self.temporal.compile(mode="reduce-overhead" if torch.cuda.is_available() else "default")

    @property
    def needs_examples(self) -> bool:
        """Whether training has to begin with `learn_from`."""
        return self.prompt.needs_examples

    def learn_from(self, examples: Examples, texts: Sequence[str]) -> None:
        """Take from the training videos what no optimizer learns; see `TextHead.learn_from`.

        Args:
            examples: training videos.
            texts: the class names that their targets index.
        """
        with torch.no_grad():
            self.prompt.learn_from(examples, self.classifier(texts))
        self.forget_texts()

    def penalty(self) -> Float[Tensor, ""] | float:
        """What the parts add to the training loss, whatever the batch."""
        return self.prompt.penalty() + self.temporal.penalty()

    def set_vocabulary(self, texts: Sequence[str]) -> None:
        """Name the classes before an optimizer is made; see `TextHead.set_vocabulary`."""
        self.prompt.set_vocabulary(texts, self.backbone.embed_dim)

    def describe(self) -> str:
        """How texts are written and frames are joined, in words."""
        share = f"; {self.frozen_share:g} of every score is frozen backbone's" if self.frozen_share else ""
        frozen = f"{describe(self.frozen_prompt.templates)}, at its own temperature of {self.backbone.temperature:.4g}"
        parts = f"{self.prompt.describe()}; {self.temporal.describe()}"
        return f"{parts}{share}. Frozen backbone '{self.backbone.name}' reads {frozen}."

    def frozen_spec(self) -> dict[str, Any]:
        """What the frozen backbone is that every test is compared with, ready for JSON."""
        templates = self.frozen_prompt.templates
        return {
            "backbone": self.backbone.name,
            "templates": name_of(templates) or templates,
            "temperature": self.backbone.temperature,
        }

    def learned_state(self) -> dict[str, Tensor]:
        """The learned weights, and what the parts keep of training videos; without the backbone."""
        learned = {name: weight.detach() for name, weight in self.named_parameters() if weight.requires_grad}
        for part in ("prompt", "temporal"):
            module: nn.Module = getattr(self, part)
            weights = dict(module.named_parameters())
            kept = {name: value for name, value in module.state_dict().items() if name not in weights}
            learned |= {f"{part}.{name}": value for name, value in kept.items()}
        return learned

    def load_learned_state(self, state: Mapping[str, Tensor]) -> None:
        """Take learned weights of a model of the same spec; a task's ``model.`` in front of a name is ignored."""
        state = {name.removeprefix("model."): weight for name, weight in state.items()}
        of_prompt = {name.removeprefix("prompt."): tuple(w.shape) for name, w in state.items() if name[:7] == "prompt."}
        self.prompt.make_room(of_prompt)
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


def starting_temperature(
    given: float | None, backbone: FrozenBackbone, prompt: TextHead, temporal: TemporalEncoder
) -> float:
    """What cosines are divided by before training; see ``temperature`` of `VideoTextModel`."""
    if given is not None:
        return given
    learned = chain.from_iterable(part.parameters() for part in (prompt, temporal) if not part.starts_frozen)
    return TEMPERATURE if any(True for _ in learned) else backbone.temperature


def _shape(state: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(state[name].shape) if name in state else None
