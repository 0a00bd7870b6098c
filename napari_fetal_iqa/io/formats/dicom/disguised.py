"""Compressed pixels in a file whose header says that they are uncompressed."""

import struct
from typing import Any

from napari_fetal_iqa.io.formats.dicom.codestream import read_codestream
from napari_fetal_iqa.io.formats.dicom.elements import Element

ITEM_HEAD, SEQUENCE_END_HEAD = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"

STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")
"""How a frame of JPEG or JPEG-LS, of JPEG 2000, and of JPEG 2000 in its own file format, begins."""

_END = b"\xff\xd9"
"""How each of them ends."""

_HEAD_BYTES = 1 << 16
"""Looked through for the size of a frame: the longest segment of JPEG before it."""


def begins_frame(head: bytes) -> bool:
    """Return whether these 8 bytes are the beginning of a frame of JPEG, JPEG 2000 or RLE."""
    segments, first = struct.unpack("<LL", head[:8].ljust(8, b"\0"))
    # RLE: 1 to 15 segments, the first of which follows the header of 64 bytes (PS3.5, G.5).
    return head.startswith(STARTS) or (0 < segments <= 15 and first == 64)


def holds_compressed(data: Any, pixels: Element, rows: int, columns: int) -> bool:
    """Return whether a value is compressed frames, whole or cut, in items or bare.

    Each sign takes 48 bits or more that grey values would have to hit by chance, but for bare
    JPEG that begins and ends as such, which takes 40.
    """
    end = min(pixels.start + pixels.length, len(data))
    head = bytes(data[pixels.start : min(pixels.start + 16, end)])
    if head[:4] == ITEM_HEAD:
        place = pixels.start + 8
        second = place + int.from_bytes(head[4:8], "little")
        following = bytes(data[second : second + 4])
        return (
            following in (ITEM_HEAD, SEQUENCE_END_HEAD)
            or end - 1 <= second <= end
            or begins_frame(head[8:])
        )
    if not head.startswith(STARTS):
        return False
    found = read_codestream(bytes(data[pixels.start : min(pixels.start + _HEAD_BYTES, end)]))
    same_size = found is not None and (found.rows, found.columns) == (rows, columns)
    return same_size or _ends_frame(data, pixels.start, end)


def _ends_frame(data: Any, start: int, end: int) -> bool:
    """Return whether the last bytes but for padding are the end of a frame."""
    while end > start:
        first = max(start, end - _HEAD_BYTES)
        if tail := bytes(data[first:end]).rstrip(b"\0"):
            last = first + len(tail)
            return bytes(data[max(start, last - 2) : last]) == _END
        end = first
    return False
