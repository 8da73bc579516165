"""Whoever imports a module of ours finds all else as it was: log levels, environment, warnings, random numbers."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
# The libraries come first: what they change at their import is theirs.
PROGRAM = """
import ast, importlib, json, locale, logging, multiprocessing, os, random, signal, sys, warnings
from pathlib import Path

packages = ("data_modules", "prompt_video")
files = [file for package in packages for file in Path(package).rglob("*.py") if file.name != "__main__.py"]
modules = [".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files]


def libraries(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def state():
    import av, matplotlib, numpy, torch
    from jsonargparse import _common, _loaders_dumpers, _util

    return {
        "environment": dict(os.environ),
        "arguments": sys.argv,
        "path": sys.path,
        "folder": os.getcwd(),
        "umask": [os.umask(mask := os.umask(0)), mask][1],
        "warnings": [str(each) for each in warnings.filters],
        "logging": {
            name: [one.level, one.propagate, one.disabled, str(one.handlers), str(one.filters)]
            for name in ("root", *packages, *loggers)
            for one in [logging.root if name == "root" else logging.getLogger(name)]
        },
        "video logging": av.logging.get_level(),
        "logging off": logging.root.manager.disable,
        "processes": multiprocessing.get_start_method(allow_none=True),
        "sharing": torch.multiprocessing.get_sharing_strategy(),
        "backend": matplotlib.get_backend(auto_select=False),
        "matplotlib": {name: str(matplotlib.rcParams[name]) for name in matplotlib.rcParams if name != "backend"},
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "precision": [str(torch.get_default_dtype()), torch.get_float32_matmul_precision(),
                      torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.benchmark],
        "gradients": [torch.is_grad_enabled(), torch.is_inference_mode_enabled()],
        "random": [hash(random.getstate()), str(numpy.random.get_state()), torch.random.get_rng_state().tolist()],
        "numpy": [numpy.geterr(), numpy.get_printoptions()],
        "signals": {number: str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)},
        "hooks": [str(sys.excepthook), str(sys.meta_path), str(sys.stdout), str(sys.stderr)],
        "limits": [sys.getrecursionlimit(), sys.get_int_max_str_digits()],
        "locale": locale.setlocale(locale.LC_ALL),
        "parsers": [str(_common.parsing_settings), str(_util.check_import_path)],
        "loaders": {name: str(loader) for name, loader in _loaders_dumpers.loaders.items() if name != "words"},  # ours
    }


for library in sorted({name for file in files for name in libraries(file)}):
    if library.partition(".")[0] not in packages:
        try:
            importlib.import_module(library)
        except ImportError:
            pass
loggers = sorted(logging.root.manager.loggerDict)  # libraries that are imported late make some of their own
before = json.dumps(state(), default=str, sort_keys=True)
for module in modules:
    importlib.import_module(module)
after = state()
for key, value in json.loads(before).items():
    now = json.loads(json.dumps(after[key], default=str, sort_keys=True))
    if now != value:
        print(key, [value, now] if not isinstance(value, dict) else
              {name: (value.get(name), now.get(name)) for name in value | now if value.get(name) != now.get(name)})
print(len(modules), "modules")
"""
# What a module does when it is imported, beside defining things: a parser of ours gets a name.
DONE = ["set_loader(MODE, _as_typed)"]


def deeds(body: list[ast.stmt]) -> Iterator[str]:
    """Calls for their own sake, and changes of what belongs to another."""
    for statement in body:
        if isinstance(statement, ast.If | ast.Try | ast.With | ast.For):
            if "__main__" not in ast.unparse(statement):
                yield from deeds([*statement.body, *getattr(statement, "orelse", [])])
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            yield ast.unparse(statement)
        elif isinstance(statement, ast.Assign | ast.AugAssign | ast.Delete):
            targets = [statement.target] if isinstance(statement, ast.AugAssign) else statement.targets
            if any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets):
                yield ast.unparse(statement)


def test_deeds_are_seen() -> None:
    text = (
        "import os\nif True:\n    os.environ['A'] = '1'\nelse:\n    os.umask(0)\nB = os.getcwd()\ndel os.environ['C']\n"
    )
    assert list(deeds(ast.parse(text).body)) == ["os.environ['A'] = '1'", "os.umask(0)", "del os.environ['C']"]


def test_modules_do_nothing_when_they_are_imported() -> None:
    files = [file for package in ("data_modules", "prompt_video") for file in (REPOSITORY / package).rglob("*.py")]
    assert len(files) > 100
    found = [
        deed
        for file in files
        if file.name != "__main__.py"
        for deed in deeds(ast.parse(file.read_text(encoding="utf-8")).body)
    ]
    assert found == DONE


@pytest.mark.slow
def test_imports_change_nothing_else() -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, timeout=300
    )
    assert process.returncode == 0, process.stderr
    *changes, told = process.stdout.splitlines()
    assert changes == []
    assert int(told.split()[0]) > 100, json.dumps(told)
