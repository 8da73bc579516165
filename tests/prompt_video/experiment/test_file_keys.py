"""Misspelt names in files of settings: where, what, and what instead, before anything is loaded that learns."""

import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
from jsonargparse._parameter_resolvers import get_signature_parameters

from prompt_video.experiment.class_paths import subclasses
from prompt_video.experiment.config_errors import CONFIGURED
from prompt_video.experiment.file_keys import check_file, check_fragment
from prompt_video.experiment.packaged import packaged
from prompt_video.experiment.settings import read_settings
from prompt_video.experiment.sources import GROUPS, arguments_of, classes_in
from prompt_video.io.parser_messages import ConfigError

WHOLE = """data:
  class_path: HMDB51
  init_args:
    root: data/hmdb51
    protocol: {class_path: FewShot, init_args: {shots: 5}}
    sampler: {class_path: WindowSampler, init_args: {num_frames: 16}}
model:
  class_path: prompt_video.tasks.RecognitionTask
  init_args:
    prompt: {num_prefix: 4}
    temporal: {class_path: TemporalEncoder, init_args: {num_layers: 3}}
    optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.1}}
trainer:
  max_epochs: 3
  callbacks:
    - class_path: lightning.pytorch.callbacks.EarlyStopping
      init_args: {monitor: val/top1}
choose: {prompt.alpha: [1, 2]}
"""
# What becomes of the whole, and what is said: line, setting, and the nearest name.
MISTAKES = [
    ("    root:", "    root_:", "line 4: data: there is no option 'root_'; did you mean 'root'?"),
    ("FewShot,", "FewShott,", "line 5: data.protocol: there is no class 'FewShott'; did you mean 'FewShot'?"),
    ("shots: 5", "shotz: 5", "line 5: data.protocol: there is no option 'shotz'; did you mean 'shots'?"),
    ("num_frames", "num_frame", "line 6: data.sampler: there is no option 'num_frame'; did you mean 'num_frames'?"),
    ("init_args: {num_frames: 16}", "num_frames: 16", "line 6: data.sampler: 'num_frames' belongs below init_args."),
    ("tasks.RecognitionTask", "tasks.RecognitionTsk", "line 8: model: there is no class 'prompt_video.tasks.Recogn"),
    (
        "  init_args:\n    prompt",
        "  init_arg:\n    prompt",
        "line 9: model: there is no option 'init_arg'; did",
    ),
    ("num_prefix", "lenght", "line 10: model.prompt: there is no option 'lenght'; did you mean"),
    (
        "num_layers",
        "num_layerz",
        "line 11: model.temporal: there is no option 'num_layerz'; did you mean",
    ),
    ("{lr:", "{lrr:", "line 12: model.optimizer: there is no option 'lrr'; did you mean 'lr'?"),
    ("max_epochs", "max_epoch", "line 14: trainer: there is no option 'max_epoch'; did you mean 'max_epochs'?"),
    ("{monitor", "{monitr", "line 17: trainer.callbacks: there is no option 'monitr'; did you mean 'monitor'?"),
    ("prompt.alpha", "prompt.alfa", "line 18: choose: there is no option 'alfa'; did you mean 'alpha'?"),
    ("trainer:", "trainr:", "line 13: there is no option 'trainr'; did you mean 'trainer'?"),
]


@pytest.mark.parametrize(("right", "wrong", "message"), MISTAKES)
def test_a_misspelt_name_is_told_with_its_line(right: str, wrong: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(WHOLE)
    check_file(file)
    assert WHOLE.count(right) == 1
    file.write_text(WHOLE.replace(right, wrong))
    with pytest.raises(ConfigError) as said:
        check_file(file)
    assert str(said.value).startswith(f"the configuration {file}, {message}")


def test_the_file_is_told_that_the_name_stands_in(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text("# of some\nmax_epoch: 3\n")
    (tmp_path / "views.yaml").write_text("class_path: WindowSampler\ninit_args: {stride: 1}\n")
    file = tmp_path / "own.yaml"
    file.write_text("trainer: long.yaml\n")
    with pytest.raises(ConfigError, match=r"long.yaml, line 2: trainer: there is no option 'max_epoch'; did you"):
        check_file(file)
    file.write_text("data: {class_path: HMDB51, init_args: {sampler: views.yaml}}\n")
    with pytest.raises(ConfigError, match=r"views.yaml, line 2: data.sampler: there is no option 'stride'; did you"):
        check_file(file)
    file.write_text("RecognitionTask: {prompt: {class_path: Cache, init_args: {alhpa: 2}}}\n")
    with pytest.raises(ConfigError, match=r"line 1: RecognitionTask.prompt: there is no option 'alhpa'; did you"):
        check_fragment(file)


def test_all_that_comes_with_the_program_is_right_and_so_are_runs(tmp_path: Path) -> None:
    for file in chain.from_iterable(packaged(kind).values() for kind in ("experiment",)):
        check_file(file)
    for file in chain(packaged("method").values(), packaged("scale").values()):
        check_fragment(file)
    settings = read_settings(["--config=demo_fewshot"])
    settings.verb_parser.save(settings.settings, tmp_path / "run.yaml", skip_none=False)
    check_file(tmp_path / "run.yaml")


def test_sources_say_of_each_class_what_the_parser_knows_of_it() -> None:
    packages = ("prompt_video.", "data_modules.")
    ours = [c for c in subclasses(*CONFIGURED) if c.__module__.startswith(packages) and not c.__name__.startswith("_")]
    assert len(ours) > 50
    settled = set()
    for cls in ours:
        folders = GROUPS["data" if cls.__module__.startswith("data_modules.") else "model"]
        said = set(arguments_of(cls.__name__, classes_in(folders)) or {})
        known = {parameter.name for parameter in get_signature_parameters(cls, None)}
        assert said >= known, cls
        settled |= {(cls.__name__, name) for name in said - known}
    assert len(settled) < 10, "what constructors settle for their bases"


def test_nothing_is_loaded_to_tell_it(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(WHOLE.replace("num_prefix", "num_prefx"))
    words = "['fit', '--config', 'own.yaml']", "['fit', '--config=demo_closed', '--model.optimizer.lrr=1']"
    heavy = "{'torch', 'lightning', 'transformers', 'torchmetrics'}"
    code = ";".join(f"print(main({word}), {heavy} & set(sys.modules))" for word in words)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; from prompt_video.cli import main; {code}"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["1 set()"] * 2
    assert "line 10: model.prompt: there is no option 'num_prefx'; did you mean 'num_prefix'?" in done.stderr
    assert "model.optimizer: there is no option 'lrr'; did you mean 'lr'?" in done.stderr
