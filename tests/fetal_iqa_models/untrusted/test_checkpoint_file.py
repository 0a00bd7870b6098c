"""Genuine checkpoints pass, with the tensors that were saved."""

import os
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from fetal_iqa_models import WeightsError, WeightsStore, import_weights
from fetal_iqa_models.checkpoints import read_checkpoint

CASES = Path(os.environ.get("FETAL_IQA_DATA", Path(__file__).parents[4] / "shared" / "data"))
CASES = CASES.parent / "cases" / "weights"
DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32]
DTYPES += [torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64, torch.uint16]
DTYPES += [torch.float8_e4m3fn]


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Tensors as programs keep them: whole, transposed, cut out of others, repeated, empty."""
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    whole = torch.arange(max(1, int(np.prod(shape)))).to(torch.float32)[: int(np.prod(shape))]
    tensor = whole.reshape(shape).to(draw(st.sampled_from(DTYPES)))
    change = draw(st.sampled_from(["none", "turned", "part", "wide", "parameter", "named"]))
    if change == "turned" and tensor.ndim > 1:
        return tensor.transpose(0, 1)
    if change == "part" and tensor.ndim and tensor.shape[0] > 1:
        return tensor[1:]
    if change == "wide":
        return tensor.unsqueeze(0).expand(3, *tensor.shape)
    if change == "parameter" and tensor.is_floating_point():
        return torch.nn.Parameter(tensor, requires_grad=False)
    if change == "named":
        tensor.note = "an attribute"
    return tensor


def same(found: torch.Tensor, saved: torch.Tensor) -> bool:
    alike = found.dtype == saved.dtype and found.shape == saved.shape
    return alike and found.detach().contiguous().reshape(-1).view(torch.uint8).equal(
        saved.detach().contiguous().reshape(-1).view(torch.uint8)
    )


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: not name.startswith("module.") and name != "state_dict"
)


@given(st.dictionaries(names, tensors(), min_size=1, max_size=5), st.booleans(), st.booleans())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_torch_saves_is_read_bit_by_bit(
    tmp_path: Path, state: dict[str, torch.Tensor], zipped: bool, together: bool
) -> None:
    # types that the older layout has no name for: torch reads none there, either
    newer = {torch.uint16, torch.float8_e4m3fn}
    zipped = zipped or any(tensor.dtype in newer for tensor in state.values())
    if together:  # tied: two names of one tensor
        state["again"] = next(iter(state.values()))
    path = tmp_path / "weights.pt"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(path)
    assert found.keys() == state.keys()
    assert all(same(found[name], state[name]) for name in state)


WEIGHT = {"weight": torch.arange(6.0).reshape(2, 3)}


def of_training() -> dict[str, Any]:
    """Return what Lightning keeps of a training, by the optimizer and scheduler themselves."""
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 3, 9])
    return {
        "epoch": 3,
        "state_dict": network.state_dict(),
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [scheduler.state_dict()],
        "hyper_parameters": {"input_dim": 1024, "freeze_encoder": False, "names": {"a", "b"}},
        "callbacks": {"ModelCheckpoint": {"best": torch.tensor(0.5), "path": "a/b.ckpt"}},
        "others": (
            *(torch.float16, torch.Size([2]), torch.device("cuda:0"), b"raw", bytearray(b"raw")),
            *(1j, 2**70, -(2**40), 0.1, None, Counter("aab"), OrderedDict(a=[1, (2,)])),
        ),
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_what_training_keeps_beside_the_network_does_no_harm(tmp_path: Path, zipped: bool) -> None:
    content = of_training()
    path = tmp_path / "last.ckpt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(path)
    assert found.keys() == {"weight", "bias"}
    assert all(same(found[name], content["state_dict"][name]) for name in found)


@pytest.mark.parametrize(
    ("extra", "what"),
    [
        ({"score": np.float64(0.5)}, r"more than tensors \(objects of numpy\)"),
        ({"at": Path("a")}, r"more than tensors \(objects of pathlib\)"),
        ({"call": print}, "more than tensors"),
        ({"network": torch.nn.Linear(1, 1)}, "more than tensors"),
        ({"a": torch.zeros(2, device="meta")}, r"one without values \(of the device meta\)"),
        ({"a": torch.zeros(2).to_sparse()}, "a sparse one"),
        ({"a": torch.quantize_per_tensor(torch.zeros(2), 1.0, 0, torch.qint8)}, "a quantised one"),
    ],
    ids=["numpy", "path", "function", "module", "meta", "sparse", "quantised"],
)
@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_of_more_than_tensors_is_reported_so(
    tmp_path: Path, extra: dict[str, object], what: str
) -> None:
    for zipped in (True, False):
        path = tmp_path / "weights.ckpt"
        torch.save({"state_dict": {**WEIGHT}, **extra}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(WeightsError, match=what) as caught:
            read_checkpoint(path)
        assert "download" not in str(caught.value)
        if "more than" in what:
            assert str(caught.value).endswith("; save its state_dict alone")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("checkpoint_numpy.ckpt", r"objects of numpy\); save its state_dict alone$"),
        ("oc_meta.pt", r"one without values \(of the device meta\)$"),
    ],
)
def test_a_shared_case_is_reported_what_it_is(tmp_path: Path, name: str, what: str) -> None:
    if not (CASES / name).is_file():
        pytest.skip(f"{name} is not here: it lies beside the project")
    with pytest.raises(WeightsError, match=what):
        import_weights("fetalclip-tiny", CASES / name, WeightsStore(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_a_flipped_byte_is_noticed_wherever_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"a": torch.ones(300), "b": torch.zeros(500)}, path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if "/data/" in info.filename]
    for info in infos[:2]:
        damaged = bytearray(content)
        damaged[info.header_offset + 300] ^= 1  # behind what pads it
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match="not a readable weights file"):
            read_checkpoint(path)


def test_a_checkpoint_without_checksums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.ones(3)}, tmp_path / "w.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_checkpoint(tmp_path / "w.pt")["a"].tolist() == [1, 1, 1]


def test_a_compressed_archive_is_never_taken_for_the_values_themselves(tmp_path: Path) -> None:
    path, again = tmp_path / "weights.pt", tmp_path / "again.pt"
    torch.save(WEIGHT, path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(WeightsError, match=r"is compressed, .*; save it again with torch$"):
        read_checkpoint(again)


@given(st.dictionaries(names, tensors(), min_size=1, max_size=5))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_safetensors_writes_is_read_bit_by_bit(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    state = {name: tensor.detach().contiguous().clone() for name, tensor in state.items()}
    path = tmp_path / "weights.safetensors"
    save_file(state, path, metadata={"note": "a"})
    found = read_checkpoint(path)
    assert found.keys() == state.keys()
    assert all(same(found[name], state[name]) for name in state)


@pytest.mark.parametrize("write", [torch.save, save_file])
@pytest.mark.parametrize("name", ["café.pt", "a b.pt", "\x1b[2J.pt", "..pt", "x" * 200 + ".pt"])
def test_a_name_of_any_kind_is_no_odd_name(
    tmp_path: Path, name: str, write: Callable[[dict[str, torch.Tensor], Path], None]
) -> None:
    path = tmp_path / (name if write is torch.save else name.replace(".pt", ".safetensors"))
    write(WEIGHT, path)
    assert same(read_checkpoint(path)["weight"], WEIGHT["weight"])
