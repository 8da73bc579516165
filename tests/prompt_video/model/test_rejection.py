import json
import logging
import math
from pathlib import Path

import pytest
import torch

from data_modules.data_sets.class_lists import class_list
from data_modules.errors import InputError
from prompt_video.model.rejection import Rejection, bank_share, choose_threshold, confidences
from prompt_video.model.text_bank import read_bank, without_candidates


def test_share_is_that_of_a_plain_loop() -> None:
    scores, bank = torch.randn(4, 3) * 5, torch.randn(4, 7) * 5
    wanted = []
    for row, others in zip(scores.tolist(), bank.tolist(), strict=True):
        own = sum(math.exp(score) for score in row)
        wanted.append(own / (own + sum(math.exp(score) for score in others)))
    torch.testing.assert_close(bank_share(scores, bank), torch.tensor(wanted))


def test_share_in_exact_cases() -> None:
    same = torch.zeros(1, 4)
    assert bank_share(same, same).item() == 0.5
    torch.testing.assert_close(bank_share(same, torch.zeros(1, 12)), torch.tensor([0.25]))
    assert bank_share(same, same - 1e4).item() == 1
    assert bank_share(same - 1e4, same).item() == 0


def test_confidence_is_the_best_probability_of_any_kind_or_the_share() -> None:
    independent = torch.tensor([[0.9, 0.8], [0.1, 0.2]])
    assert confidences(independent).tolist() == pytest.approx([0.9, 0.2])
    assert confidences(independent, torch.tensor([0.3, 0.4])).tolist() == pytest.approx([0.3, 0.4])
    assert Rejection(0.2).is_known(confidences(independent)).tolist() == [True, True]
    assert Rejection(0.5).is_known(confidences(independent)).tolist() == [True, False]


@pytest.mark.parametrize("threshold", [-0.1, 1.01, math.nan, math.inf])
def test_a_threshold_outside_its_range_is_refused(threshold: float) -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        Rejection(threshold)


def test_one_class_needs_a_bank() -> None:
    with pytest.raises(InputError, match="'running' is the only class"):
        Rejection(0.5).check(["running"])
    Rejection(0.5, ("sitting",)).check(["running"])
    Rejection(0.5).check(["running", "sitting"])


def test_comes_back_from_json() -> None:
    for rule in (Rejection(0.25), Rejection(0.5, ("sitting", "lying"), ("running",))):
        assert Rejection.of(json.loads(json.dumps(rule.state()))) == rule
    assert Rejection.of(None) is None
    damaged: object
    for damaged in ({"threshold": "high"}, {"bank": []}, {"threshold": 0.5, "other": 1}, [1], {"threshold": 7.0}):
        with pytest.raises(InputError):
            Rejection.of(damaged)


def test_holds_for_the_classes_that_it_was_calibrated_with() -> None:
    assert Rejection(0.5).holds_for(["anything"])
    calibrated = Rejection(0.5, (), ("running", "sitting"))
    assert calibrated.holds_for(["sitting", "running"])
    assert not calibrated.holds_for(["sitting", "lying"])


def best_by_trying(known: list[float], unknown: list[float]) -> float:
    """The highest mean share that any of many thresholds comes to, of those that keep 9 in 10."""
    kept = {t: sum(k >= t for k in known) for t in (step / 10_000 for step in range(10_001))}
    return max(
        (count / len(known) + sum(u < t for u in unknown) / len(unknown)) / 2
        for t, count in kept.items()
        if 10 * count >= 9 * len(known)
    )


def test_threshold_is_as_good_as_the_best_that_keeps_enough() -> None:
    torch.manual_seed(0)
    for count in (5, 9, 40, 41):
        for _ in range(5):
            known = (torch.rand(count) * 0.8 + 0.2).tolist()
            unknown = (torch.rand(7) * 0.8).tolist()
            chosen = choose_threshold(known, unknown)
            own = (chosen.kept / chosen.known + chosen.refused / chosen.unknown) / 2
            if chosen.refused:
                assert own == pytest.approx(best_by_trying(known, unknown))
            else:
                assert chosen.threshold == choose_threshold(known).threshold
            assert chosen.kept == sum(value >= chosen.threshold for value in known)


def test_a_few_others_do_not_cost_half_of_the_known_clips() -> None:
    known = [number / 40 for number in range(1, 41)]
    chosen = choose_threshold(known, [0.5, 0.51, 0.52])
    assert chosen.kept == 38
    assert chosen.refused == 0
    assert choose_threshold([0.0, 0.0, 0.9], [0.5]).kept == 3  # there is nothing below 0


def test_threshold_is_in_the_middle_of_the_gap() -> None:
    chosen = choose_threshold([0.9, 0.8], [0.1, 0.4])
    assert chosen.threshold == pytest.approx(0.6)
    assert (chosen.kept, chosen.refused) == (2, 2)
    assert "keeps 2 of 2 clips of the classes, and refuses 2 of 2 others" in chosen.describe()


def test_threshold_without_others_keeps_most_of_the_known() -> None:
    known = [number / 40 for number in range(40)]
    chosen = choose_threshold(known)
    assert (chosen.kept, chosen.threshold) == (38, 2 / 40)
    assert choose_threshold([0.7]).threshold == 0.7
    with pytest.raises(InputError, match="no clip of the classes"):
        choose_threshold([], [0.5])


def test_equal_confidences_keep_all_known_clips_rather_than_none() -> None:
    chosen = choose_threshold([0.5, 0.5], [0.5])
    assert (chosen.kept, chosen.refused) == (2, 0)
    assert 0 <= chosen.threshold <= 1


def test_packaged_banks_and_files(tmp_path: Path) -> None:
    assert read_bank("kinetics700") == class_list("kinetics700")
    path = tmp_path / "bank.txt"
    path.write_text("an empty room\n\nan empty room\na wall\n", encoding="utf-8")
    assert read_bank(str(path)) == ("an empty room", "a wall")
    with pytest.raises(InputError, match=r"there is no bank 'nothing'.*kinetics700"):
        read_bank("nothing")
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match="is empty"):
        read_bank(str(path))


def test_a_candidate_in_the_bank_is_taken_out_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    bank = ("riding a bike", "Running", "lying", "the guitar playing")
    with caplog.at_level(logging.WARNING):
        assert without_candidates(bank, ("ride bike", "run", "play guitar")) == ("lying",)
    (record,) = caplog.records
    assert "'riding a bike' ('ride bike') and 2 more" in record.getMessage()
    with pytest.raises(InputError, match="every text of the bank"):
        without_candidates(("runs",), ("running",))
    caplog.clear()
    assert without_candidates(("lying",), ("running",)) == ("lying",)
    assert not caplog.records
