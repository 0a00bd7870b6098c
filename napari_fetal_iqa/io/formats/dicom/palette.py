"""Grey of a palette (PS3.3, C.7.6.3.1.5 and C.7.6.3.1.6, and C.7.9 for segmented ones).

The table alone decides how its entries become 8-bit, so that no frame is brighter than another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.io.frames.grey import luma

MAX_ENTRIES = 1 << 16
"""The number that a descriptor writes as 0."""

MAX_SEGMENTS = 2 * MAX_ENTRIES
"""Of a segmented table; those that are repeated count again, and may be empty."""


@dataclass(frozen=True)
class Palette:
    """A palette as it is stored.

    Parameters
    ----------
    entries : int
    first : int
        Pixel value of the first entry; lower ones have its colour, higher ones than the last
        that of the last.
    bits : int
        8 or 16, of an entry.
    tables : three bytes
        Red, green, blue.
    segmented : bool
    little_endian : bool
    """

    entries: int
    first: int
    bits: int
    tables: Sequence[bytes]
    segmented: bool
    little_endian: bool

    def grey(self) -> NDArray[np.uint8]:
        """Return the grey of every entry, 8-bit.

        16-bit entries are scaled by 65535 = white; those of a table that has none above 255 are
        8-bit ones in wider fields.

        Raises
        ------
        ValueError
            Where the tables do not hold what the descriptor says.
        """
        colours = np.stack([self._table(table) for table in self.tables], axis=-1)
        wide = colours.max() > 255
        eight_bit = (colours >> 8 if wide else colours).astype(np.uint8)
        return np.asarray(luma(eight_bit[np.newaxis])[0])

    def _table(self, stored: bytes) -> NDArray[np.uint16]:
        wide = np.dtype(np.uint16).newbyteorder("<" if self.little_endian else ">")
        if self.segmented:
            narrow = self.bits == 8
            values = np.frombuffer(stored, np.dtype(np.uint8) if narrow else wide)
            return _expanded(values, narrow, self.entries, self.little_endian)
        # 8-bit entries may lie in 16-bit fields: only the length tells (C.7.6.3.1.6, note).
        dtype = wide if len(stored) >= 2 * self.entries else np.dtype(np.uint8)
        if len(stored) < self.entries * dtype.itemsize or (self.bits > 8 and dtype.itemsize == 1):
            raise ValueError("a palette is too short")
        return np.frombuffer(stored, dtype, self.entries).astype(np.uint16)


def colours_of(frame: NDArray[Any], first: int, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the grey of a frame of palette indices.

    Parameters
    ----------
    frame : (H, W) integer array
    first : int
        Index of the first entry.
    grey : (N,) uint8 array
        Of the entries.
    """
    places = np.clip(frame.astype(np.int64) - first, 0, len(grey) - 1)
    return grey[places]


def _expanded(
    segments: NDArray[Any], narrow: bool, entries: int, little_endian: bool
) -> NDArray[np.uint16]:
    """Expand a segmented table, no further than it has entries (C.7.9.2)."""
    made: list[int] = []
    place, resume, left = 0, -1, -1
    for _ in range(MAX_SEGMENTS):
        if len(made) >= entries:
            return np.array(made[:entries], np.uint16)
        if left == 0:  # of what an indirect segment repeats
            place, resume, left = resume, -1, -1
        kind, length = int(segments[place]), int(segments[place + 1])
        place += 2
        left -= left > 0
        if kind == 0:
            made += segments[place : place + length].tolist()
            place += length
        elif kind == 1:
            ramp = np.linspace(made[-1], int(segments[place]), length + 1)[1:]
            made += np.around(ramp).astype(int).tolist()
            place += 1
        elif kind == 2 and resume < 0:
            fields = segments[place : place + (4 if narrow else 2)]
            resume, left = place + len(fields), length
            place = _offset(fields, narrow, little_endian)
        else:
            raise ValueError("a palette has a segment that there is not")
    raise ValueError("a palette has segments of nothing")


def _offset(fields: NDArray[Any], narrow: bool, little_endian: bool) -> int:
    """Place of a repeated segment: in bytes from the start, least significant word first."""
    if not narrow:
        return (int(fields[1]) << 16 | int(fields[0])) // 2
    return int.from_bytes(fields.astype(np.uint8).tobytes(), "little" if little_endian else "big")
