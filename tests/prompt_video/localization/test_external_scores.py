import json
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from data_modules.errors import InputError
from prompt_video.localization.external_scores import ExternalScores, fuse

NAMES = ("pole vault", "long jump", "diving")
LABELS = {"PoleVault": "pole vault", "LongJump": "long jump", "Diving": "diving", "Shotput": "shot put"}


def scores_file(folder: Path, **videos: dict[str, float]) -> Path:
    path = folder / "scores.json"
    results = {
        video_id: [{"label": label, "score": score} for label, score in scores.items()]
        for video_id, scores in videos.items()
    }
    path.write_text(json.dumps({"version": "VERSION 1.3", "results": results, "external_data": {}}))
    return path


def test_names_and_labels_are_classes_and_missing_ones_are_zero(tmp_path: Path) -> None:
    path = scores_file(tmp_path, v={"PoleVault": 0.5, "diving": 1.0}, w={})
    external = ExternalScores(path, NAMES, LABELS)
    assert_close(external.of("v"), torch.tensor([0.5, 0.0, 1.0]))
    assert_close(external.of("w"), torch.zeros(3))
    assert external.of("x") is None
    assert external.missing(["x", "v", "y"]) == ["x", "y"]


def test_a_class_under_both_its_names_has_the_better_score(tmp_path: Path) -> None:
    path = scores_file(tmp_path, v={"Diving": 0.75, "diving": 0.25})
    assert_close(ExternalScores(path, NAMES, LABELS).of("v"), torch.tensor([0.0, 0.0, 0.75]))


def test_classes_that_this_test_leaves_out_are_no_mistakes(tmp_path: Path) -> None:
    path = scores_file(tmp_path, v={"Shotput": 0.5, "golf": 0.25, "diving": 0.125})
    external = ExternalScores(path, NAMES, LABELS, known=["golf"])
    assert_close(external.of("v"), torch.tensor([0.0, 0.0, 0.125]))


def test_an_unknown_class_is_named(tmp_path: Path) -> None:
    path = scores_file(tmp_path, v={"diving": 0.5}, w={"PoleVaukt": 0.5})
    with pytest.raises(InputError, match=r"scores.json, video 'w': 'PoleVaukt' is no class .* mean 'PoleVault'\?"):
        ExternalScores(path, NAMES, LABELS)


def test_scores_that_are_no_probabilities_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"video 'v', entry 0: .*from 0 to 1, not 3.5"):
        ExternalScores(scores_file(tmp_path, v={"diving": 3.5}), NAMES)


def test_fused_by_hand() -> None:
    clip = torch.tensor([[0.25, 0.5, 0.25], [1.0, 0.0, 0.0]])
    external = torch.tensor([1.0, 0.25, 0.0])
    half = fuse(clip, external, 0.5)
    assert_close(half, torch.tensor([[0.5, 0.125**0.5, 0.0], [1.0, 0.0, 0.0]]))
    assert_close(fuse(clip, external, 0.25)[0, 1].item(), 0.5**0.75 * 0.25**0.25)


def test_the_ends_of_the_weight_are_one_side_alone() -> None:
    clip, external = torch.tensor([[0.25, 0.0, 0.75]]), torch.tensor([0.0, 1.0, 0.5])
    assert_close(fuse(clip, external, 0.0), clip)
    assert_close(fuse(clip, external, 1.0), external.unsqueeze(0))


def test_no_proposals() -> None:
    assert fuse(torch.zeros(0, 3), torch.ones(3), 0.5).shape == (0, 3)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_outside_is_refused(weight: float) -> None:
    with pytest.raises(InputError, match=r"weight of external scores must be in \[0, 1\]"):
        fuse(torch.ones(1, 3), torch.ones(3), weight)
