"""The frozen CLIP: the only file that knows transformers, and all of its oddities."""

import hashlib
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from weakref import WeakValueDictionary

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from data_modules.errors import InputError
from data_modules.features.manifest import Precision
from prompt_video.backbones.clip_text import check_vocabulary, cleaned
from prompt_video.backbones.frozen_block import ACTIVATIONS, FrozenBlock
from prompt_video.backbones.gradient_scale import GradientScale
from prompt_video.backbones.hub import check_reachable
from prompt_video.backbones.names import full_name
from prompt_video.backbones.precision import exact_float32
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.text_tower import TextTower
from prompt_video.backbones.vision_tower import VisionTower

TINY = Path(__file__).parent / "tiny" / "weights"
MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's own, used where a checkpoint names no other
STD = (0.26862954, 0.26130258, 0.27577711)
MOST_TOKENIZED = 100_000  # texts whose tokens are remembered, but for those of one call
# A pass of the image encoder, by the bytes of a layer's widest values. On a CPU: what stays in the cache. On a GPU: a
# share of what is free, since some four times as much is alive at once, up to where more frames make it no faster.
BYTES_IN_CACHE = 20 << 20
MOST_BYTES, SHARE_OF_FREE = 1 << 30, 8
MOST_ELSEWHERE = 160 << 20


class FrozenTowers(nn.Module):
    """Both encoders of one CLIP and its vocabulary: what all users of it in one process share."""

    def __init__(
        self,
        text: TextTower,
        vision: VisionTower,
        fingerprint: str,
        tokenizer: Any,  # noqa: ANN401 - transformers is untyped
        temperature: float,
    ) -> None:
        super().__init__()
        self.text, self.vision, self.fingerprint, self.tokenizer = text, vision, fingerprint, tokenizer
        self.temperature = temperature
        self.eval().requires_grad_(False)


_shared_towers: WeakValueDictionary[tuple[object, ...], FrozenTowers] = WeakValueDictionary()


