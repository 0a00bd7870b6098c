import pytest
import torch

from fetal_iqa_models import DeviceError, choose_device


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    cuda, mps = request.param
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [((True, True), "cuda"), ((False, True), "mps"), ((False, False), "cpu")],
    indirect=["machine"],
)
@pytest.mark.usefixtures("machine")
def test_auto_prefers_cuda_then_mps_then_cpu(expected: str) -> None:
    assert choose_device("auto").type == expected
    assert choose_device().type == expected
    assert choose_device("cpu").type == "cpu"
    assert choose_device(expected).type == expected


@pytest.mark.parametrize("machine", [(False, False)], indirect=True)
@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("name", ["cuda", "mps", "tpu", ""])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(DeviceError, match="auto"):
        choose_device(name)
