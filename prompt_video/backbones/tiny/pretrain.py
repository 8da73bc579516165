"""Pre-train the built-in tiny CLIP from scratch on single frames of the drawn world (``make tiny-clip``).

A plain contrastive run on a HuggingFace ``CLIPModel``: stills are decoded from real mp4 files, so that the model
knows what encoding does to a picture, and captions are drawn afresh each time a still is seen. Nothing of the demo's
own videos is used: their seeds are different ones.
"""

import json
import math
import random
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import torch
from jaxtyping import Float, UInt8
from jsonargparse import ArgumentParser
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as TF
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from data_modules.synthetic.rendering import NUM_FRAMES, render, video_seed, write_mp4
from data_modules.synthetic.shapes import EXTRA_MOTIONS, MOTIONS, SHAPES
from prompt_video.backbones.clip import MEAN, STD
from prompt_video.backbones.tiny.captions import Still, caption

IMAGE_SIZE = 64
WIDTH, LAYERS, HEADS, MLP_WIDTH = 128, 4, 4, 256
STILLS_PER_VIDEO = 8
BATCH_SIZE = 256


def stills_of_video(index: int) -> tuple[UInt8[Tensor, "F 3 S S"], list[Still]]:
    """Render, encode, decode and resize one video; keep `STILLS_PER_VIDEO` of its frames."""
    torch.set_num_threads(1)
    rng = random.Random(video_seed("pretraining", index))
    video = render(rng.choice(SHAPES), rng.choice(MOTIONS + EXTRA_MOTIONS), video_seed("pretraining frames", index))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        write_mp4([video.frames], path)
        with av.open(str(path)) as container:
            container.streams.video[0].thread_type = "NONE"
            decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    step = NUM_FRAMES // STILLS_PER_VIDEO
    moments = [slot * step + rng.randrange(step) for slot in range(STILLS_PER_VIDEO)]
    frames = torch.from_numpy(decoded[moments]).permute(0, 3, 1, 2)
    frames = TF.resize(frames, [IMAGE_SIZE], interpolation=TF.InterpolationMode.BICUBIC, antialias=True)
    scene = video.scene
    stills = [
        Still(
            video.shape,
            video.motion,
            video.color,
            *scene.center[0, t].tolist(),
            *(values[0, t].item() for values in (scene.radius, scene.tilt, scene.opacity)),
        )
        for t in moments
    ]
    return frames, stills


def make_bank(num_videos: int, workers: int) -> tuple[UInt8[Tensor, "V F 3 S S"], list[list[Still]]]:
    """Stills of many videos, rendered in parallel; the same for any number of workers."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(stills_of_video, range(num_videos), chunksize=50))
    return torch.stack([frames for frames, _ in results]), [stills for _, stills in results]


def train_tokenizer(bank: list[list[Still]]) -> CLIPTokenizer:
    """A byte-pair tokenizer of CLIP's own kind, learned from captions; any text can be written with it."""
    rng = random.Random(0)
    captions = [
        caption(rng.choice(rng.choice(bank)), rng, with_motion=rng.random() < 0.5, long=rng.random() < 0.2)
        for _ in range(8000)
    ]
    start, end = "<|startoftext|>", "<|endoftext|>"
    clip_rules = CLIPTokenizer(vocab={start: 0, end: 1}, merges=[]).backend_tokenizer
    learner = Tokenizer(BPE(end_of_word_suffix="</w>"))
    learner.normalizer, learner.pre_tokenizer = clip_rules.normalizer, clip_rules.pre_tokenizer
    symbols = sorted(ByteLevel.alphabet())
    trainer = BpeTrainer(
        vocab_size=700, initial_alphabet=symbols, end_of_word_suffix="</w>", show_progress=False, min_frequency=3
    )
    learner.train_from_iterator(captions, trainer)
    merges: Any = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    # CLIP's order: bytes, bytes that end a word, merges, the two specials.
    entries = [*symbols, *(symbol + "</w>" for symbol in symbols), *("".join(pair) for pair in merges), start, end]
    vocab = {token: index for index, token in enumerate(dict.fromkeys(entries))}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)


