"""Private parts of other libraries, all that are used, each with a public way for the day that it is gone.

None of them is needed: without one something is slower, or said less well. ``pyproject.toml`` bounds the versions of
the libraries that are touched here.
"""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger  # seconds, which the frozen backbone needs not

Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]
CheckPath = Callable[[str], None]
CheckClass = Callable[[str, tuple[type, ...]], None]


def cpu_linear() -> Product:
    """``x @ weight.T + bias`` of float32 on a CPU, without gradients.

    Torch's CPU build carries two matrix libraries, and `torch.nn.functional.linear`, the public way, calls MKL, which
    on AMD processors is half as fast as oneDNN (on Intel's they are alike). This operator of oneDNN's is what
    torch.compile itself uses.
    """
    operator = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    if operator is None or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return F.linear

    def product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return operator(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]

    one = torch.ones(1, 1)
    try:
        return product if torch.equal(product(one, one, one[0]), F.linear(one, one, one[0])) else F.linear
    except (RuntimeError, TypeError):  # it takes other arguments now
        return F.linear


def version_of(weight: Tensor) -> object:
    """What differs after each change of a tensor in place; without torch's counter, at every call."""
    return getattr(weight, "_version", object())


def check_before_import(check_path: CheckPath, check_class: CheckClass) -> bool:
    """Have jsonargparse ask before it imports what a setting names, from now on.

    Its public way are lists of packages that may be imported, and it is taken where the functions that import are no
    longer those that are known here: only classes of installed packages that we use can then be named.

    Args:
        check_path: raises for an import path that is not to be imported.
        check_class: the same, given the classes one of which it must be.

    Returns:
        Whether what is asked are these; False: jsonargparse's own lists.
    """
    try:
        import jsonargparse._typehints as typehints
        import jsonargparse._util as util

        check: CheckPath = util.check_import_path  # type: ignore[attr-defined]
        resolve: Callable[..., str] = typehints.resolve_class_path_by_name
        if [*inspect.signature(check).parameters, *inspect.signature(resolve).parameters] != ["path", "cls", "name"]:
            raise AttributeError("other arguments")
    except (ImportError, AttributeError):
        _allow_imports()
        return False

    def check_import_path(path: str) -> None:
        check_path(path)
        check(path)

    def resolve_class_path_by_name(cls: type | tuple[type, ...], name: str) -> str:
        path = resolve(cls, name)
        kinds = tuple(kind for kind in (cls if isinstance(cls, tuple) else (cls,)) if isinstance(kind, type))
        if "." in path and kinds:
            check_class(path, kinds)
        return path

    util.check_import_path = check_import_path  # type: ignore[attr-defined]
    typehints.resolve_class_path_by_name = resolve_class_path_by_name
    return True


def _allow_imports() -> None:
    from jsonargparse import set_parsing_settings

    packages = ["prompt_video", "data_modules", "lightning", "torch", "builtins"]
    set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=packages)


def keep_from_wandb(logger: "WandbLogger", setting: str) -> None:
    """Leave out a setting that Lightning passes to wandb in any case; otherwise wandb may warn about it."""
    getattr(logger, "_wandb_init", {}).pop(setting, None)


def workspace_view(workspace: Any) -> dict[str, Any]:  # noqa: ANN401 - wandb-workspaces is untyped
    """What saving a workspace of wandb would send, ready for JSON; else its fields as they are documented."""
    try:
        view = workspace._to_model()
        spec = view.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {"entity": view.entity, "project": view.project, "displayName": view.display_name, "spec": spec}
    except AttributeError:
        from pydantic import TypeAdapter

        fields: dict[str, Any] = TypeAdapter(type(workspace)).dump_python(workspace, mode="json", exclude_none=True)
        return fields
