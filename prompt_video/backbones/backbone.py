"""The frozen image-text model as everything else sees it, of whatever family it is."""

from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor, nn

from data_modules.features.encoder import FrameTransform
from data_modules.features.manifest import Precision
from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.families import load_towers, source_of
from prompt_video.backbones.gradient_scale import GradientScale
from prompt_video.backbones.open_clip_names import OpenClipModel
from prompt_video.backbones.precision import exact_float32
from prompt_video.backbones.prompted_text import PromptedText, TextShape
from prompt_video.backbones.text_rows import TextRows, encode_rows, text_rows
from prompt_video.backbones.text_tower import TextTower
from prompt_video.backbones.towers import BackboneFacts, FrozenTowers

MOST_TOKENIZED = 100_000  # texts whose tokens are remembered, but for those of one call
# A pass of the image encoder, by the bytes of a layer's widest values. On a CPU: what stays in the cache. On a GPU: a
# share of what is free, since some four times as much is alive at once, up to where more frames make it no faster.
BYTES_IN_CACHE = 20 << 20
MOST_BYTES, SHARE_OF_FREE = 1 << 30, 8
MOST_ELSEWHERE = 160 << 20


_shared_towers: WeakValueDictionary[tuple[object, ...], FrozenTowers] = WeakValueDictionary()