class FrozenBackbone(nn.Module):
    """A CLIP that is never trained: texts and frames in, features in the joint space out.

    Two of the same name and precision in one process share one set of weights: moving one to a device moves the other.

    Args:
        name: a HuggingFace hub id, a local folder in HuggingFace's layout, or one of `SHORT_NAMES`, of which ``tiny``
            is built in.
        dtype: precision of weights and computation; see `resolve_backbone_dtype` for the one that suits a device.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str = "tiny", dtype: Precision = "float32") -> None:
        super().__init__()
        self.name = name = full_name(name)
        self.dtype = dtype
        import transformers  # imported late: a second, which reading a command line needs not

        source, identity = _resolve(name)
        # transformers draws random weights before it reads the real ones: whether this CLIP was shared or loaded,
        # what is drawn next must be the same.
        with _quiet(), torch.random.fork_rng(devices=[]):
            config = _read(name, transformers.CLIPConfig.from_pretrained, source)
            mean, std = _mean_std(source)
            towers = _shared_towers.get((*identity, dtype))
            if towers is None:
                towers = _load_towers(name, source).to(getattr(torch, dtype))
                _shared_towers[(*identity, dtype)] = towers
        self.towers = towers
        self.compiled = False  # the text path of training, by torch.compile
        self._tokens: dict[str, list[int]] = {}
        self.fingerprint = towers.fingerprint
        self.temperature = towers.temperature  # what it was trained to divide cosines by
        self.width: int = config.text_config.hidden_size
        self.context_length: int = config.text_config.max_position_embeddings
        self.embed_dim: int = config.projection_dim
        self.image_size: int = config.vision_config.image_size
        self.configured = _configured(config.vision_config, mean, std)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        super().train(False)

    def train(self, mode: bool = True) -> "FrozenBackbone":
        """Does nothing: a frozen model has one mode."""
        return self

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's own tokens, without start and end token; `cleaned` says what is done to a text first."""
        # The same class names come in every step; captions without end must not fill the memory.
        if len(self._tokens) > MOST_TOKENIZED:
            self._tokens.clear()
        new = [text for text in dict.fromkeys(texts) if text not in self._tokens]
        if new:
            texts_of_clip = [cleaned(text) for text in new]
            tokens = self.towers.tokenizer(texts_of_clip, add_special_tokens=False, verbose=False)["input_ids"]
            self._tokens.update(zip(new, cast("list[list[int]]", tokens), strict=True))
        return [self._tokens[text] for text in texts]

    def encode_text(self, texts: PromptedText, chunk_size: int | None = None) -> Float[Tensor, "K D"]:
        """Features of texts with learned vectors around them, not normalised; gradients reach those vectors.

        Args:
            texts: each must fit into `context_length` positions with its start and end token.
            chunk_size: texts whose inner values are kept at a time; the backward pass computes them again, so that
                memory does not grow with the number of texts. None keeps all.
        """
        weight = self.towers.text.positions.weight
        if not texts.tokens:
            return texts.prefix.new_zeros(0, self.embed_dim)
        with torch.autocast(weight.device.type, enabled=False):  # CLIP computes in `dtype`, whatever surrounds it
            if weight.dtype != torch.float16:
                return _at_least_float32(self._read(texts.to(weight), chunk_size))
            scale = GradientScale()
            texts = replace(texts, prefix=scale.before(texts.prefix), suffix=scale.before(texts.suffix))
            return scale.behind(_at_least_float32(self._read(texts.to(weight), chunk_size)))

    def _read(self, texts: PromptedText, chunk_size: int | None) -> Float[Tensor, "K D"]:
        # Without gradients texts come in lists of any length, each of which would have to be compiled.
        features: Tensor = self.towers.text(texts, chunk_size, compiled=self.compiled and torch.is_grad_enabled())
        return features

    @torch.no_grad()
    def encode_frames(self, pixels: UInt8[Tensor, "N 3 S S"]) -> Float[Tensor, "N D"]:
        """Features of RGB frames of `image_size`, not normalised."""
        weight = self.towers.vision.positions.weight
        features = []
        with torch.autocast(weight.device.type, enabled=False), exact_float32():
            for part in torch.split(pixels, self._frames_per_pass(weight)):
                normalised = ((part / 255 - self.mean) / self.std).to(weight.dtype)
                features.append(_at_least_float32(self.towers.vision(normalised)))
        return torch.cat(features)

    def _frames_per_pass(self, positions: Tensor) -> int:
        widest = self.towers.vision.blocks[0].fc1.out_features
        return max(1, bytes_per_pass(positions.device) // (positions.element_size() * len(positions) * widest))


def bytes_per_pass(device: torch.device) -> int:
    """How large a layer's widest values may be in one pass of the image encoder."""
    if device.type == "cpu":
        return BYTES_IN_CACHE
    if device.type != "cuda":
        return MOST_ELSEWHERE
    # What torch's allocator holds and nobody uses is free to us too.
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min(MOST_BYTES, (torch.cuda.mem_get_info(device)[0] + held) // SHARE_OF_FREE)


def _at_least_float32(features: Tensor) -> Tensor:
    return features.to(torch.promote_types(features.dtype, torch.float32))


def _resolve(name: str) -> tuple[str, tuple[object, ...]]:
    """Where transformers finds a CLIP, and what makes it this one: a folder's files may be written anew."""
    if not name.strip():
        raise InputError("the CLIP has no name: give 'tiny', a local folder, or the id of one on the hub.")
    folder = TINY if name == "tiny" else Path(name).expanduser()
    if folder.is_dir():
        files = sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir() if path.exists())
        return str(folder), (folder.resolve(), *files)
    if name == "tiny":
        raise InputError("the built-in backbone 'tiny' is not there; `make tiny-clip` makes it.")
    check_reachable(name)
    return name, (name,)


@contextmanager
def _quiet() -> Iterator[None]:
    """Transformers without its progress bars and its advice."""
    import transformers

    log: Any = transformers.utils.logging
    verbosity, had_bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(logging.CRITICAL)
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if had_bars:
            log.enable_progress_bar()


def _read(name: str, reader: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - transformers is untyped
    """One message for all the ways in which a checkpoint can be missing or damaged."""
    try:
        return reader(*arguments, **options)
    except Exception as error:
        raise InputError(
            f"cannot load backbone '{name}': it must be 'tiny', a local folder with a HuggingFace model (config, "
            f"weights and tokenizer), or the id of one on the hub, which needs a network the first time. "
            f"transformers says: {str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}"
        ) from error


def _mean_std(source: str) -> tuple[Sequence[float], Sequence[float]]:
    """What pixels are normalised with."""
    import transformers

    try:
        settings = transformers.CLIPImageProcessor.get_image_processor_dict(source)[0]
    except OSError:
        settings = {}
    return settings.get("image_mean", MEAN), settings.get("image_std", STD)


def _configured(config: Any, mean: Sequence[float], std: Sequence[float]) -> str:  # noqa: ANN401 - as above
    """What changes the features of frames and is not in the weights, nor in their shapes."""
    normalised = " ".join(f"{value:g}" for value in (*mean, *std))
    return f"{config.hidden_act} {config.num_attention_heads}heads eps{config.layer_norm_eps:g}/normalised {normalised}"


def _load_towers(name: str, source: str) -> FrozenTowers:
    """Read a checkpoint and rebuild it for speed."""
    import transformers

    tokenizer = _read(name, transformers.AutoTokenizer.from_pretrained, source)
    model, report = _read(
        name, transformers.CLIPModel.from_pretrained, source, dtype=torch.float32, output_loading_info=True
    )
    missing = sorted(report["missing_keys"])
    if missing:
        raise InputError(
            f"'{name}' is no complete CLIP: the weights lack {', '.join(missing[:3])} ({len(missing)} in all)."
        )
    check_vocabulary(tokenizer, model.text_model.embeddings.token_embedding.num_embeddings, name)
    temperature = (-model.logit_scale.double()).exp().item()
    if not 0 < temperature < math.inf:
        raise InputError(f"'{name}' is a damaged CLIP: its logit_scale is {model.logit_scale.item()}.")
    if (bad := next((part for part, w in model.named_parameters() if not w.isfinite().all()), None)) is not None:
        raise InputError(f"'{name}' is a damaged CLIP: its {bad} is not finite.")
    fingerprint = _fingerprint(model)
    text, vision = model.text_model, model.vision_model
    return FrozenTowers(
        TextTower(
            text.embeddings.token_embedding,
            text.embeddings.position_embedding,
            _blocks(name, text.encoder.layers, model.config.text_config),
            text.final_layer_norm,
            model.text_projection,
            tokenizer.bos_token_id,
            # Not the config's: old checkpoints give a wrong eos_token_id of 2 there, and features were always read at
            # the token that the tokenizer puts last.
            tokenizer.eos_token_id,
        ),
        VisionTower(
            vision.embeddings.class_embedding,
            vision.embeddings.patch_embedding,
            vision.embeddings.position_embedding,
            vision.pre_layrnorm,
            _blocks(name, vision.encoder.layers, model.config.vision_config),
            vision.post_layernorm,
            model.visual_projection,
        ),
        fingerprint,
        tokenizer,
        temperature,
    )


def _fingerprint(model: nn.Module) -> str:
    """A hash of the weights' values, the same whatever the file, its precision of storage apart, and its place."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(weight.detach().float().contiguous().numpy().data)
    return digest.hexdigest()[:32]


def _blocks(name: str, layers: Iterable[Any], config: Any) -> list[FrozenBlock]:  # noqa: ANN401 - as above
    """A tower's layers as frozen blocks."""
    if config.hidden_act not in ACTIVATIONS:
        raise InputError(
            f"backbone '{name}' has the activation '{config.hidden_act}'; known: {', '.join(ACTIVATIONS)}."
        )
    return [
        FrozenBlock(
            layer.layer_norm1,
            layer.self_attn.q_proj,
            layer.self_attn.k_proj,
            layer.self_attn.v_proj,
            layer.self_attn.out_proj,
            layer.layer_norm2,
            layer.mlp.fc1,
            layer.mlp.fc2,
            config.num_attention_heads,
            config.hidden_act,
        )
        for layer in layers
    ]