def build_model(tokenizer: CLIPTokenizer) -> CLIPModel:
    """A small CLIP of the ordinary architecture, with a vision tower that sees where things are from the start."""
    tower = {
        "hidden_size": WIDTH,
        "intermediate_size": MLP_WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "hidden_act": "quick_gelu",
        "projection_dim": WIDTH,
    }
    text = {
        **tower,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 77,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {**tower, "image_size": IMAGE_SIZE, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH)
    model = CLIPModel(config)
    with torch.no_grad():
        model.logit_scale.fill_(math.log(1 / 0.07))
        # The library's position table starts at std 0.02, far below the patch vectors: position is then learned very
        # late, and "on the left" stays the same text as "on the right". A sine and cosine table cures it.
        embeddings = model.vision_model.embeddings
        side = IMAGE_SIZE // 8
        axis = (torch.arange(side) + 0.5) / side
        waves = [wave(math.pi * k * axis) for k in (0.5, 1, 2, 3) for wave in (torch.sin, torch.cos)]
        table = torch.stack(waves, dim=-1)  # (side, 8)
        grid = torch.cat([table[:, None].expand(-1, side, -1), table[None].expand(side, -1, -1)], dim=-1)
        grid = grid.reshape(side * side, -1)
        grid = (grid - grid.mean(0)) @ torch.randn(grid.shape[1], WIDTH)
        embeddings.position_embedding.weight[1:] += grid / grid.std() * 0.1
    return model


def augment(images: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B 3 S S"]:
    """Normalised pixels with a little brightness, contrast and noise of chance."""
    pixels = images.float() / 255
    gain = 1 + 0.15 * (torch.rand(len(pixels), 3, 1, 1) - 0.5)
    shift = 0.08 * (torch.rand(len(pixels), 1, 1, 1) - 0.5)
    pixels = (pixels * gain + shift + 0.015 * torch.randn_like(pixels)).clamp(0, 1)
    return cast(Tensor, TF.normalize(pixels, MEAN, STD))


class CaptionedStills:
    """Batches of (pixels, token ids): stills of the bank, each with a caption drawn for this one time."""

    def __init__(self, images: UInt8[Tensor, "V F 3 S S"], stills: list[list[Still]], tokenizer: CLIPTokenizer) -> None:
        self.images, self.stills, self.tokenizer = images, stills, tokenizer

    def draw(self, rng: random.Random) -> tuple[UInt8[Tensor, "B 3 S S"], Tensor]:
        """One batch."""
        long = rng.random() < 0.12
        videos = rng.sample(range(len(self.stills)), BATCH_SIZE)
        frames, captions = [], []
        for video in videos:
            with_motion = rng.random() < 0.45
            # People photograph a movement near its end: a motion word goes with a late still more often than not.
            # It is the only visible sign that a motion word has.
            moment = rng.random() ** (1 / 3) if with_motion else rng.random()
            frame = int(moment * STILLS_PER_VIDEO)
            frames.append(frame)
            captions.append(caption(self.stills[video][frame], rng, with_motion=with_motion, long=long))
        tokens = self.tokenizer(captions, padding=True, truncation=True, max_length=77, return_tensors="pt")
        return self.images[videos, frames], tokens["input_ids"]


def contrastive_loss(model: CLIPModel, pixels: Tensor, input_ids: Tensor) -> Tensor:
    """Symmetric cross-entropy over a batch."""
    output = model(input_ids=input_ids, pixel_values=pixels)
    target = torch.arange(len(pixels))
    logits = output.logits_per_image
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


@torch.no_grad()
def report(model: CLIPModel, tokenizer: CLIPTokenizer, images: Tensor, stills: list[list[Still]]) -> dict[str, float]:
    """What the model knows, on stills it never saw: shapes, sides, and how far apart opposite words lie."""

    def text(captions: list[str]) -> Tensor:
        tokens = tokenizer(captions, padding=True, return_tensors="pt")
        return F.normalize(model.get_text_features(**tokens).pooler_output, dim=-1)

    model.train(False)
    flat = [still for video in stills for still in video]
    pixels = TF.normalize(images.flatten(0, 1).float() / 255, MEAN, STD)
    features = F.normalize(model.get_image_features(pixel_values=pixels).pooler_output, dim=-1)

    def accuracy(captions: list[str], target: list[int]) -> float:
        return ((features @ text(captions).T).argmax(-1) == torch.tensor(target)).float().mean().item()

    def cosine(first: str, second: str) -> float:
        pair = text([first, second])
        return (pair[0] @ pair[1]).item()

    model.train()
    return {
        "shape": accuracy([f"a {shape}" for shape in SHAPES], [SHAPES.index(still.shape) for still in flat]),
        "side": accuracy(["on the left", "on the right"], [int(still.x > 0.5) for still in flat]),
        "edge": accuracy(["at the top", "at the bottom"], [int(still.y > 0.5) for still in flat]),
        "cos left/right": cosine("on the left", "on the right"),
        "cos top/bottom": cosine("at the top", "at the bottom"),
        "cos moving left/right": cosine("moving left", "moving right"),
        "cos moving up/down": cosine("moving up", "moving down"),
        "cos growing/shrinking": cosine("growing", "shrinking"),
    }


def learning_rate(step: int, steps: int) -> float:
    """Fraction of the peak rate: 100 steps of warm-up, then a cosine down to 2 %."""
    progress = max(0.0, (step - 100) / max(1, steps - 100))
    return min((step + 1) / 100, 0.02 + 0.49 * (1 + math.cos(math.pi * progress)))


def save(model: CLIPModel, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """A HuggingFace folder: configuration, tokenizer, processor and half-precision weights."""
    model.train(False).half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": IMAGE_SIZE}, crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    ).save_pretrained(folder)


def main() -> None:
    """Make the bank, the tokenizer and the model; train; save."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write the model to")
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--videos", type=int, default=9000, help="videos whose stills are shown")
    parser.add_argument("--num_workers", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(0)
    rng = random.Random(0)
    started = time.monotonic()

    images, stills = make_bank(options.videos, options.num_workers)
    print(
        f"{images.shape[0] * images.shape[1]} stills of {options.videos} videos in {time.monotonic() - started:.0f} s",
        flush=True,
    )
    tokenizer = train_tokenizer(stills)
    model = build_model(tokenizer)
    held_out = 100
    batches = CaptionedStills(images[held_out:], stills[held_out:], tokenizer)
    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}],
        lr=1e-3,
        betas=(0.9, 0.98),
    )
    model.train()
    for step in range(options.steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * learning_rate(step, options.steps)
        pixels, input_ids = batches.draw(rng)
        loss = contrastive_loss(model, augment(pixels), input_ids)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(100))
        if step % 100 == 99 or step == options.steps - 1:
            figures = report(model, tokenizer, images[:held_out], stills[:held_out])
            told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
            print(f"step {step + 1}, {time.monotonic() - started:.0f} s, loss {loss.item():.3f}: {told}", flush=True)
    save(model, tokenizer, options.out)


if __name__ == "__main__":
    main()
