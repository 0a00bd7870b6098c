"""Whether a PNG holds all rows that it says, which Pillow does not ask.

Its chunks may be sound and the compressed rows in them end early; Pillow leaves what is missing
black. Sections are those of the PNG specification, third edition.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from isal import isal_zlib

_DAMAGE: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment]  # isal's stub errs

_SIGNATURE_BYTES, _CRC_BYTES = 8, 4
_PIECE_BYTES = 1 << 16
_INFLATED_BYTES = 1 << 18

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel by colour type (section 11.2.1)."""

_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
          (1, 0, 2, 1))  # fmt: skip
"""First row and column, and steps, of the passes of an interlaced picture (section 8.1)."""


def check_png_rows(file: BinaryIO, pictures: int) -> None:
    """Compare the inflated bytes of each picture with its rows; nothing of them is kept.

    What cannot be inflated is left to the decoder to find.

    Parameters
    ----------
    file : BinaryIO
        A PNG that Pillow opened.
    pictures : int
        How many to look at: one, or the frames of an animated PNG and the still before them.

    Raises
    ------
    ValueError
        Where rows are missing.
    """
    file.seek(_SIGNATURE_BYTES)
    head, rows = b"", _Rows(0)
    for kind, length in _chunks(file):
        if kind == b"IHDR":
            head = file.read(length)
        elif kind == b"IDAT":
            if not rows.is_still:  # an fcTL before it only says that it is a frame, too
                rows = _Rows(_stream_bytes(head, *struct.unpack_from(">II", head)), is_still=True)
            rows.feed(file, length)
        elif kind in (b"fcTL", b"IEND"):
            if rows.is_fed:
                rows.check()
                pictures -= 1
            if not pictures or kind == b"IEND":
                return
            _, columns, lines = struct.unpack(">III", file.read(12))
            rows = _Rows(_stream_bytes(head, columns, lines))
        elif kind == b"fdAT":
            file.read(4)  # its number
            rows.feed(file, length - 4)
    rows.check()


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield kind and length of each chunk, the file being at its data."""
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        following = file.tell() + length + _CRC_BYTES
        yield kind, length
        file.seek(following)


def _stream_bytes(head: bytes, columns: int, rows: int) -> int:
    """Return how many bytes the rows have, each with the byte that names its filter."""
    depth, colour, _, _, interlaced = head[8:13]
    bits = depth * _CHANNELS[colour]
    if not interlaced:
        return rows * (1 + -(-columns * bits // 8))
    size = 0
    for top, left, down, right in _ADAM7:
        width = -(-max(0, columns - left) // right)
        size += -(-max(0, rows - top) // down) * (1 + -(-width * bits // 8)) if width else 0
    return size


class _Rows:
    """The compressed rows of one picture, of which as many bytes are missing as were not met."""

    def __init__(self, size: int, is_still: bool = False) -> None:
        self.is_still, self.is_fed = is_still, False
        self._missing, self._readable = size, True
        self._inflater = isal_zlib.decompressobj()

    def feed(self, file: BinaryIO, length: int) -> None:
        """Inflate what a chunk holds, as far as rows are missing."""
        self.is_fed = True
        while length > 0 and self._missing > 0 and self._readable:
            data = file.read(min(length, _PIECE_BYTES))
            if not data:
                return
            length -= len(data)
            try:
                self._inflate(data)
            except _DAMAGE:
                self._readable = False

    def _inflate(self, data: bytes) -> None:
        while self._missing > 0 and not self._inflater.eof:
            found = len(self._inflater.decompress(data, _INFLATED_BYTES))
            self._missing -= found
            data = self._inflater.unconsumed_tail
            if not data and found < _INFLATED_BYTES:
                return

    def check(self) -> None:
        """Raise a ValueError where rows are missing."""
        if self._missing > 0 and self._readable:
            raise ValueError("rows are missing")
