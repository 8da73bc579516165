"""The wheel alone, in an environment without the checkout, does what the README says."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("hatchling")
REPOSITORY = Path(__file__).parents[1]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of the checkout as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet", f"--wheel-dir={folder}"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(REPOSITORY)], check=True, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """``prompt-video`` of an environment of its own: of this one's packages only those of others are seen."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DATA_ROOT"))}
    python = folder / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip())
    with zipfile.ZipFile(wheel) as content:
        content.extractall(site)
    # Behind the wheel's own; files with the ending .pth, one of which names the checkout, are read in the first alone.
    (site / "others.pth").write_text(sysconfig.get_path("purelib"))
    work = tmp_path_factory.mktemp("work")
    code = "import sys; from prompt_video.cli import main; sys.exit(main())"

    def call(*arguments: str, code: str = code) -> subprocess.CompletedProcess[str]:
        command = [str(python), "-c", code, *arguments]
        return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)

    return call


@pytest.mark.slow
def test_the_wheel_has_experiments_and_no_benchmark(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "prompt_video/experiments/hmdb51_closed.yaml" in names
    assert "prompt_video/experiments/parts/methods/prompts_temporal.yaml" in names
    assert "prompt_video/demo/program.py" in names
    assert {"prompt_video/web/page.html.jinja", "prompt_video/web/static/page.js"} <= set(names)
    assert not [name for name in names if "/bench/" in name]


@pytest.mark.slow
def test_an_installed_wheel_is_enough(run: Run) -> None:
    where = run(code="import prompt_video, data_modules; print(prompt_video.__file__, data_modules.__file__)")
    assert str(REPOSITORY) not in where.stdout.replace(str(Path(sys.prefix)), ""), "the checkout is not seen"

    assert "hmdb51_closed" in run("list", "experiments").stdout
    copied = run("copy", "demo_closed", "--out", "mine.yaml")
    assert copied.returncode == 0, copied.stderr
    small = ["--trainer.max_steps=2", "--data.train_videos=2", "--data.val_videos=1", "--data.test_videos=1"]
    small += ["--wandb=disabled", "--quiet=true", "--data.num_workers=0", "--trainer.accelerator=cpu"]
    for config, method in (("demo_closed", []), ("mine.yaml", ["--method=prompts"])):
        fit = run("fit", f"--config={config}", *small, *method)
        assert fit.returncode == 0, fit.stderr
    code = "from pathlib import Path; print(*Path('runs').glob('*/*/results.json'), *Path('data').rglob('*.mp4'))"
    written = run(code=code).stdout.split()
    assert {Path(path).parts[1] for path in written if path.startswith("runs")} == {"demo_closed", "mine_prompts"}
    video = next(path for path in written if path.endswith(".mp4"))
    label = run("label", video, "--classes=a star moving left, a circle spinning")
    assert label.returncode == 0, label.stderr
    assert "star" in label.stdout

    bench = run("bench")
    assert bench.returncode == 1
    assert "a part of the repository" in bench.stderr
    assert "completion" in run("--help").stdout
    assert run("completion", "bash").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own_videos", "few_shots"])
def test_the_steps_of_the_notebooks_need_no_more_than_the_wheel(run: Run, name: str) -> None:
    notebook = json.loads((REPOSITORY / "docs" / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    done = run(code="\n".join(cells))
    assert done.returncode == 0, done.stderr
