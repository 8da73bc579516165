"""Several labels a video: average precision and loss by plain loops, and runs from label files to predictions."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import prompt_video
from data_modules import VideoFolder
from data_modules.annotations.list_files import BETWEEN_LABELS
from data_modules.errors import InputError
from data_modules.protocols.trial import Subset, Trial
from prompt_video.cli import main
from prompt_video.export.onnx_folder import answer_of
from prompt_video.model.independent import IndependentLabels
from prompt_video.tasks import MultiLabelTask, RecognitionTask
from prompt_video.tasks.multi_label_results import MultiLabelResults
from tests.small_runs import rows_of


def average_precision(scores: list[float], shown: list[bool]) -> float:
    """As sklearn defines it: the sum over thresholds of what each adds to recall, times precision there."""
    total, recall = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        found = [is_shown for score, is_shown in zip(scores, shown, strict=True) if score >= threshold]
        now = sum(found) / sum(shown)
        total += (now - recall) * sum(found) / len(found)
        recall = now
    return total


def results_of(learned: Tensor, shown: Tensor, frozen: Tensor, threshold: float = 0.5) -> MultiLabelResults:
    results = MultiLabelResults([f"class {k}" for k in range(shown.shape[1])], threshold)
    for rows in torch.split(torch.arange(len(shown)), 3):
        results.update([f"video {row}" for row in rows.tolist()], shown[rows], learned[rows], frozen[rows])
    results.gather()
    return results


def test_average_precision_is_that_of_a_plain_loop_with_ties_and_classes_that_no_video_shows() -> None:
    rng = torch.Generator().manual_seed(0)
    shown = torch.rand(40, 6, generator=rng) < 0.3
    shown[:, 4], shown[:, 5] = False, True
    learned = (torch.rand(40, 6, generator=rng) * 8).round() / 8  # many are equal
    results = results_of(learned.double(), shown, learned.flip(0).double())
    each = [average_precision(learned[:, k].tolist(), shown[:, k].tolist()) for k in (0, 1, 2, 3, 5)]
    found = results.average_precision()
    assert torch.allclose(found[[0, 1, 2, 3, 5]], torch.tensor(each), atol=1e-6)
    assert found[4].isnan()
    assert each[-1] == pytest.approx(1.0)
    frozen = [average_precision(learned.flip(0)[:, k].tolist(), shown[:, k].tolist()) for k in (0, 1, 2, 3, 5)]
    named = [(n, k) for n in range(40) for k in range(6) if learned[n, k] >= 0.5]
    right = sum(bool(shown[place]) for place in named)
    figures = results.compute()
    assert figures["map"] == pytest.approx(sum(each) / 5, abs=1e-6)
    assert figures["frozen_map"] == pytest.approx(sum(frozen) / 5, abs=1e-6)
    assert figures["f1"] == pytest.approx(2 * right / (len(named) + int(shown.sum())))
    assert results.by_class()["class 4"] is None
    assert results.of_classes(["class 1", "class 4"]) == {"map": pytest.approx(each[1], abs=1e-6)}
    assert results.of_classes(["class 1"], inverted=True)["map"] == pytest.approx((sum(each) - each[1]) / 4, abs=1e-6)
    assert results.of_classes(["class 4"]) == {}
    assert results.chance == pytest.approx(shown[:, [0, 1, 2, 3, 5]].double().mean().item())
    assert MultiLabelResults(["a"], 0.5).compute() == {}


def test_classes_that_overlap_with_those_of_training_are_a_control() -> None:
    shown = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]]).bool()
    learned = torch.tensor([[0.9, 0.6, 0.1], [0.2, 0.7, 0.4], [0.8, 0.1, 0.3], [0.1, 0.2, 0.9]])
    results, task = results_of(learned.double(), shown, learned.double()), MultiLabelTask()
    task.results, task.control_results = {"test": results}, {"test": {}}
    task.overlaps = {"test": {"class 1": "a class of training"}}
    found = task.figures_of_controls("test", results.compute())
    each = [average_precision(learned[:, k].tolist(), shown[:, k].tolist()) for k in range(3)]
    assert found["overlapping_classes"] == {"map": pytest.approx(each[1])}
    assert found["other_classes"] == {"map": pytest.approx((each[0] + each[2]) / 2)}
    assert each[1] != pytest.approx((each[0] + each[2]) / 2)


def test_the_loss_is_the_sum_over_classes_of_minus_the_log_of_each_right_answer_s_probability() -> None:
    task = MultiLabelTask(threshold=0.25)
    torch.nn.init.constant_(task.bias, -1.5)
    scores = torch.tensor([[2.0, -1.0, 0.5], [0.1, 3.0, -2.0]], requires_grad=True)
    shown = torch.tensor([[True, False, True], [False, False, False]])
    loss, right = task.classification_loss(scores, shown)
    plain = 0.0
    for row in range(2):
        for k in range(3):
            probability = 1 / (1 + torch.exp(-(scores[row, k].detach() - 1.5)).item())
            plain -= torch.tensor(probability if shown[row, k] else 1 - probability).log().item() / 2
    assert loss.item() == pytest.approx(plain, rel=1e-5)
    assert right.tolist() == [1.0, 0.0]
    loss.backward()  # type: ignore[no-untyped-call]
    assert task.bias.grad is not None
    assert scores.grad is not None
    assert task.bias.grad.item() == pytest.approx(scores.grad.sum().item(), rel=1e-5)
    assert task.labels.probabilities(scores.detach())[0, 0].item() == pytest.approx(
        1 / (1 + 2.718281828**-0.5), abs=1e-6
    )


def test_one_class_that_is_shown_is_enough() -> None:
    learned, shown = torch.tensor([[0.9, 0.2], [0.4, 0.1], [0.6, 0.3]]), torch.tensor([[1, 0], [1, 0], [0, 0]]).bool()
    found = results_of(learned.double(), shown, learned.double()).average_precision()
    assert found[0].item() == pytest.approx(average_precision(learned[:, 0].tolist(), shown[:, 0].tolist()))
    assert found[1].isnan()


def test_bad_settings_names_and_methods_get_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="the threshold of labels must be between 0 and 1, not 1"):
        MultiLabelTask(threshold=1.0)
    joined = Trial("one", Subset(("a", "b|c"), ()), {})
    with pytest.raises(InputError, match=r"the class name 'b\|c' has a \| in it, which stands between the labels"):
        MultiLabelTask().check_trials([joined])
    for method in ("cache", "text_probe"):
        run = ["fit", "--config=demo_multilabel", f"--method={method}", f"--runs={tmp_path}", f"--data.root={tmp_path}"]
        assert main([*run, "--wandb=disabled"]) == 1
        assert (
            "takes one class from each training video, and MultiLabelTask has videos of several"
            in capsys.readouterr().err
        )
    with pytest.raises(InputError, match=r"independent\.threshold cannot be"):
        IndependentLabels.of({"independent": {"bias": 0.0, "threshold": "high"}})


@pytest.fixture(scope="module")
def labelled(make_videos: Callable[[Path, int], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve videos that show one thing of two, of which the labels say that some show both, and some none."""
    root = make_videos(tmp_path_factory.mktemp("labelled"), 6)
    labels = {f"moving_left/{n}.mp4": ["left"] for n in range(6)} | {f"spinning/{n}.mp4": ["spin"] for n in range(6)}
    labels["moving_left/0.mp4"], labels["spinning/0.mp4"] = ["left", "spin"], []
    splits = ("train", "train", "train", "val", "test", "test")
    rows = [{"path": path, "label": own, "split": splits[int(path[-5])]} for path, own in labels.items()]
    (root / "labels.json").write_text(json.dumps(rows))
    return root


