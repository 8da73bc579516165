import pytest
import torch

from prompt_video.bench.measure import Spread
from prompt_video.bench.parts import PARTS, load
from prompt_video.bench.plan import Measurement, Size, choose, recorded

SIZES = (Size("400 classes", 10240, 90), Size("200 classes", 5120, 40), Size("51 classes", 2048, 9, quick=True))


@pytest.mark.parametrize(
    ("free_mib", "chosen", "note"),
    [
        (11400.0, 0, None),
        (10240.0, 1, "400 classes take 10.0 GiB of memory, and 10.0 are free: measured at 200 classes"),
        (3072.0, 2, "400 classes take 10.0 GiB of memory, and 3.0 are free: measured at 51 classes"),
        (
            2048.0,
            None,
            "400 classes take 10.0 GiB of memory, and 2.0 are free; 51 classes still take 2.0: left out",
        ),
    ],
)
def test_the_largest_size_that_fits(free_mib: float, chosen: int | None, note: str | None) -> None:
    assert choose(SIZES, free_mib) == (None if chosen is None else SIZES[chosen], note)


def test_quick_and_devices_leave_sizes_out() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert Measurement(dict, SIZES).candidates(cpu, quick=True) == [SIZES[2]]
    assert Measurement(dict, SIZES, on="host").candidates(cuda, quick=False) == list(SIZES)
    assert Measurement(dict, SIZES, on="cuda").candidates(cpu, quick=False) == []


def test_every_part_has_a_quick_size_on_every_device() -> None:
    for measurements in load(PARTS).values():
        for device in map(torch.device, ("cpu", "cuda")):
            assert any(measurement.candidates(device, quick=True) for measurement in measurements)
        for measurement in measurements:
            mib = [size.mib for size in measurement.sizes]
            assert mib == sorted(mib, reverse=True), "the largest size comes first"


def test_medians_keep_their_names_and_ranges_stand_beside_them() -> None:
    figures, notes = recorded({"kind": {"ratio": Spread((2.0, 2.2, 2.1))}, "same": True, "once": Spread((4.0,))})
    assert figures == {"kind": {"ratio": 2.1, "ratio_range": [2.0, 2.2]}, "same": True, "once": 4.0}
    assert notes == []


def test_a_spread_that_is_too_wide_is_said() -> None:
    _, notes = recorded({"kind": {"ratio": Spread((2.0, 3.0, 2.1))}})
    assert notes == ["kind ratio is between 2 and 3 in 3 rounds: too wide to quote"]
