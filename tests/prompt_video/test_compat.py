"""Private parts of libraries, and the public way that is taken when one is gone or has changed."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import jsonargparse
import jsonargparse._typehints as typehints
import jsonargparse._util as jsonargparse_util
import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.loggers import WandbLogger
from torch import Tensor
from torch.nn import functional as F

from prompt_video import compat
from prompt_video.model.text_feature_cache import TextFeatureCache


def other_arguments(x: Tensor, weight: Tensor) -> Tensor:
    raise TypeError


def other_result(x: Tensor, weight: Tensor, bias: Tensor | None, *options: object) -> Tensor:
    return x


@pytest.mark.parametrize("operator", [None, other_arguments, other_result])
def test_products_without_onednns_operator_are_torchs(
    operator: Callable[..., Tensor] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ops = SimpleNamespace(mkldnn=SimpleNamespace(**({"_linear_pointwise": operator} if operator else {})))
    monkeypatch.setattr(torch, "ops", ops)
    assert compat.cpu_linear() is F.linear


def test_products_with_onednns_operator_are_the_same() -> None:
    x, weight, bias = torch.randn(5, 3), torch.randn(4, 3), torch.randn(4)
    product = compat.cpu_linear()
    assert (product is F.linear) == (not torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    torch.testing.assert_close(product(x, weight, bias), F.linear(x, weight, bias))
    torch.testing.assert_close(product(x, weight, None), F.linear(x, weight))


class Uncounted(Tensor):
    @property
    def _version(self) -> int:  # type: ignore[override]
        raise AttributeError


def test_a_change_in_place_is_seen_and_without_torchs_counter_everything_counts_as_one() -> None:
    weight = torch.zeros(1)
    before = compat.version_of(weight)
    assert compat.version_of(weight) == before
    weight.add_(1)
    assert compat.version_of(weight) != before
    uncounted = torch.zeros(1).as_subclass(Uncounted)
    assert compat.version_of(uncounted) != compat.version_of(uncounted)


def test_text_features_are_computed_each_time_without_torchs_counter() -> None:
    calls: list[int] = []
    cache, head = TextFeatureCache(), torch.nn.Identity()
    weight, uncounted = torch.zeros(1), torch.zeros(1).as_subclass(Uncounted)

    def compute() -> Tensor:
        calls.append(1)
        return weight

    for expected in (1, 1):
        cache.features(head, "texts", [weight], compute)
        assert len(calls) == expected
    for expected in (2, 3):
        cache.features(head, "texts", [uncounted], compute)
        assert len(calls) == expected


def refuse(*arguments: object) -> None:
    raise ImportError("refused")


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "pv_compat.py").write_text("from lightning.pytorch import Callback\nclass Mine(Callback): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pv_compat", raising=False)
    return "pv_compat.Mine"


def parse_callback(path: str) -> str:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--callback", type=Callback)
    return str(parser.parse_args([f"--callback={path}"]).callback.class_path)


def test_jsonargparse_asks_before_it_imports(own_module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((jsonargparse_util, "check_import_path"), (typehints, "resolve_class_path_by_name")):
        monkeypatch.setattr(module, name, getattr(module, name))
    assert compat.check_before_import(refuse, refuse)
    with pytest.raises(jsonargparse.ArgumentError, match="refused"):
        parse_callback(own_module)
    assert "pv_compat" not in sys.modules


@pytest.mark.parametrize("changed", ["gone", "other arguments"])
def test_jsonargparses_own_lists_are_taken_when_it_asks_no_more(
    changed: str, own_module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jsonargparse import _common

    settings = {
        **_common.parsing_settings,
        "import_path_verdicts": dict(_common.parsing_settings["import_path_verdicts"]),
    }
    monkeypatch.setattr(_common, "parsing_settings", settings)
    patches = pytest.MonkeyPatch()
    if changed == "gone":
        patches.delattr(jsonargparse_util, "check_import_path")
    else:
        patches.setattr(typehints, "resolve_class_path_by_name", lambda name: name)
    asked: list[str] = []
    assert not compat.check_before_import(asked.append, refuse)
    patches.undo()
    with pytest.raises(jsonargparse.ArgumentError, match="not allowed"):
        parse_callback(own_module)
    assert "pv_compat" not in sys.modules
    assert parse_callback("lightning.pytorch.callbacks.ModelSummary").endswith("ModelSummary")
    assert asked == []


def test_a_setting_is_kept_from_wandb_where_lightning_shows_it() -> None:
    logger = WandbLogger(offline=True)
    assert "anonymous" in logger._wandb_init
    compat.keep_from_wandb(logger, "anonymous")
    assert "anonymous" not in logger._wandb_init
    del logger._wandb_init
    compat.keep_from_wandb(logger, "anonymous")


def test_a_workspace_is_written_by_its_documented_fields_when_it_has_no_specification(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspaces = pytest.importorskip("wandb_workspaces.workspaces")
    workspace = workspaces.Workspace(entity="me", project="mine", name="all", sections=[])
    whole = compat.workspace_view(workspace)
    assert whole["entity"] == "me"
    assert whole["displayName"] == "all"
    assert "section" in whole["spec"]
    monkeypatch.delattr(workspaces.Workspace, "_to_model")
    fields = compat.workspace_view(workspace)
    assert (fields["entity"], fields["project"], fields["name"]) == ("me", "mine", "all")