class FrozenBackbone(nn.Module):
    """An image-text model that is never trained: texts and frames in, features in their joint space out.

    Two of the same name and precision in one process share one set of weights: moving one to a device moves the other.

    Args:
        name: a HuggingFace hub id, a local folder in HuggingFace's layout, or one of `SHORT_NAMES`, of which ``tiny``
            is built in.
        dtype: precision of weights and computation; see `resolve_backbone_dtype` for the one that suits a device.

    Raises:
        InputError: when there is no such model, it is of no family that is known, or its files are damaged.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str = "tiny", dtype: Precision = "float32") -> None:
        super().__init__()
        files = source_of(name)
        self.name, self.dtype = files.name, dtype
        self.towers = _towers(files, dtype)
        self.compiled = False  # the text path of training, by torch.compile
        self._tokens: dict[str, list[int]] = {}
        for values, buffer in ((self.facts.mean, "mean"), (self.facts.std, "std")):
            self.register_buffer(buffer, torch.tensor(values).view(3, 1, 1), persistent=False)
        super().train(False)

    @property
    def facts(self) -> BackboneFacts:
        """What is the same in whatever precision it computes."""
        return self.towers.facts

    @property
    def fingerprint(self) -> str:
        """A hash of the weights' values."""
        return self.towers.fingerprint

    @property
    def temperature(self) -> float:
        """What it was trained to divide cosines by."""
        return self.facts.temperature

    @property
    def width(self) -> int:
        """Of its token embeddings."""
        return self.text_shape.width

    @property
    def context_length(self) -> int:
        """Positions of its text encoder."""
        return self.text_shape.context_length

    @property
    def text_shape(self) -> TextShape:
        """What its text encoder takes."""
        return self.towers.text.shape

    @property
    def embed_dim(self) -> int:
        """Of the space of texts and frames."""
        return self.towers.text.projection.out_features

    @property
    def frames(self) -> FrameTransform:
        """From a decoded frame to what it sees."""
        return self.facts.frames

    @property
    def configured(self) -> str:
        """What changes the features of frames beside the weights' values and `frames`."""
        return self.facts.configured

    def train(self, mode: bool = True) -> "FrozenBackbone":
        """Does nothing: a frozen model has one mode."""
        return self

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's own tokens, without start and end token, after what its family does to a text first."""
        # The same class names come in every step; captions without end must not fill the memory.
        if len(self._tokens) > MOST_TOKENIZED:
            self._tokens.clear()
        new = [text for text in dict.fromkeys(texts) if text not in self._tokens]
        if new:
            self._tokens.update(zip(new, self.towers.tokenizer.tokenize(new), strict=True))
        return [self._tokens[text] for text in texts]

    def read_alike(self, texts: Sequence[str]) -> list[tuple[str, str]]:
        """Texts that have the same tokens as another one before them, behind that one."""
        first: dict[tuple[int, ...], str] = {}
        pairs = [
            (first.setdefault(tuple(own), text), text) for text, own in zip(texts, self.tokenize(texts), strict=True)
        ]
        return [(other, text) for other, text in pairs if other != text]

    def encode_text(self, texts: PromptedText, chunk_size: int | None = None) -> Float[Tensor, "K D"]:
        """Features of texts with learned vectors around them, not normalised; gradients reach those vectors.

        Args:
            texts: each must fit into `context_length` positions with its start and end token.
            chunk_size: texts whose inner values are kept at a time; the backward pass computes them again, so that
                memory does not grow with the number of texts. None keeps all.
        """
        weight = self.towers.text.token_embedding.weight
        if not texts.tokens:
            return texts.prefix.new_zeros(0, self.embed_dim)
        with torch.autocast(weight.device.type, enabled=False):  # it computes in `dtype`, whatever surrounds it
            if weight.dtype != torch.float16:
                return _at_least_float32(self._read(texts.to(weight), chunk_size))
            scale = GradientScale()
            texts = replace(texts, prefix=scale.before(texts.prefix), suffix=scale.before(texts.suffix))
            return scale.behind(_at_least_float32(self._read(texts.to(weight), chunk_size)))

    def encode_rows(
        self, prefix: Float[Tensor, "*B P W"], suffix: Float[Tensor, "*B R W"], rows: TextRows
    ) -> Float[Tensor, "*B K D"]:
        """As `encode_text`, of several short lists of texts at a time; see `encodes_rows`.

        Args:
            prefix: learned vectors in front of each list's texts.
            suffix: behind them, see `PromptedText`.
            rows: where they and the texts' tokens stand, of `text_rows`.
        """
        tower = self._rows_tower()
        weight = tower.token_embedding.weight
        with torch.autocast(weight.device.type, enabled=False):
            return _at_least_float32(encode_rows(tower, prefix.to(weight), suffix.to(weight), rows))

    def text_rows(self, lists: Sequence[PromptedText]) -> TextRows:
        """Where several lists of texts stand for `encode_rows`, with one axis in front: a place for each list.

        Args:
            lists: of equally many texts, with equally many learned vectors.
        """
        return text_rows(self._rows_tower(), lists)

    @property
    def encodes_rows(self) -> bool:
        """Whether it has `encode_rows`."""
        return type(self.towers.text) is TextTower and self.dtype != "float16"

    def _rows_tower(self) -> TextTower:
        assert isinstance(self.towers.text, TextTower)
        return self.towers.text

    def _read(self, texts: PromptedText, chunk_size: int | None) -> Float[Tensor, "K D"]:
        # Without gradients texts come in lists of any length, each of which would have to be compiled.
        features: Tensor = self.towers.text(texts, chunk_size, compiled=self.compiled and torch.is_grad_enabled())
        return features

    @torch.no_grad()
    def encode_frames(self, pixels: UInt8[Tensor, "N 3 H W"]) -> Float[Tensor, "N D"]:
        """Features of RGB frames that `frames` has made, not normalised."""
        weight = self.towers.text.token_embedding.weight
        features = []
        with torch.autocast(weight.device.type, enabled=False), exact_float32():
            for part in torch.split(pixels, self._frames_per_pass(weight)):
                features.append(_at_least_float32(self.towers.vision(self.prepared(part))))
        return torch.cat(features)

    def prepared(self, pixels: UInt8[Tensor, "N 3 H W"]) -> Shaped[Tensor, "N 3 H W"]:
        """What its image tower is given of frames: normalised, or as they are where it does that itself."""
        if self.towers.vision.takes_bytes:
            return pixels
        return ((pixels / 255 - self.mean) / self.std).to(self.towers.text.token_embedding.weight.dtype)

    def _frames_per_pass(self, like: Tensor) -> int:
        most = bytes_per_pass(like.device) // (like.element_size() * self.towers.vision.largest_layer)
        return max(1, most)


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


def _towers(files: CheckpointFiles | OpenClipModel, dtype: Precision) -> FrozenTowers:
    """Those that are there already, or else those of the files."""
    key = (*files.identity, dtype)
    towers = _shared_towers.get(key)
    if towers is None:
        with torch.random.fork_rng(devices=[]):  # shared or loaded, what is drawn next must be the same
            towers = load_towers(files).to(getattr(torch, dtype))
        _shared_towers[key] = towers
    return towers
