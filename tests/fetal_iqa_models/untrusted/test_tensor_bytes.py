"""Weights are read, not mapped: a file that is shortened meanwhile ends in one line."""

import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fetal_iqa_models import load_encoder, load_model
from fetal_iqa_models.checkpoints import apart, read_checkpoint
from fetal_iqa_models.errors import ModelError, WeightsError
from fetal_iqa_models.folders import resolve_model
from fetal_iqa_models.untrusted.tensor_bytes import TensorBytes
from fetal_iqa_models.untrusted.tensors import _DTYPES, read_safetensors

MANY = {f"w{number}": torch.full((64, 1024), float(number)) for number in range(4)}


def write(path):
    save_file(MANY, path) if path.suffix == ".safetensors" else torch.save(MANY, path)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be shortened")
@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_a_checkpoint_that_is_shortened_between_look_and_reading_is_refused(tmp_path, name):
    path = write(tmp_path / name)

    def cut(tensors):
        assert {key: tensor.shape for key, tensor in tensors.items()} == {
            key: tensor.shape for key, tensor in MANY.items()
        }
        os.truncate(path, path.stat().st_size // 2)

    with pytest.raises(WeightsError, match=r"again$") as caught:
        read_checkpoint(path, cut)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_nothing_is_ever_mapped(tmp_path, name):
    path = write(tmp_path / name)
    mapped = []

    def note(tensors):
        mapped.append(str(path) in Path("/proc/self/maps").read_text())

    found = read_checkpoint(path, note)
    note(found)
    assert mapped == [False, False]
    assert all(torch.equal(found[key], MANY[key]) for key in MANY)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be shortened")
def test_a_model_whose_file_is_shortened_while_it_is_read_is_refused(tmp_path, monkeypatch):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(resolve_model("demo-seg"), folder)
    read = TensorBytes.read_into

    def cut_and_read(self, name, memory):
        os.truncate(folder / "head.safetensors", 500)
        os.truncate(folder / "encoder.safetensors", 500)
        read(self, name, memory)

    monkeypatch.setattr(TensorBytes, "read_into", cut_and_read)
    with pytest.raises(ModelError, match=r"was shortened while it was read") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_what_is_refused_by_its_names_is_never_read(tmp_path, monkeypatch):
    monkeypatch.setattr(TensorBytes, "read_into", lambda *_: pytest.fail("read"))
    with pytest.raises(WeightsError, match="not a checkpoint of this encoder"):
        load_encoder("fetalclip-tiny", write(tmp_path / "a.safetensors"))


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
@pytest.mark.parametrize("error", [MemoryError("no room"), ZeroDivisionError(), WeightsError("no")])
def test_what_a_check_raises_is_not_taken_for_a_damaged_file(tmp_path, name, error):
    def fail(tensors):
        raise error

    with pytest.raises(type(error)) as caught:
        read_checkpoint(write(tmp_path / name), fail)
    assert caught.value is error


def test_every_type_is_read_as_safetensors_does(tmp_path):
    generator = torch.Generator().manual_seed(0)
    tensors = {"none": torch.empty(0, 3), "one": torch.tensor(2.5)}
    for name, dtype in _DTYPES.items():
        bits = torch.randint(0, 2, (4, 3, dtype.itemsize), generator=generator, dtype=torch.uint8)
        tensors[name] = bits.view(dtype)[..., 0] if dtype.itemsize > 1 else bits[..., 0].view(dtype)
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, tmp_path / "a.safetensors")

    found, expected = (
        read_safetensors(tmp_path / "a.safetensors"),
        load_file(tmp_path / "a.safetensors"),
    )

    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        as_bytes = [one.reshape(-1).view(torch.uint8) for one in (found[name], tensor)]
        assert torch.equal(*as_bytes)


def test_only_what_shares_memory_is_copied():
    own, large = torch.ones(4, 3), torch.ones(5, 5)
    tensors = {"own": own, "tied": own, "view": large[1], "turned": large.T}
    alone = apart(tensors)
    assert alone["own"].data_ptr() == own.data_ptr()
    for name, tensor in tensors.items():
        assert torch.equal(alone[name], tensor)
        assert alone[name].untyped_storage().nbytes() == tensor.nbytes
        assert alone[name].is_contiguous()
    assert len({tensor.data_ptr() for tensor in alone.values()}) == 4
