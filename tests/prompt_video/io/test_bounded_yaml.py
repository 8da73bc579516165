"""YAML that asks for more than it is long."""

from pathlib import Path

import pytest

from prompt_video.cli import main
from prompt_video.io.bounded_yaml import check_bounds, safe_load

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)
)


@pytest.mark.parametrize("text", ["[" * 50_000, "- " * 500, "".join(f"{' ' * i}a:\n" for i in range(300)), BOMB,
                                  "a: &a [*a]", "? " * 300])  # fmt: skip
def test_what_asks_for_more_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RecursionError):
        check_bounds(text)
    (tmp_path / "x.yaml").write_text(text)
    assert main(["fit", "--config", str(tmp_path / "x.yaml")]) == 1
    error = capsys.readouterr().err
    assert "x.yaml is nested too deeply, or holds itself." in error
    assert len(error.splitlines()) == 1


def test_all_else_is_read() -> None:
    assert safe_load("a: &a {b: [1, 2]}\nc: *a\n") == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}
    assert safe_load(f"{'[' * 90}{']' * 90}")
    check_bounds("a: [")  # no YAML, which its reader says
    check_bounds("a: *none")
