"""Draws the picture of the README: videos of the built-in world, scored by the frozen model and by what learns on it.

`make pictures` runs it; it trains for half a minute, on training videos of the world alone.
"""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import matplotlib
import torch
from lightning.pytorch import Trainer, seed_everything
from matplotlib import pyplot

from data_modules import MovingShapes
from data_modules.synthetic.shapes import class_name
from data_modules.video.decoding import VideoReader
from prompt_video.inference.loaded import LoadedModel
from prompt_video.inference.loading import load
from prompt_video.inference.results import VideoScores
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.tasks import RecognitionTask

matplotlib.use("agg")
FOLDER = Path(__file__).parent
SHOWN = tuple(class_name(*what) for what in (("star", "moving left"), ("heart", "growing"), ("moon", "moving down")))
FRAMES, TOP = 6, 3
THEMES = {"light": ("#1f2328", "#b65c1e", "#9aa4b2"), "dark": ("#e6edf3", "#e8935a", "#6b7686")}


def main() -> None:
    """Train, score, draw."""
    with tempfile.TemporaryDirectory() as folder:
        videos, models = _taught(Path(folder))
        for theme, colors in THEMES.items():
            _draw(videos, models, FOLDER / f"scores-{theme}.png", colors)


def _taught(folder: Path) -> tuple[dict[str, Path], dict[str, list[VideoScores]]]:
    """A test video of each class that is shown, and what either model says of it."""
    seed_everything(0, verbose=False)
    optimizer = partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.01)
    temporal = partial(TemporalEncoder, num_layers=2, num_heads=4, position_std=0.5)
    task = RecognitionTask(backbone="tiny", temporal=temporal, optimizer=optimizer, prompt_lr=1e-2, warmup_steps=20)
    data = MovingShapes(
        folder / "videos", train_videos=20, val_videos=1, test_videos=1, features_root=folder / "features",
        preprocessing=task.preprocessing, batch_size=64, num_workers=0,
    )  # fmt: skip
    data.extract(task.encoder)
    trainer = Trainer(max_epochs=25, logger=False, enable_progress_bar=False, enable_checkpointing=False)
    trainer.fit(task, data)
    trainer.save_checkpoint(folder / "learned.ckpt", weights_only=True)
    subset = data.subset("test")
    videos = {subset.class_names[record.target]: record.path for record in subset.records}
    shown = {name: videos[name] for name in SHOWN}
    loaded: dict[str, LoadedModel] = {
        "frozen model": load(device="cpu"),
        "with learned prompts\nand temporal encoder": load(folder / "learned.ckpt", device="cpu"),
    }
    names = list(subset.class_names)
    scores = {title: [model.score(path, names) for path in shown.values()] for title, model in loaded.items()}
    pictures = {name: _frames(path) for name, path in shown.items()}
    return pictures, scores


def _frames(path: Path) -> torch.Tensor:
    with VideoReader(path) as reader:
        length = reader.timeline.duration_sec
        frames, _ = reader.decode([length * (n + 0.5) / FRAMES for n in range(FRAMES)])
    return frames


def _draw(
    videos: dict[str, torch.Tensor], scores: dict[str, list[VideoScores]], path: Path, colors: Sequence[str]
) -> None:
    ink, right, wrong = colors
    with pyplot.rc_context({"text.color": ink, "font.size": 10, "font.family": "DejaVu Sans"}):
        figure = pyplot.figure(figsize=(10, 4.2), dpi=160)
        grid = figure.add_gridspec(len(videos), 3, width_ratios=(3.0, 1.3, 1.3), wspace=0.08, hspace=0.35, top=0.86)
        for row, (name, frames) in enumerate(videos.items()):
            strip = figure.add_subplot(grid[row, 0])
            strip.imshow(torch.cat(list(frames), -1).permute(1, 2, 0).numpy())
            strip.axis("off")
            for column, (title, of_videos) in enumerate(scores.items(), start=1):
                axes = figure.add_subplot(grid[row, column])
                best = of_videos[row].best(TOP)
                for place, one in enumerate(best):
                    color = right if one.text == name else wrong
                    axes.barh(-place, one.probability, height=0.28, color=color, align="edge")
                    axes.text(0, -place + 0.36, f"{one.text}  {one.probability:.0%}", va="bottom", fontsize=8.5)
                axes.set_xlim(0, 1.25)
                axes.set_ylim(-TOP + 0.8, 1)
                axes.axis("off")
                if row == 0:
                    axes.set_title(title, fontsize=10, loc="left", color=ink)
        figure.savefig(path, transparent=True, bbox_inches="tight", pad_inches=0.1)
        pyplot.close(figure)


if __name__ == "__main__":
    main()
