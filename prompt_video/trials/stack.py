"""TrialStack: the models of many trials on one frozen CLIP, as one module whose learned weights are stacked."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.clip import FrozenCLIP
from prompt_video.model.linear_probe import LinearProbe, rows_of
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.templates import DEFAULT
from prompt_video.model.temporal import TemporalEncoder, mean_frame
from prompt_video.model.text_feature_cache import TextFeatureCache
from prompt_video.model.text_head import TextHead
from prompt_video.model.video_text_model import SMALLEST_TEMPERATURE, starting_temperature

Texts = Sequence[Sequence[str]]  # the candidates of each trial


class TrialStack(nn.Module):
    """G times a `VideoTextModel`, each with weights, videos and texts of its own.

    Learned weights have the names that they have in a `VideoTextModel`, and one more axis in front, G.

    Args:
        clip: the frozen CLIP, shared.
        seeds: of each trial; its weights start as those of a `VideoTextModel` made after ``torch.manual_seed(seed)``.
        prompt: as for a `VideoTextModel`, and so on.
        temporal: see ``prompt``.
        temperature: see ``prompt``.
        learn_temperature: see ``prompt``.
        text_chunk: see ``prompt``.
        frozen_templates: see ``prompt``.
        frozen_share: see ``prompt``.
        class_names: of each trial; only a linear probe needs them.
    """

    def __init__(
        self,
        clip: FrozenCLIP,
        seeds: Sequence[int],
        prompt: Callable[[int], TextHead],
        temporal: Callable[[int], TemporalEncoder],
        temperature: float | None = None,
        learn_temperature: bool = False,
        text_chunk: int | None = None,
        frozen_templates: str | Sequence[str] = DEFAULT,
        frozen_share: float = 0.0,
        class_names: Texts = (),
    ) -> None:
        super().__init__()
        self.clip, self.text_chunk, self.frozen_share = clip, text_chunk, frozen_share
        self.num_trials = len(seeds)
        for trial, seed in enumerate(seeds):
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                single = nn.ModuleDict({"prompt": prompt(clip.width), "temporal": temporal(clip.embed_dim)})
            drawn = {name: weight.detach() for name, weight in single.named_parameters()}
            if not trial:
                self.prompt = cast(TextHead, single["prompt"])
                self.temporal = cast(TemporalEncoder, single["temporal"])
                _make_room(single, len(seeds))
            with torch.no_grad():
                for name, weight in drawn.items():
                    self.get_parameter(name)[trial] = weight
        start = starting_temperature(temperature, clip, self.prompt, self.temporal)
        log_start = torch.full((len(seeds),), math.log(start))
        self.log_temperature = nn.Parameter(log_start, requires_grad=learn_temperature)
        self.smallest_temperature = min(SMALLEST_TEMPERATURE, start)
        self.frozen_prompt = TemplatePrompt(clip.width, frozen_templates, clip.context_length, too_long="truncate")
        self.class_names = [list(names) for names in class_names]
        if isinstance(self.prompt, LinearProbe):
            if len(self.class_names) != self.num_trials:
                raise InputError("a linear probe must be told the class names of every trial before it is used.")
            shape = (self.num_trials, max(map(len, self.class_names)))
            self.prompt.weight = nn.Parameter(torch.zeros(*shape, clip.embed_dim))
            self.prompt.bias = nn.Parameter(torch.zeros(shape))
        self._memory = TextFeatureCache()

    @property
    def temperature(self) -> Float[Tensor, " G"]:
        """What each trial's cosine similarity is divided by."""
        return self.log_temperature.exp().clamp(min=self.smallest_temperature)

    def forward(
        self, features: Float[Tensor, "G R T D"], mask: Bool[Tensor, "G R T"], texts: Texts
    ) -> Float[Tensor, "G R K"]:
        """The score of every video for every text of its trial, minus infinity where a trial has fewer texts."""
        return self.scores(self.video_features(features, mask), texts)

    def scores(self, video_features: Float[Tensor, "G R D"], texts: Texts) -> Float[Tensor, "G R K"]:
        """Cosine over temperature; of a linear probe, its own scores."""
        if not isinstance(self.prompt, LinearProbe):
            return self.similarity(video_features, self.text_features(texts), texts)
        present = self.present(texts)
        rows = torch.zeros(present.shape, dtype=torch.long)
        for trial, (own, learned) in enumerate(zip(texts, self.class_names, strict=True)):
            rows[trial, : len(own)] = torch.tensor(rows_of(own, learned))
        rows = rows.to(present.device)
        weight = torch.take_along_dim(self.prompt.weight, rows.unsqueeze(-1), dim=1)
        bias = torch.take_along_dim(self.prompt.bias, rows, dim=1)
        scores = torch.baddbmm(bias.unsqueeze(1), F.normalize(video_features, dim=-1), weight.transpose(1, 2))
        return scores.masked_fill(~present.unsqueeze(1), -torch.inf)

    def similarity(
        self, video_features: Float[Tensor, "G R D"], text_features: Float[Tensor, "G K D"], texts: Texts
    ) -> Float[Tensor, "G R K"]:
        """Cosine over temperature; the videos' features need not be normalised."""
        cosine = F.normalize(video_features, dim=-1) @ text_features.transpose(1, 2)
        scores = cosine / self.temperature.view(-1, 1, 1)
        return scores.masked_fill(~self.present(texts).unsqueeze(1), -torch.inf)

    def test_scores(
        self, features: Float[Tensor, "G R T D"], mask: Bool[Tensor, "G R T"], texts: Texts
    ) -> tuple[Float[Tensor, "G R K"], Float[Tensor, "G R K"]]:
        """Scores of the trials' models, with their `frozen_share`, and of the frozen CLIP on the same frames."""
        mean = mean_frame(features.flatten(0, 1), mask.flatten(0, 1)).view(*mask.shape[:2], -1)
        cosine = F.normalize(mean, dim=-1) @ self.frozen_text_features(texts).transpose(1, 2)
        learned = self(features, mask, texts)
        if self.frozen_share:
            learned = torch.lerp(learned, cosine / self.temperature.view(-1, 1, 1), self.frozen_share)
        absent = ~self.present(texts).unsqueeze(1)
        frozen = cosine / self.clip.temperature
        return learned.masked_fill(absent, -torch.inf), frozen.masked_fill(absent, -torch.inf)

    def video_features(self, features: Float[Tensor, "G R T D"], mask: Bool[Tensor, "G R T"]) -> Float[Tensor, "G R D"]:
        """One vector a video, not normalised; a row that is padding from end to end has one that means nothing."""
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        mask = mask | ~mask.any(-1, keepdim=True)  # attention to nothing at all would be no number
        # On a CPU, trial by trial: what one works on stays in the cache.
        size = 1 if features.device.type == "cpu" else self.num_trials
        weights = {name: torch.split(weight, size) for name, weight in self.temporal.named_parameters()}
        videos: list[Tensor] = [
            functional_call(self.temporal, {name: parts[number] for name, parts in weights.items()}, own)
            for number, own in enumerate(zip(torch.split(features, size), torch.split(mask, size), strict=True))
        ]
        return torch.cat(videos)

    def text_features(self, texts: Texts) -> Float[Tensor, "G K D"]:
        """One unit vector a text, zero where there is none; computed once while texts and prompts stay the same."""
        learned = [weight for weight in self.prompt.parameters() if weight.requires_grad]
        if learned and (self.training or torch.is_grad_enabled()):
            return self._encode(self.prompt, texts)
        return self._remembered(self.prompt, texts, learned)

    def frozen_text_features(self, texts: Texts) -> Float[Tensor, "G K D"]:
        """As `text_features`, by the hand-crafted prompts."""
        return self._remembered(self.frozen_prompt, texts, [])

    def present(self, texts: Texts) -> Bool[Tensor, "G K"]:
        """Where a trial has a text."""
        count = torch.tensor([len(own) for own in texts])
        return (torch.arange(int(count.max())) < count.unsqueeze(1)).to(self.log_temperature.device)

    def _remembered(self, side: TextHead, texts: Texts, learned: Sequence[Tensor]) -> Float[Tensor, "G K D"]:
        key = (tuple(map(tuple, texts)), self.log_temperature.device)
        return self._memory.features(side, key, learned, lambda: self._encode(side, texts))

    def _encode(self, side: TextHead, texts: Texts) -> Float[Tensor, "G K D"]:
        if any(True for _ in side.parameters()):
            owner = [trial for trial, own in enumerate(texts) for _ in own]
            features: Tensor = side(list(chain.from_iterable(texts)), self.clip, self.text_chunk, owner)
        else:
            place = {text: row for row, text in enumerate(dict.fromkeys(chain.from_iterable(texts)))}
            different: Tensor = side(list(place), self.clip, self.text_chunk)
            rows = [place[text] for text in chain.from_iterable(texts)]
            features = different[torch.tensor(rows, device=different.device)]
        present = self.present(texts).unsqueeze(-1)
        return features.new_zeros(*present.shape[:2], features.shape[-1]).masked_scatter(present, features)

    def forget_texts(self) -> None:
        """Drop the kept features of learned texts."""
        self._memory.forget(self.prompt)

    def train(self, mode: bool = True) -> "TrialStack":
        """As ever; text features are computed anew."""
        self.forget_texts()
        return super().train(mode)

    def learned(self) -> dict[str, nn.Parameter]:
        """The learned weights of all trials, by the name that each has in a `VideoTextModel`."""
        return {name: weight for name, weight in self.named_parameters() if weight.requires_grad}

    def learned_state(self, trial: int) -> dict[str, Tensor]:
        """As that of the `VideoTextModel` of one trial; shares memory with the stack."""
        state = {name: weight.detach()[trial] for name, weight in self.learned().items()}
        if isinstance(self.prompt, LinearProbe):
            for name in ("prompt.weight", "prompt.bias"):
                state[name] = state[name][: len(self.class_names[trial])]
        return state

    def load_learned_state(self, trial: int, state: Mapping[str, Tensor]) -> None:
        """Take one trial's weights from a `VideoTextModel` of the same kind."""
        own = self.learned_state(trial)
        shapes, given = ({name: tuple(weight.shape) for name, weight in some.items()} for some in (own, state))
        if shapes != given:
            wrong = sorted(dict(shapes.items() ^ given.items()))
            raise InputError(f"these learned weights belong to a model of another shape: {', '.join(wrong[:5])}")
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(state[name])
        self.forget_texts()


def _make_room(module: nn.Module, count: int) -> None:
    """Give every weight one more axis in front."""
    for name, weight in list(module.named_parameters()):
        parent, _, leaf = name.rpartition(".")
        room = nn.Parameter(weight.new_empty(count, *weight.shape), requires_grad=weight.requires_grad)
        setattr(module.get_submodule(parent), leaf, room)
