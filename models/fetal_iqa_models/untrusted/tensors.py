"""The tensors of a safetensors file, each read once into memory of its own."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from fetal_iqa_models.untrusted.bounds import LARGEST_CHECKPOINT
from fetal_iqa_models.untrusted.tensor_bytes import TensorBytes, opened_tensors
from fetal_iqa_models.untrusted.tensor_header import TensorEntry
from fetal_iqa_models.untrusted.verdicts import RefusedError

_DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "U16": torch.uint16,
    "U32": torch.uint32,
    "U64": torch.uint64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "C64": torch.complex64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
}
"""By the format's names."""


def read_safetensors(
    path: Path,
    check: Callable[[dict[str, Tensor]], object] | None = None,
    largest: int = LARGEST_CHECKPOINT,
) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file.

    Parameters
    ----------
    path : Path
    check : callable, optional
        Called before anything is read with the tensors as they will be, but on the device "meta":
        what it refuses costs no memory.
    largest : int
        Bytes that the file may have.

    Returns
    -------
    dict of str to Tensor
        On the CPU.

    Raises
    ------
    OSError, DamagedError, RefusedError
        See :func:`~fetal_iqa_models.untrusted.tensor_bytes.opened_tensors`; and whatever ``check``
        raises.
    """
    with opened_tensors(path, largest) as file:
        tensors = file.header.tensors
        if check is not None:
            check({name: _blank(entry, "meta") for name, entry in tensors.items()})
        return read_named(file, tensors)


def read_named(file: TensorBytes, names: Iterable[str]) -> dict[str, Tensor]:
    """Read some tensors of an open file; they must be there."""
    found = {}
    for name in names:
        found[name] = tensor = _blank(file.header.tensors[name], "cpu")
        if tensor.numel():
            file.read_into(name, tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found


def _blank(entry: TensorEntry, device: str) -> Tensor:
    if entry.dtype not in _DTYPES:
        raise RefusedError("holds numbers of a type that no encoder has")
    return torch.empty(entry.shape, dtype=_DTYPES[entry.dtype], device=device)
