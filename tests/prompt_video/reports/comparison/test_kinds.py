import pytest

from prompt_video.reports.comparison.kinds import ENVIRONMENT, RESULTS, misfit

CONFIDENCE = {"test/top1": {"mean": 0.5, "std": 0.1, "ci95": None, "trials": 3}}


def test_what_runs_write_fits() -> None:
    assert (
        misfit({"seed": None, "tested": "a", "metrics": {"a": 1}, "confidence": CONFIDENCE, "own": [1]}, RESULTS)
        is None
    )
    environment = {"command": ["a"], "git": None, "packages": {"torch": "2", "av": None}, "gpus": [], "processor": "x"}
    assert misfit(environment, ENVIRONMENT) is None
    assert misfit({"git": {"commit": "a", "changed": True}}, ENVIRONMENT) is None


@pytest.mark.parametrize(
    ("results", "place"),
    [
        ({"seed": "x"}, "seed"),
        ({"tested": ["a"]}, "tested"),
        ({"confidence": "x"}, "confidence"),
        ({"confidence": {"a": 0.5}}, "confidence.a"),
        ({"confidence": {"a": {"ci95": [1]}}}, "confidence.a.ci95"),
        ({"confidence": {"a": {"std": float("inf")}}}, "confidence.a.std"),
        ({"confidence": {"a": {"ci95": float("nan")}}}, "confidence.a.ci95"),
        ({"metrics": {"a": 10**400}}, "metrics.a"),
        ({"metrics": {"a": float("inf")}}, "metrics.a"),
    ],
)
def test_what_does_not_is_named(results: dict[str, object], place: str) -> None:
    assert misfit(results, RESULTS) == place


@pytest.mark.parametrize(
    ("environment", "place"),
    [({"command": "a"}, "command"), ({"command": [1]}, "command"), ({"git": 1}, "git"), ({"gpus": [None]}, "gpus"),
     ({"packages": {"a": 1}}, "packages.a"), ({"git": {"commit": 1}}, "git.commit")],
)  # fmt: skip
def test_so_of_the_environment(environment: dict[str, object], place: str) -> None:
    assert misfit(environment, ENVIRONMENT) == place
