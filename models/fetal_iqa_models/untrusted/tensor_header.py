"""Read the header of a safetensors file, strictly.

The library checks offsets, too, but takes headers of 100 MB, and of a name that stands there twice
it believes one.
"""

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from fetal_iqa_models.untrusted.bounds import (
    LARGEST_CHECKPOINT,
    LARGEST_HEADER,
    MOST_AXES,
    MOST_TENSORS,
)
from fetal_iqa_models.untrusted.regular import open_regular
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError

_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
}
"""Of one value, by the format's name of its type."""


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a safetensors file.

    Parameters
    ----------
    dtype : str
        The format's own name.
    shape : tuple of int
    start, stop : int
        Of its bytes, in the file.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class TensorHeader:
    """What a safetensors file says that it holds.

    Parameters
    ----------
    tensors : dict of str to TensorEntry
    metadata : dict of str to str
    """

    tensors: dict[str, TensorEntry]
    metadata: dict[str, str]


def read_tensor_header(path: Path, largest: int = LARGEST_CHECKPOINT) -> TensorHeader:
    """Read and check the header of a safetensors file.

    Parameters
    ----------
    path : Path
    largest : int
        Bytes that the file may have.

    Returns
    -------
    TensorHeader
        Its tensors lie one behind the other and fill the file.

    Raises
    ------
    OSError
        Where the file is missing, not a regular file, or cannot be read.
    DamagedError
    RefusedError
    """
    with open_regular(path) as file:
        return tensor_header_of(file, largest)


def tensor_header_of(file: BinaryIO, largest: int = LARGEST_CHECKPOINT) -> TensorHeader:
    """Read and check the header of an open safetensors file, as :func:`read_tensor_header`."""
    size = file.seek(0, 2)
    if size > largest:
        raise RefusedError(f"is larger than {largest >> 30} GiB")
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        raise DamagedError
    if length > LARGEST_HEADER:
        raise RefusedError("lists more than any genuine checkpoint holds")
    content = file.read(length)
    try:
        header = json.loads(content, object_pairs_hook=_each_once)
        return _checked(header, 8 + length, size)
    # RecursionError: nested; ValueError: no JSON, a number of thousands of digits, too few fields
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _checked(header: dict[str, Any], start: int, size: int) -> TensorHeader:
    metadata = header.pop("__metadata__", None) or {}
    if not all(isinstance(value, str) for value in metadata.values()):
        raise DamagedError
    if len(header) > MOST_TENSORS:
        raise RefusedError("lists more than any genuine checkpoint holds")
    tensors = {name: _entry(fields, start) for name, fields in header.items()}
    end = start
    for entry in sorted(tensors.values(), key=lambda entry: (entry.start, entry.stop)):
        if entry.start != end:  # a gap, or bytes of two tensors
            raise DamagedError
        end = entry.stop
    if end != size:
        raise DamagedError
    return TensorHeader(tensors, metadata)


def _entry(fields: dict[str, Any], start: int) -> TensorEntry:
    first, last = fields["data_offsets"]
    shape = fields["shape"]
    if len(shape) > MOST_AXES or fields.keys() != {"dtype", "shape", "data_offsets"}:
        raise DamagedError
    # 2**63: Python's own numbers have no end, and a product of them takes for ever
    if not all(type(number) is int and 0 <= number < 2**63 for number in (first, last, *shape)):
        raise DamagedError
    if last - first != prod(shape) * _BYTES[fields["dtype"]]:
        raise DamagedError
    return TensorEntry(fields["dtype"], tuple(shape), start + first, start + last)