@pytest.fixture(scope="module")
def run(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run."""
    folder = tmp_path_factory.mktemp("run") / "multi" / "now"
    config = folder.parents[1] / "multi.yaml"
    config.write_text(
        "trainer: {accelerator: cpu, max_epochs: 3, num_sanity_val_steps: 0, enable_progress_bar: false}\n"
        f"data: {{class_path: VideoFolder, init_args: {{root: {labelled}, labels: labels.json, num_workers: 0, "
        f"features_root: {folder.parents[1] / 'features'}, batch_size: 4}}}}\n"
        "model: MultiLabelTask\nmethod: linear_adapter\nbackbone: tiny\nscale: demo\n"
    )
    assert main(["fit", f"--config={config}", f"--run_folder={folder}", "--wandb=disabled"]) == 0
    return folder


def test_a_run_writes_figures_tables_and_a_page(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    controls = {f"controls/{name}/map" for name in ("in_order", "reversed", "one_frame", "nonsense_names", "chance")}
    assert {"test/frozen_map", "test/f1", "val/map", "val/loss", *controls} <= results["metrics"].keys()
    by_class = rows_of(run / "by_class.csv")
    assert [(row["class"], row["videos"]) for row in by_class] == [("left", "2"), ("spin", "2")]
    own = results["class_average_precision"]["test"]
    assert [float(row["average_precision"]) for row in by_class] == pytest.approx(list(own.values()), abs=1e-4)
    assert results["metrics"]["test/map"] == pytest.approx(sum(own.values()) / 2, abs=1e-6)
    by_video = rows_of(run / "by_video.csv")
    assert [row["target"] for row in by_video] == ["left", "left", "spin", "spin"]
    for row in by_video:
        values = [float(value) for value in row["probability"].split(BETWEEN_LABELS) if value]
        assert values == sorted(values, reverse=True)
        assert min(values, default=1.0) >= 0.5
    page = (run / "report.html").read_text()
    assert all(words in page for words in ("mAP", "F1", "average precision", "was found to show"))


def test_the_checkpoint_knows_its_bias_and_tests_alike(run: Path, tmp_path: Path) -> None:
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    bias = checkpoint["state_dict"]["bias"].item()
    assert checkpoint["prompt_video"]["task"]["independent"] == {"bias": pytest.approx(bias), "threshold": 0.5}
    assert bias < 0
    ckpt = run / "checkpoints" / "best.ckpt"
    assert main(["test", f"--ckpt={ckpt}", f"--run_folder={tmp_path / 'again'}", "--wandb=disabled"]) == 0
    first, again = (json.loads((f / "results.json").read_text())["metrics"] for f in (run, tmp_path / "again"))
    assert [again[name] for name in ("test/map", "test/f1")] == [first[name] for name in ("test/map", "test/f1")]


def test_recognition_of_one_class_refuses_such_videos_before_frames_are_encoded(labelled: Path, tmp_path: Path) -> None:
    data = VideoFolder(labelled, labels=Path("labels.json"), features_root=tmp_path, num_workers=0)
    with pytest.raises(InputError, match=r"labels.json, entry 0: moving_left/0.mp4 has 2 labels, and RecognitionTask"):
        RecognitionTask().check_trials(data.trials)
    MultiLabelTask().check_trials(data.trials)


def test_load_label_and_predict_name_all_that_reaches_the_threshold(
    run: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ckpt, video = run / "checkpoints" / "best.ckpt", labelled / "spinning" / "4.mp4"
    bias = torch.load(ckpt, weights_only=True)["state_dict"]["bias"].item()
    model = prompt_video.load(ckpt)
    scores = model.score(video, ["left", "spin"])
    by_hand = (scores.similarity / model.model.temperature.item() + bias).sigmoid()
    assert torch.allclose(scores.probability, by_hand, atol=1e-5)
    assert scores.threshold == 0.5
    assert [one.text for one in scores.labels] == [one.text for one in scores.best(2) if one.probability >= 0.5]
    alone = model.score(video, ["spin"])
    assert alone.probability[0].item() == pytest.approx(scores.probability[1].item(), abs=1e-6), "no other text counts"
    assert alone.is_known == (alone.probability[0].item() >= 0.5)
    both, none = prompt_video.load(ckpt, none_below=0.0), prompt_video.load(ckpt, none_below=1.0)
    assert set(both.score(video, ["left", "spin"]).label.split(BETWEEN_LABELS)) == {"left", "spin"}  # type: ignore[union-attr]
    assert none.score(video, ["left", "spin"]).label is None
    capsys.readouterr()

    command = ["label", str(labelled), f"--ckpt={ckpt}", f"--json={tmp_path / 'l.json'}", f"--csv={tmp_path / 'l.csv'}"]
    assert main([*command, "--none_below=0.0", "--top=1"]) == 0
    assert "left 12" in capsys.readouterr().out
    videos = json.loads((tmp_path / "l.json").read_text())["videos"]
    assert all(sorted(one["labels"]) == ["left", "spin"] and len(one["best"]) == 2 for one in videos)
    assert {row["label"] for row in rows_of(tmp_path / "l.csv")} <= {"left|spin", "spin|left"}
    assert main(["label", str(video), f"--ckpt={ckpt}", "--none_below=1.0"]) == 0
    assert "none of these" in capsys.readouterr().out

    assert main(["predict", f"--ckpt={ckpt}", f"--run_folder={tmp_path / 'tests'}", "--wandb=disabled"]) == 0
    predictions = json.loads((tmp_path / "tests" / "predictions.json").read_text())["predictions"]
    said = {row["video"]: (row["label"] or "").split(BETWEEN_LABELS) for row in predictions}
    assert {row["video_id"]: row["pred"].split(BETWEEN_LABELS) for row in rows_of(run / "by_video.csv")} == said


def test_segments_of_several_labels_may_be_at_once(run: Path, labelled: Path) -> None:
    video = labelled / "spinning" / "4.mp4"
    model = prompt_video.load(run / "checkpoints" / "best.ckpt", none_below=0.0)
    curve = model.similarity(video, ["left", "spin"])
    assert curve.independent is not None
    found = model.segments(video, ["left", "spin"]).segments
    alone = model.segments(video, ["spin"]).segments
    assert [one for one in found if one.label == "spin"] == list(alone)


def test_the_doctor_counts_labels_and_tells_which_task_takes_them(
    labelled: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = run.parents[1] / "multi.yaml"
    single = tmp_path / "single.yaml"
    single.write_text(config.read_text().replace("MultiLabelTask", "RecognitionTask"))
    assert [main(["doctor", f"--config={path}", "--decode=none"]) for path in (config, single)] == [0, 1]
    one, other = ((tmp_path / "runs" / "doctor" / f"{path.stem}.json").read_text() for path in (config, single))
    assert "1 video with several of 2 class names, 1 with none, the others with one" in one
    assert "moving_left/0.mp4 has 2 labels, and RecognitionTask names one class of each video" in other


def test_an_exported_model_names_the_same_labels(
    run: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ckpt, video = run / "checkpoints" / "best.ckpt", labelled / "moving_left" / "4.mp4"
    assert main(["export", f"--ckpt={ckpt}", f"--hub={tmp_path / 'hub'}"]) == 0
    assert (
        "A video may show several texts or none: each class by itself" in (tmp_path / "hub" / "README.md").read_text()
    )
    own, exported = (prompt_video.load(path).score(video, ["left", "spin"]) for path in (ckpt, tmp_path / "hub"))
    assert torch.equal(own.probability, exported.probability)
    assert own.threshold == exported.threshold == 0.5
    capsys.readouterr()
    bank = {"names": json.dumps(["a", "b", "c"])}
    exec(  # what a folder of ONNX tells its users to do
        answer_of({"independent": {"bias": -1.0, "threshold": 0.5}}),
        {"np": np, "json": json, "about": bank, "scores": np.array([[2.0, 0.5, 1.5]])},
    )
    assert capsys.readouterr().out == "['a', 'c']\n"
