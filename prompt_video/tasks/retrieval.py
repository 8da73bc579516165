"""Retrieval: which video does the sentence tell of, and which sentence tells of the video?"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.modules.captioned import CaptionedDataModule
from data_modules.protocols.trial import Subset, Trial
from data_modules.typed_options import Unpack
from prompt_video.backbones.prompted_text import TextShape
from prompt_video.model.contrastive import gathered, pair_keys, positive_pairs, symmetric_nce
from prompt_video.model.embedding import text_vectors, video_vectors
from prompt_video.model.finite_scores import check_scores
from prompt_video.model.gradient_cache import in_chunks
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import mean_frame
from prompt_video.model.text_head import TextHead
from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.options import TaskOptions
from prompt_video.tasks.retrieval_results import Pairs, RetrievalResults

CAPTION_VIDEOS = 10  # that a prediction names for each caption

log = logging.getLogger(__name__)


def _sentence_prompt(shape: TextShape) -> TextHead:
    return PromptLearner(shape, too_long="truncate")


class RetrievalTask(VideoTextTask):
    """Find the video that a sentence tells of, and the sentence that tells of a video.

    Training: symmetric cross-entropy over all pairs of a batch, on several devices of all their batches. Captions of
    one video, and captions that read alike, are no negatives of each other. Memory stays bounded at any size of batch
    with ``text_chunk`` and ``video_chunk``, at the same gradients (gradient caching).

    Logged for every test, in both directions (``t2v``: each caption asks for its video; ``v2t``: each video for the
    best of its captions): R@1, R@5, R@10, median and mean rank, ties averaged over random order, and beside them those
    of the frozen backbone with ``frozen_templates`` on the same frames. Re-scored figures have names of their own.

    Args:
        prompt: the text head; captions that do not fit are to be cut (``too_long: truncate``), which is counted.
        frozen_templates: as of all tasks; sentences are read as they are, since they are no names.
        video_chunk: videos that the temporal encoder encodes at a time in training, the rest being recomputed in the
            backward pass; null for all at once. ``text_chunk`` is the same for captions.
        dual_softmax: also report scores weighted with their share among all queries of the test, ``dual_softmax_``: a
            model that must answer one query at a time cannot have them.
        query_bank: also report QB-Norm, ``qb_norm_``, with so many training videos and one caption of each as the bank;
            0 for none.
        options: those that all tasks share, see `VideoTextTask`.
    """

    monitor: ClassVar[str] = "val/t2v/r@1"
    progress: ClassVar[tuple[str, ...]] = ("t2v/r@1", "v2t/r@1")

    def __init__(
        self,
        prompt: Callable[[TextShape], TextHead] = _sentence_prompt,
        frozen_templates: str | Sequence[str] = "names",
        video_chunk: int | None = None,
        dual_softmax: bool = True,
        query_bank: int = 0,
        **options: Unpack[TaskOptions],
    ) -> None:
        super().__init__(prompt=prompt, frozen_templates=frozen_templates, **options)
        if not self.model.prompt.reads_text:
            raise InputError(f"model: {self.model.prompt.called} knows classes, not sentences: take another prompt.")
        if not self.model.temporal.is_linear and self.has_weights:
            raise InputError("model: frames weighted by each text go with a prompt that learns nothing, in retrieval.")
        if (video_chunk is not None and video_chunk < 1) or query_bank < 0:
            raise InputError("model: video_chunk must be 1 or more, or null, and query_bank 0 or more.")
        self.video_chunk, self.dual_softmax, self.query_bank = video_chunk, dual_softmax, query_bank
        self.results: dict[str, RetrievalResults] = {}
        self.bank: Pairs | None = None  # of training queries, while a test is scored
        self.cut: dict[str, tuple[int, int]] = {}  # captions that are too long, and all, of each part

    def make_results(self, trial: Trial) -> None:
        """Get ready for validation and for the tests of a trial; tells how many captions are too long."""
        super().make_results(trial)
        room = self.model.prompt.room
        for name in trial.subsets:
            if name in self.cut:  # training counted, and the test after it need not
                continue
            captions = self._data.captions(name)
            cut = sum(len(tokens) > room for tokens in self.model.backbone.tokenize(captions))
            self.cut[name] = cut, len(captions)
            if cut:
                log.info("%d of %d captions of '%s' are cut to %d tokens", cut, len(captions), name, room)

    def new_results(self, name: str, subset: Subset) -> RetrievalResults:
        """Features, which stay on the CPU, where there is room for large tests."""
        temporal = self.model.temporal
        return RetrievalResults(subset, name != "val", None if temporal.is_linear else temporal.of_pairs)

    def names_left_out(self) -> str | None:
        """Captions are no names."""
        return "made-up names are left out: captions are sentences, not names"

    @property
    def _data(self) -> CaptionedDataModule:
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set by every entry point
        if not isinstance(data, CaptionedDataModule):
            raise InputError(f"RetrievalTask needs captions, and {type(data).__name__} has none.")
        return data

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; a process whose videos are all broken must still meet the others'."""
        loss = self.loss(batch) + self.model.penalty()
        self.log_loss(loss, len(batch["video_id"]))
        return loss

    def loss(self, batch: Batch) -> Tensor:
        """Symmetric cross-entropy over the pairs of all processes."""
        features = self._trained_pairs(batch)
        videos, texts = gathered(features).chunk(2, dim=1)
        positives = positive_pairs(gathered(pair_keys(batch["video_id"], batch["text"]).to(features.device)))
        if not len(videos):
            return features.sum()  # of no effect
        # Half precision, where the features may come from, would make many of the scores equal.
        with torch.autocast(videos.device.type, enabled=False):
            similarity = self.model.similarity(videos, texts)
            loss = symmetric_nce(similarity, positives)
        hits = positives.gather(0, similarity.detach().argmax(0, keepdim=True)).float().mean()
        self.log("train/r@1", hits, prog_bar=True, batch_size=len(videos))
        return loss

    def _trained_pairs(self, batch: Batch) -> Float[Tensor, "B D2"]:
        """Features of videos and of their captions side by side, one pair a row."""
        if not batch["video_id"]:
            # No rows, yet a part of the graph like any other: processes then exchange gradients in the same order.
            nothing = torch.stack([weight.sum() * 0.0 for weight in self.parameters() if weight.requires_grad]).sum()
            return torch.zeros(0, 2 * self.model.backbone.embed_dim, device=self.device) + nothing
        temporal = self.model.temporal
        weights = [weight for weight in temporal.parameters() if weight.requires_grad]
        inputs = (self.model.frame_features(batch), batch["mask"])
        videos = F.normalize(in_chunks(temporal, inputs, weights, self.video_chunk), dim=-1)
        return torch.cat([videos, self.model.text_features(batch["text"])], dim=1)

    def _encoded(self, batch: Batch) -> tuple[Pairs, Pairs]:
        """Features of a test batch whose dot products are the scores: of this model, and of the frozen backbone.

        Scores of a video are the mean over its views.
        """
        frames, mask, texts = self.model.frame_features(batch), batch["mask"], batch["text"]
        views = video_vectors(self.model, frames, mask), F.normalize(mean_frame(frames, mask), dim=-1)
        learned, frozen = (torch.unflatten(vectors, 0, (-1, batch["num_views"])).mean(1) for vectors in views)
        return Pairs(learned, text_vectors(self.model, texts)), Pairs(frozen, self.model.frozen_text_features(texts))

    def evaluate(self, batch: Batch) -> None:
        """Note the features of some videos and of all of their captions."""
        if batch["video_id"]:
            learned, frozen = self._encoded(batch)
            check_scores(learned.videos, batch["video_id"])
            self.results[batch["subset"]].update(batch["video_id"], batch["captions"]["video"], learned, frozen)

    def on_test_epoch_end(self) -> None:
        """Log the figures of every test, those of re-scored queries too."""
        self.bank = self._bank() if self.query_bank else None
        super().on_test_epoch_end()

    def figures(self, name: str) -> dict[str, float]:
        """As of all tasks; of a test also those of re-scored queries."""
        figures = super().figures(name)
        if name == "val":
            return figures
        answers = self.results[name].answers
        assert answers is not None
        if self.dual_softmax:
            figures |= answers.learned.dual_softmax(self.model.temperature.item())
        if self.bank is not None:
            figures |= answers.learned.qb_norm(self.bank.texts.cpu().numpy(), self.bank.videos.cpu().numpy())
        return figures

    def _bank(self) -> Pairs:
        """Features of some training videos, and of one caption of each; every process computes all of them."""
        parts = []
        for batch in self._data.bank_dataloader(self.query_bank):
            if batch["video_id"]:
                moved = self._data.transfer_batch_to_device(batch, self.device, 0)
                parts.append(self._encoded(moved)[0])
        if not parts:
            raise InputError("model.query_bank: none of its training videos could be read; 0 goes without a bank.")
        return Pairs(torch.cat([subset.videos for subset in parts]), torch.cat([subset.texts for subset in parts]))

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """A row for each caption; the likeliest videos are in it once all videos are known."""
        self.evaluate(batch)
        return [{"caption": caption} for caption in batch["text"]]

    def on_predict_epoch_end(self) -> None:
        """Name the likeliest videos of each caption, in the rows that the trainer gives back."""
        predictions = self.trainer.predict_loop.predictions
        of_tests = [predictions] if len(self.tests) == 1 else predictions
        for name, batches in zip(self.tests, of_tests, strict=True):
            results = self.results[name]
            results.gather()
            assert results.answers is not None
            rows = [row for batch in batches for row in batch]
            for row, answer in zip(rows, results.answers.best_videos(CAPTION_VIDEOS), strict=bool(rows)):
                row.update(answer)

    def describe(self) -> str:
        """What is trained and how texts are written, in words."""
        cut = [f"{cut:,} of {total:,} captions of '{name}'" for name, (cut, total) in self.cut.items() if cut]
        told = f" Cut, as they are too long: {', '.join(cut)}." if cut else ""
        return self.model.describe() + told
