"""Binary masks in a compact form: one bit a pixel, deflated; about 1 kB for an abdomen."""

import zlib
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_FASTEST = 1
"""zlib's level: 1.4 kB an abdomen; level 9 makes it 0.8 kB, and takes 100 times as long."""

_CHUNK = 1 << 16
"""More than a packed frame of ACOUSLIC-AI (52 kB): most masks are inflated in one go."""


def encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """Pack a (H, W) mask; non-zero counts as abdomen."""
    return zlib.compress(np.packbits(np.asarray(mask) != 0).tobytes(), _FASTEST)


def decode_mask(code: bytes, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Unpack what :func:`encode_mask` packed.

    Parameters
    ----------
    code : bytes
    shape : (H, W) of the mask that was packed

    Raises
    ------
    ValueError
        Where the bytes are damaged or belong to another shape; memory stays bounded by the shape.
    """
    rows, columns = shape
    packed = b"".join(_inflated(code, shape))
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=rows * columns)
    return bits.view(np.bool_).reshape(shape)


def check_code(code: bytes, shape: tuple[int, int]) -> None:
    """Check that :func:`decode_mask` can unpack a mask, in little memory whatever its shape.

    Raises
    ------
    ValueError
        Where it cannot.
    """
    for _ in _inflated(code, shape):
        pass


@lru_cache(maxsize=4096)
def outlines_something(code: bytes) -> bool:
    """Whether a packed mask has a pixel inside, whatever its shape; not where it is damaged."""
    inflater = zlib.decompressobj()
    try:
        piece = inflater.decompress(code, _CHUNK)
        while piece and not any(piece):
            piece = inflater.decompress(inflater.unconsumed_tail, _CHUNK)
    except zlib.error:
        return False
    return bool(piece)


def _inflated(code: bytes, shape: tuple[int, int]) -> Iterator[bytes]:
    """Inflate a mask piece by piece, and not a byte more than its shape has."""
    rows, columns = shape
    size = (rows * columns + 7) // 8
    found = 0
    inflater = zlib.decompressobj()
    try:
        piece = inflater.decompress(code, min(size + 1, _CHUNK))
        while piece and found + len(piece) <= size:
            found += len(piece)
            yield piece
            piece = inflater.decompress(inflater.unconsumed_tail, min(size + 1 - found, _CHUNK))
    except zlib.error as error:
        raise ValueError(f"damaged mask: {error}") from None
    found += len(piece)
    if found != size:
        more = "more than " if found > size else ""
        raise ValueError(
            f"damaged mask: {more}{min(found, size)} bytes where {rows} x {columns} needs {size}"
        )
    if not inflater.eof:
        raise ValueError("damaged mask: its end is missing")
