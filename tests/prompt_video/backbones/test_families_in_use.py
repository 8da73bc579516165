"""The built-in world's experiment on random models of other families, from training to all uses of the checkpoint."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from starlette.testclient import TestClient

import prompt_video
from data_modules.video.decoding import VideoReader
from prompt_video.cli import main
from prompt_video.commands import serve
from prompt_video.export.checking import open_graph, run_graph
from prompt_video.export.graphs import FRAMES
from prompt_video.inference.options import model_of
from prompt_video.model.embedding import video_vectors
from prompt_video.tasks import LocalizationTask, RecognitionTask, RetrievalTask
from prompt_video.web.answers import Answers
from prompt_video.web.app import Page
from prompt_video.web.limits import Limits
from prompt_video.web.uploads import Uploads

SMALL = ["--data.train_videos=1", "--data.val_videos=0", "--data.test_videos=1", "--data.num_workers=0"]
SMALL += ["--trainer.accelerator=cpu", "--wandb=disabled", "--quiet=true"]
SMALL += ["--model.temporal.num_heads=4", "--trainer.num_sanity_val_steps=0"]
OPEN_CLIP = ("laion", "dfn", "pe", "mobile")
NAMES = ["star moving left", "circle spinning", "square moving up"]


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


@pytest.fixture
def backbone(
    request: pytest.FixtureRequest,
    make_siglip_folder: Callable[[str], Path],
    make_open_clip_folder: Callable[[str], Path],
    metaclip2_folder: Path,
) -> str:
    if request.param == "clip":
        return "tiny"
    if request.param == "metaclip2":
        return str(metaclip2_folder)
    if request.param in OPEN_CLIP:
        return f"open_clip:local-dir:{make_open_clip_folder(request.param)}"
    return str(make_siglip_folder(request.param))


@pytest.mark.parametrize("backbone", ["clip", "metaclip2", "siglip", "siglip2", "naflex", *OPEN_CLIP], indirect=True)
def test_three_tasks_hold_one_set_of_weights(backbone: str) -> None:
    tasks = [kind(backbone=backbone) for kind in (RecognitionTask, LocalizationTask, RetrievalTask)]
    frozen = [task.model.backbone for task in tasks]
    addresses = [[weight.data_ptr() for weight in (*one.parameters(), *one.towers.buffers())] for one in frozen]
    assert len(set(addresses[0])) == len(addresses[0]) > 0
    assert addresses[0] == addresses[1] == addresses[2]
    assert not any(weight.requires_grad for weight in frozen[0].parameters())
    settings = [cast("dict[str, int]", task.model.prompt.settings()) for task in tasks]
    assert all(frozen[0].text_shape.room(own["num_prefix"] + own["num_suffix"]) >= 20 for own in settings)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["metaclip2", "siglip", "naflex", "pe"], indirect=True)
def test_from_training_to_onnx(backbone: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--config=demo_closed", f"--data.root={tmp_path / 'world'}", f"--data.features_root={tmp_path / 'store'}"]
    common += [*SMALL, f"--backbone={backbone}"]
    run("fit", *common, "--trainer.max_epochs=1", f"--run_folder={tmp_path / 'run'}")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    trained = json.loads((tmp_path / "run" / "results.json").read_text())["metrics"]
    run("test", *common, f"--ckpt={last}", f"--run_folder={tmp_path / 'tested'}")
    tested = json.loads((tmp_path / "tested" / "results.json").read_text())["metrics"]
    figures = [name for name in tested if name.startswith("test/")]
    assert figures
    assert {name: tested[name] for name in figures} == pytest.approx({name: trained[name] for name in figures})
    run("fit", *common, "--trainer.max_epochs=2", f"--run_folder={tmp_path / 'run'}", "--ckpt=last")
    assert json.loads((tmp_path / "run" / "results.json").read_text())["epochs"] == 2
    use(last, tmp_path)


def served(video: Path, checkpoint: Path, folder: Path) -> dict[str, float]:
    """Cosines by text, as the page of ``serve`` answers a video and words."""
    options = serve.parser().parse([f"--ckpt={checkpoint}", "--device=cpu"])
    app = Page(Answers(model_of(options), Uploads(folder, Limits(max_mb=9, max_sec=20.0)))).app({"localhost"})
    client = TestClient(app, "http://127.0.0.1:7860")
    word = client.post("/videos", params={"name": video.name}, content=video.read_bytes()).json()["video"]
    answer = client.post("/scores", content=json.dumps({"video": word, "texts": "\n".join(NAMES)}))
    ranked = json.loads(answer.text.splitlines()[-1])["answer"]["ranked"]
    return {one["text"]: one["similarity"] for one in ranked}


def use(checkpoint: Path, folder: Path) -> None:
    """Label, segment, serve, index, search, export, and the scores of what was exported."""
    model = prompt_video.load(checkpoint, device="cpu")
    video = next((folder / "world").rglob("*.mp4"))
    scores = model.score(video, NAMES)
    common = [f"--ckpt={checkpoint}", "--device=cpu"]
    run("label", video, *common, f"--classes={','.join(NAMES)}", f"--json={folder / 'labels.json'}")
    (labelled,) = json.loads((folder / "labels.json").read_text())["videos"]
    found = {one["text"]: one["similarity"] for one in labelled["best"]}
    assert [found[name] for name in NAMES] == pytest.approx(scores.similarity.tolist(), abs=1e-4)
    run("segment", video, *common, f"--classes={','.join(NAMES)}", f"--json={folder / 'segments.json'}")
    assert json.loads((folder / "segments.json").read_text())["results"]
    assert served(video, checkpoint, folder) == pytest.approx(found, abs=1e-4)
    run("index", video.parent, f"--ckpt={checkpoint}", "--num_workers=0", f"--out={folder / 'index'}")
    run("search", folder / "index", NAMES[0], f"--json={folder / 'found.json'}")
    assert json.loads((folder / "found.json").read_text())
    hub, onnx = folder / "hub", folder / "onnx"
    run("export", f"--ckpt={checkpoint}", f"--hub={hub}", f"--onnx={onnx}", f"--classes={','.join(NAMES)}")
    again = prompt_video.load(hub, device="cpu", backbone=model.model.backbone.name)
    torch.testing.assert_close(again.score(video, NAMES).similarity, scores.similarity)
    about: dict[str, Any] = json.loads((onnx / "config.json").read_text())
    assert about["frame_shape"] == list(model.model.backbone.frames.shape)
    assert about["preprocessing"]["recipe"] == model.model.backbone.frames.recipe
    with VideoReader(video) as reader:
        frames, _ = reader.decode(torch.tensor([0.1, 0.5, 1.0]).double().numpy(), model.model.backbone.frames)
    mask = torch.ones(1, len(frames), dtype=torch.bool)
    with torch.no_grad():
        wanted = video_vectors(model.model, model.model.backbone.encode_frames(frames)[None], mask)
    assert (run_graph(open_graph(onnx / FRAMES), frames[None], mask) - wanted).abs().max() < 1e-4
