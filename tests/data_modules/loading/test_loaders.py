import pytest
import torch

from data_modules.errors import InputError
from data_modules.loading.loaders import loader_options


def test_only_a_gpu_is_given_page_locked_memory() -> None:
    for device in (None, torch.device("cpu"), torch.device("mps")):
        assert loader_options(device, 2, stored=True) == {"num_workers": 2}
    gpu = torch.device("cuda:1")
    assert loader_options(gpu, 2, stored=True) == {"num_workers": 2, "pin_memory": True, "prefetch_factor": 4}
    assert loader_options(gpu, 2) == {"num_workers": 2, "pin_memory": True}, "decoded frames would fill the memory"
    assert loader_options(gpu, 0, stored=True) == {"num_workers": 0, "pin_memory": True}


def test_where_nobody_asks_stored_features_on_a_cpu_need_no_process() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert loader_options(cpu, None, stored=True, persistent=True) == {"num_workers": 0}
    assert loader_options(cpu, None, persistent=True) == {"num_workers": 2, "persistent_workers": True}
    assert loader_options(gpu, None, stored=True)["num_workers"] == 2


def test_a_folder_for_temporary_files_in_which_tensors_would_be_lost_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/" + "t" * 75)
    assert loader_options(None, 0) == {"num_workers": 0}
    with pytest.raises(InputError, match="set TMPDIR to one of 75 letters or fewer"):
        loader_options(None, 2)
