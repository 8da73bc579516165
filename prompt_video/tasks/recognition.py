"""Recognition: which of the class names is it?"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from data_modules.batch import Batch
from prompt_video.tasks.base import VideoTextTask


@dataclass(frozen=True)
class Prediction:
    """One test video: the truth and the best guess, both as class index."""

    video_id: str
    target: int
    pred: int
    probability: float


class RecognitionTask(VideoTextTask):
    """Name the action in a video: softmax cross-entropy over all class names.

    Views of one test video are averaged as probabilities. Logged: top-1, top-5 and mean class accuracy.
    """

    predictions: list[Prediction]

    def make_metrics(self, num_classes: int) -> None:
        """Accuracies for validation and test, each stage with its own; the confusion matrix for the test."""
        metrics = MetricCollection(
            {
                "top1": MulticlassAccuracy(num_classes, average="micro"),
                "top5": MulticlassAccuracy(num_classes, top_k=min(5, num_classes), average="micro"),
                "mean_class": MulticlassAccuracy(num_classes, average="macro"),
            }
        )
        self.train_top1 = MulticlassAccuracy(num_classes, average="micro").to(self.device)
        self.val_metrics = metrics.clone(prefix="val/").to(self.device)
        self.test_metrics = metrics.clone(prefix="test/").to(self.device)
        self.confusion = MulticlassConfusionMatrix(num_classes).to(self.device)
        self.predictions = []

    def loss(self, batch: Batch, similarity: Float[Tensor, "R K"]) -> Tensor:
        """Cross-entropy of each view against its video's class."""
        target = batch["target"].repeat_interleave(batch["num_views"])
        self.train_top1(similarity, target)
        self.log("train/top1", self.train_top1, prog_bar=True, batch_size=len(target))
        return F.cross_entropy(similarity, target)

    def probabilities(self, batch: Batch) -> Float[Tensor, "B K"]:
        """Class probabilities of each video, averaged over its views."""
        similarity: Tensor = self.model(batch)
        return torch.unflatten(similarity.softmax(-1), 0, (-1, batch["num_views"])).mean(1)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Accuracies and loss on validation videos."""
        if not len(batch["target"]):
            return
        scores = self.probabilities(batch)
        self.val_metrics.update(scores, batch["target"])
        self.log_dict(self.val_metrics, prog_bar=True, batch_size=len(scores))
        loss = F.nll_loss(scores.clamp(min=1e-12).log(), batch["target"])
        self.log("val/loss", loss, batch_size=len(scores), sync_dist=True)

    def on_test_epoch_start(self) -> None:
        """Forget the predictions of an earlier test."""
        self.predictions = []
        self.confusion.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Accuracies and confusions on test videos."""
        if not len(batch["target"]):
            return
        scores = self.probabilities(batch)
        self.test_metrics.update(scores, batch["target"])
        self.log_dict(self.test_metrics, batch_size=len(scores))
        self.confusion.update(scores, batch["target"])
        best = scores.max(-1)
        rows = zip(
            batch["video_id"], batch["target"].tolist(), best.indices.tolist(), best.values.tolist(), strict=True
        )
        self.predictions.extend(Prediction(*row) for row in rows)

    def predict_step(self, batch: Batch, batch_idx: int) -> list[dict[str, Any]]:
        """The five likeliest class names of each video, with their probabilities."""
        if not len(batch["target"]):
            return []
        best = self.probabilities(batch).topk(min(5, len(batch["text"])))
        return [
            {"video_id": video_id, "scores": {batch["text"][k]: p for k, p in zip(indices, values, strict=True)}}
            for video_id, indices, values in zip(
                batch["video_id"], best.indices.tolist(), best.values.tolist(), strict=True
            )
        ]

    def write_tables(self, folder: Path) -> None:
        """Accuracy by class, every prediction, and the confusion matrix (rows: truth), as CSV files."""
        matrix = self.confusion.compute().cpu()
        write_csv(folder / "per_class.csv", per_class(matrix, self.class_names))
        names = self.class_names
        rows = [
            {**asdict(guess), "target": names[guess.target], "pred": names[guess.pred]} for guess in self.predictions
        ]
        write_csv(folder / "predictions.csv", rows)
        counts = [dict(zip(names, row, strict=True)) for row in matrix.tolist()]
        write_csv(folder / "confusion.csv", [{"truth": name, **row} for name, row in zip(names, counts, strict=True)])


def per_class(matrix: Int[Tensor, "K K"], class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Accuracy of each class, with the class it is most often taken for.

    Args:
        matrix: counts, rows the truth, columns the guess.
        class_names: of rows and columns.
    """
    rows = []
    for index, name in enumerate(class_names):
        counts = matrix[index].clone()
        total, right = int(counts.sum()), int(counts[index])
        counts[index] = 0
        worst = int(counts.argmax())
        rows.append(
            {
                "class": name,
                "videos": total,
                "accuracy": round(right / total, 4) if total else "",
                "taken_for": class_names[worst] if counts[worst] else "",
                "times": int(counts[worst]),
            }
        )
    return rows


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a row, the keys of the first row as header; nothing without rows."""
    if not rows:
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
