"""Template sets by name, and files of one's own."""

from functools import partial
from pathlib import Path

import pytest

import prompt_video
from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.templates import DEFAULT, describe, name_of, template_sets, templates_of
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.tasks.retrieval import RetrievalTask


def test_the_sets_that_have_a_name() -> None:
    sets = template_sets()
    assert {name: len(sentences) for name, sentences in sets.items()} == {
        "names": 1,
        "video": 3,
        "clip-ucf101": 48,
        "clip-kinetics": 28,
        "shapes": 5,
    }
    assert sets["clip-ucf101"][:2] == ("a photo of a person {}.", "a video of a person {}.")
    assert sets["clip-kinetics"][-1] == "a demonstration of a person practicing {}."
    assert all(len(set(own)) == len(own) for own in sets.values())
    for name in sets:
        assert name_of(templates_of(name)) == name


def test_one_default_for_tests_methods_and_load(backbone: FrozenBackbone) -> None:
    default = templates_of(DEFAULT)
    assert TemplatePrompt(backbone.width).templates == default
    assert (
        VideoTextModel(backbone, TemplatePrompt, partial(TemporalEncoder, num_layers=0)).frozen_prompt.templates
        == default
    )
    assert RecognitionTask().model.frozen_prompt.templates == default
    loaded = prompt_video.load().model
    assert isinstance(loaded.prompt, TemplatePrompt)
    assert loaded.prompt.templates == loaded.frozen_prompt.templates == default
    assert RetrievalTask().model.frozen_prompt.templates == ["{}"], "a sentence is no name"


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes("\ufeffa painting of {}\r\n\n  {} in the snow \n".encode())
    assert templates_of(str(path)) == ["a painting of {}", "{} in the snow"]
    model = prompt_video.load(templates=str(path))
    assert "'a painting of {}', '{} in the snow'" in model.describe()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a {}\na star\n", r"line 2 of .* has no '\{\}' where the text goes: 'a star'"),
        (b"\n \n", "holds no template"),
        (b"\xfe\xfd{}", "mine.txt, line 1: this is not UTF-8 text"),
        (b"{} " * 400_000, "mine.txt cannot be read: it has more than 1,024 KiB"),
    ],
)
def test_bad_files(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(content)
    with pytest.raises(InputError, match=told):
        templates_of(str(tmp_path / "mine.txt"))


@pytest.mark.parametrize("chosen", ["clip-ucf", "/nowhere/mine.txt", "", "/dev/zero", "."])
def test_neither_a_set_nor_a_file(chosen: str) -> None:
    with pytest.raises(InputError, match=r"neither a set of templates \(names, video, clip-ucf101, clip-kinetics, "):
        templates_of(chosen)


def test_many_sentences_are_told_by_the_first_ones() -> None:
    assert describe(templates_of("clip-ucf101")) == "the templates 'clip-ucf101' (48)"
    assert describe(["{}"]) == "the template 'names' (1)"
    assert describe([f"{number} {{}}" for number in range(9)]).endswith("'4 {}' and 4 more")


def test_a_checkpoint_has_no_use_for_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has prompts of its own"):
        prompt_video.load(tmp_path / "run.ckpt", templates="names")
