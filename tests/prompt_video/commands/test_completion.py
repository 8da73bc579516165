import shutil
import subprocess
from pathlib import Path

import pytest

from prompt_video.cli import main

ASK = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_shtab_prompt_video
echo "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_verbs_options_and_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "prompt-video"
    script.write_text(capsys.readouterr().out)
    (tmp_path / "mine.yaml").touch()

    def completed(*words: str) -> list[str]:
        command = ["bash", "-c", ASK, "bash", str(script), "prompt-video", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        assert not done.stderr
        return done.stdout.split()

    assert completed("la") == ["label"]
    assert completed("label", "--cl") == ["--classes", "--classes_file", "--classes_of"]
    assert completed("doctor", "--decode", "") == ["all", "sample", "none"]
    assert completed("fit", "--ck") == ["--ckpt"]
    assert completed("doctor", "--config", "mi") == ["mine.yaml"]
    assert completed("fit", "--method", "linear_p") == ["linear_probe"]


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "score-detections" in capsys.readouterr().out


def test_a_shell_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["completion", "fish"])
    assert "shell: expected one of bash, zsh, tcsh, not fish." in capsys.readouterr().err
