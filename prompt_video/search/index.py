"""VideoIndex: ask an index in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from data_modules.errors import InputError
from data_modules.features.store import FeatureStore
from prompt_video.io.readable import check_unicode
from prompt_video.model.embedding import dim_of, text_vectors
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.search.manifest import IndexManifest, read_manifest
from prompt_video.search.vectors import Vectors


@dataclass(frozen=True)
class Hit:
    """One span of a video that fits a query.

    Args:
        video_id: the file's path inside the indexed folder.
        path: the file.
        start_sec: of the span, seconds from the start of the file.
        end_sec: of the span.
        score: cosine between the span and the query.
    """

    video_id: str
    path: Path
    start_sec: float
    end_sec: float
    score: float


@dataclass(frozen=True)
class Answer:
    """What was found for one query.

    Args:
        query: as it was asked.
        truncated: it was too long for the model, and only its beginning counted.
        hits: best first.
    """

    query: str
    truncated: bool
    hits: list[Hit]


class VideoIndex:
    """Searches an index, as it was when opened.

    Args:
        root: folder of the index.
        backbone: where the backbone is that it was made with; None: where it was then.

    Raises:
        InputError: there is no such index, it is empty or damaged, or its backbone is not there.
    """

    def __init__(self, root: Path, backbone: str | None = None) -> None:
        self.root = Path(root)
        self.manifest = read_manifest(self.root)
        self.store = FeatureStore(self.root)
        self.vectors = Vectors(self.store)
        if not len(self.vectors):
            raise InputError(f"the index {root} holds no videos; `prompt-video index` fills it.")
        _check_fit(self.manifest, self.store)
        self.model: VideoTextModel = self.manifest.model(backbone)
        assert dim_of(self.model) == self.store.recipe.dim

    @property
    def num_videos(self) -> int:
        """Videos that can be found."""
        return len(self.store)

    @property
    def num_spans(self) -> int:
        """Spans that can be found."""
        return len(self.vectors)

    def search(self, texts: Sequence[str], top: int = 10, *, all_spans: bool = False) -> list[Answer]:
        """The spans that fit each text best.

        Args:
            texts: in words.
            top: hits for each, at most.
            all_spans: also such as overlap with a better one of the same video.

        Raises:
            InputError: a text is empty, or ``top`` is less than 1.
        """
        if top < 1:
            raise InputError(f"top must be 1 or more, not {top}.")
        check_unicode(texts)
        queries = [text.strip() for text in texts]
        if not all(queries):
            raise InputError("the query is empty; say in words what to look for.")
        vectors, truncated = self.encode(queries)
        # Each hit can stand in the way of so many others only: with as many more there is always enough left.
        count = top if all_spans else top * (1 + self.manifest.cutting.most_overlapping)
        answers = []
        for text, is_cut, scores, rows in zip(texts, truncated, *self.vectors.nearest(vectors, count), strict=True):
            hits = [self._hit(row, score) for row, score in zip(rows.tolist(), scores.tolist(), strict=True)]
            answers.append(Answer(text, is_cut, (hits if all_spans else thinned(hits))[:top]))
        return answers

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> tuple[Float[Tensor, "Q D"], list[bool]]:
        """Unit vectors of texts, and which texts had to be cut."""
        head = self.model.prompt
        head.truncated.clear()
        self.model.forget_texts()
        vectors = text_vectors(self.model, texts)
        return vectors, [head.has_cut(text) for text in texts]

    def _hit(self, row: int, score: float) -> Hit:
        video_id, start_sec = self.vectors.of(row)
        end_sec = self.manifest.cutting.end_sec(start_sec, self.store.duration_sec(video_id))
        return Hit(video_id, self.manifest.folder / video_id, start_sec, end_sec, score)


def _check_fit(manifest: IndexManifest, store: FeatureStore) -> None:
    """Manifest and vectors must be of each other, and no id may lead to a file outside of the folder.

    Raises:
        InputError: when they are not, or one does.
    """
    recipe, made_with = store.recipe, manifest.spec["backbone"]
    if (
        not recipe.transform.endswith(manifest.made_with)
        or recipe.frame_rate != manifest.cutting.frame_rate
        or recipe.backbone_fingerprint != made_with["fingerprint"]
    ):
        raise InputError(
            f"the vectors in {store.root} are not of the model that lies beside them; delete the folder and index "
            "again."
        )
    if outside := [video_id for video_id in store.video_ids if not _is_inside(video_id)]:
        raise InputError(
            f"the index {store.root} names the video {outside[0][:80]!r}, which lies outside of the folder "
            f"{manifest.folder}; `prompt-video index` made no such index: delete it and index again."
        )


def _is_inside(video_id: str) -> bool:
    """Whether an id is a path inside its folder; links were followed on purpose when it was indexed."""
    return bool(video_id) and video_id[0] != "/" and "\0" not in video_id and ".." not in video_id.split("/")


def thinned(hits: Sequence[Hit]) -> list[Hit]:
    """Hits without those that overlap with a better one of the same video.

    Args:
        hits: best first.
    """
    kept: list[Hit] = []
    by_video: dict[str, list[Hit]] = {}
    for hit in hits:
        others = by_video.setdefault(hit.video_id, [])
        if all(hit.end_sec <= other.start_sec or other.end_sec <= hit.start_sec for other in others):
            others.append(hit)
            kept.append(hit)
    return kept
