"""RLE frames (PS3.5, annex G), decoded no further than a frame is large."""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 64


def decode_rle(
    data: bytes, rows: int, columns: int, samples: int, kind: np.dtype[Any]
) -> NDArray[Any]:
    """Decode one frame.

    Parameters
    ----------
    data : bytes
        The fragment.
    rows, columns, samples : int
    kind : numpy dtype
        Of the result, in its native order.

    Returns
    -------
    (H, W) or (H, W, samples) array

    Raises
    ------
    ValueError
        Where the segments are not one for each byte of a pixel, or one is too short.
    """
    count, *offsets = struct.unpack_from("<16L", data)
    if count != samples * kind.itemsize:
        raise ValueError("other segments than a pixel has bytes")
    offsets = [*offsets[:count], len(data)]
    pixels = rows * columns
    frame = np.empty((samples, kind.itemsize, pixels), np.uint8)
    for number, plane in enumerate(frame.reshape(count, pixels)):  # most significant bytes first
        segment = data[offsets[number] : offsets[number + 1]]
        plane[:] = np.frombuffer(_unpacked(segment, pixels), np.uint8)
    whole = np.ascontiguousarray(np.moveaxis(frame, 1, 2)).view(kind.newbyteorder(">"))
    planes = whole[..., 0].astype(kind).reshape(samples, rows, columns)
    return planes[0] if samples == 1 else np.moveaxis(planes, 0, -1)


def _unpacked(segment: bytes, size: int) -> bytearray:
    """Undo PackBits (PS3.5, section G.3.2); whatever follows the last pixel is padding."""
    made = bytearray()
    place, end = 0, len(segment)
    while len(made) < size and place + 1 < end:
        code = segment[place]
        if code < 128:
            made += segment[place + 1 : place + 2 + code]
            place += 2 + code
        else:
            if code > 128:
                made += segment[place + 1 : place + 2] * (257 - code)
                place += 1
            place += 1
    if len(made) < size:
        raise ValueError("a segment ends too early")
    return made[:size]
