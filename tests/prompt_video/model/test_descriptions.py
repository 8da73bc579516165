"""Classes by sentences that describe them: reading the files, and what becomes of the sentences."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from data_modules.data_sets.class_lists import class_list
from data_modules.errors import InputError
from data_modules.registry import MovingShapes
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import TextShape
from prompt_video.cli import main
from prompt_video.model.description_files import packaged_descriptions, read_descriptions, sentences_of
from prompt_video.model.descriptions import Descriptions
from prompt_video.model.model_spec import model_of_spec, spec_of_model
from prompt_video.model.parts import OrderedParts
from prompt_video.model.prompt import PromptLearner, TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel

DESCRIBED = {"star": ["a red star", "the star"], "ring": ["a ring", "red"]}


def written(folder: Path, content: object, name: str = "mine.json") -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_json_and_csv_say_the_same(tmp_path: Path) -> None:
    table = 'class,sentence\nstar,a red  star\nring," a ring"\nstar,the star\nring,red\n'
    expected = DESCRIBED
    assert read_descriptions(written(tmp_path, DESCRIBED)) == expected
    assert read_descriptions(written(tmp_path, table, "mine.csv")) == expected
    assert read_descriptions(written(tmp_path, {"star": "one"}, "one.json")) == {"star": ["one"]}


@pytest.mark.parametrize("data_set", ["hmdb51", "ucf101", "kinetics400", "ssv2"])
@pytest.mark.parametrize("kind", ["spatio", "temporal"])
def test_packaged_ones_describe_every_class(data_set: str, kind: str) -> None:
    name = f"{data_set}-{kind}"
    assert name in packaged_descriptions()
    sentences = sentences_of(class_list(data_set), read_descriptions(name), name)
    assert {len(own) for own in sentences} == {4}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"": ["a star"]}, "a description is of no class"),
        ({"star": []}, "the class 'star' has no sentence"),
        ({"star": ["one", " "]}, "the class 'star' has an empty description"),
        ({"star": [3]}, "the descriptions of 'star' must be a list of sentences"),
        ({"star": {"a": "b"}}, "must be a list of sentences"),
        ({}, "describes no class"),
        (["star"], "must be one object"),
        ({"star": ["x"] * 101}, "has 101 sentences; 100 is the most"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_descriptions(written(tmp_path, content))


def test_the_built_in_world_is_described(tmp_path: Path) -> None:
    names = MovingShapes(tmp_path).dataset_index.class_names
    sentences = sentences_of(names, read_descriptions("shapes-temporal"), "shapes-temporal")
    assert {len(own) for own in sentences} == {4}
    told = dict(zip(names, sentences, strict=True))
    assert told["a star moving left"] == told["a star moving right"][::-1]


def test_what_is_wrong_with_a_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine.csv, line 2: a description is of no class"):
        read_descriptions(written(tmp_path, "class,sentence\n,a star\n", "mine.csv"))
    with pytest.raises(InputError, match=r"line 3: the class 'star' has an empty description"):
        read_descriptions(written(tmp_path, "class,sentence\nstar,a star\nstar,\n", "mine.csv"))


def test_there_is_no_such_file() -> None:
    with pytest.raises(InputError, match=r"neither a file of descriptions .* nor one of hmdb51-spatio"):
        read_descriptions("hmdb51")


def test_a_class_without_a_description() -> None:
    assert sentences_of(["STAR", "Ring!"], DESCRIBED, "mine") == list(DESCRIBED.values())
    with pytest.raises(InputError, match="mine has no description of the class 'circle', nor of 1 other;"):
        sentences_of(["star", "circle", "square"], DESCRIBED, "mine")


def test_names_that_differ_in_signs_alone_lose_no_sentence() -> None:
    described = {"C": ["a letter"], "C++": ["a language"], "PullUp": ["arms"], "pull-up": ["a bar"]}
    assert sentences_of(["C++", "C"], described, "mine") == [["a language"], ["a letter"]]
    assert sentences_of(["pull-up"], described, "mine") == [["a bar"]]
    with pytest.raises(InputError, match="'PullUp' and 'pull-up', and either may be the class 'pull up'"):
        sentences_of(["pull up"], described, "mine")


def test_a_class_without_a_description_is_told_before_frames_are_encoded(
    tmp_path: Path, make_videos: Callable[[Path, int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    options = [f"--data.root={make_videos(tmp_path / 'videos', 2)}", f"--data.features_root={tmp_path / 'features'}"]
    options += [f"--model.prompt.source={written(tmp_path, DESCRIBED)}", f"--runs={tmp_path / 'runs'}"]
    options += ["--backbone=tiny", "--wandb=disabled", "--quiet=true", "--data.test_fraction=0.5"]
    assert main(["fit", "--config=folder_closed", "--method=descriptions", *options]) == 1
    assert "has no description of the class 'moving left', nor of 1 other;" in capsys.readouterr().err
    assert not (tmp_path / "features").exists()


def test_sentences_are_averaged_as_a_plain_loop(backbone: FrozenBackbone) -> None:
    head = Descriptions(backbone.width, described=DESCRIBED)
    found = head(["ring", "star"], backbone)
    plain = TemplatePrompt(backbone.width, ["{}"])
    for row, name in enumerate(["ring", "star"]):
        first, second = (plain([sentence], backbone)[0] for sentence in DESCRIBED[name])
        torch.testing.assert_close(found[row], F.normalize((first + second) / 2, dim=0))
    assert not list(head.parameters())


def test_vectors_around_each_sentence_learn(backbone: FrozenBackbone) -> None:
    head = Descriptions(backbone.width, described=DESCRIBED, num_vectors=2)
    reader = head.reader
    assert isinstance(reader, PromptLearner)
    direction = torch.randn(backbone.embed_dim)
    found = head(["star"], backbone)
    (slope,) = torch.autograd.grad(found[0] @ direction, [reader.context])
    first, second = (reader([sentence], backbone)[0] for sentence in DESCRIBED["star"])  # one after another
    mean = (first + second) / 2
    torch.testing.assert_close(found[0], mean / mean.norm())
    (expected,) = torch.autograd.grad(mean @ direction / mean.norm(), [reader.context])
    torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-6)
    assert slope.norm() > 0


def test_sentences_in_order_meet_the_parts_of_a_video(backbone: FrozenBackbone) -> None:
    def in_order(shape: TextShape) -> Descriptions:
        return Descriptions(shape, join="in_order", described=DESCRIBED)

    model = VideoTextModel(backbone, in_order, lambda width: OrderedParts(width, num_parts=2))
    frames, mask = torch.randn(1, 4, backbone.embed_dim), torch.ones(1, 4, dtype=torch.bool)
    scores = model.scores(model.temporal(frames, mask), ["star", "ring"])
    plain = TemplatePrompt(backbone.width, ["{}"])
    for column, name in enumerate(["star", "ring"]):
        total = 0.0
        for part, sentence in enumerate(DESCRIBED[name]):
            frame = F.normalize(F.normalize(frames[0, 2 * part : 2 * part + 2], dim=-1).mean(0), dim=0)
            total += float(frame @ plain([sentence], backbone)[0]) / 2
        assert scores[0, column].item() == pytest.approx(total / backbone.temperature, rel=1e-3, abs=1e-3)


def test_a_checkpoint_holds_its_sentences(backbone: FrozenBackbone, tmp_path: Path) -> None:
    source = written(tmp_path, DESCRIBED)

    def described(shape: TextShape) -> nn.Module:
        return Descriptions(shape, source, num_vectors=1)

    model = VideoTextModel(backbone, described, lambda width: TemporalEncoder(width, num_layers=0, num_heads=1))
    (tmp_path / "mine.json").unlink()
    again = model_of_spec(json.loads(json.dumps(spec_of_model(model))), backbone)
    again.load_learned_state(model.learned_state())
    torch.testing.assert_close(again.text_features(["star"]), model.text_features(["star"]))


def test_sentences_and_parts_must_be_as_many(backbone: FrozenBackbone) -> None:
    def in_order(shape: TextShape) -> Descriptions:
        return Descriptions(shape, join="in_order", described=DESCRIBED)

    with pytest.raises(
        InputError, match="the prompt makes 2 vectors of a text, and the temporal encoder compares with 3"
    ):
        VideoTextModel(backbone, in_order, lambda width: OrderedParts(width, num_parts=3))
    uneven = {"star": ["one", "two"], "ring": ["one"]}
    with pytest.raises(InputError, match="'star' has 2 and 'ring' 1; set num_sentences, or join: mean"):
        Descriptions(8, join="in_order", described=uneven)
    assert Descriptions(8, join="in_order", num_sentences=1, described=uneven).text_parts == 1


def test_no_source() -> None:
    with pytest.raises(InputError, match=r"descriptions need sentences: --model\.prompt\.source FILE"):
        Descriptions(8)
    assert math.isfinite(Descriptions(8, described={"a": ["b"]}).room)
