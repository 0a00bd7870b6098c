"""The blocks of a GIF file, walked before anything is decoded.

Their layout is that of the GIF89a Specification of CompuServe.
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.frames.frame_stack import check_frame_size

MAX_PIXELS_PER_BYTE = 2731
"""A code of 12 bits stands for at most 4096 pixels; nothing expands more (section F)."""

_HEADER, _SCREEN, _IMAGE = 6, struct.Struct("<HHB2x"), struct.Struct("<HHHHB")


@dataclass(frozen=True)
class GifSize:
    """How many frames a GIF has, and how large they are."""

    frames: int
    rows: int
    columns: int


def measure_gif(path: Path) -> GifSize:
    """Walk a GIF file to its end; nothing is decoded.

    Raises
    ------
    SweepError
        Where it is no GIF, ends before its trailer, or has more pixels than it can hold.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            size = _walk(data)
        except (IndexError, ValueError, struct.error) as error:
            raise SweepError(
                f"{path.name}: expected a whole GIF picture, found one that is cut or damaged; "
                f"save it again"
            ) from error
        check_frame_size(path.name, size.rows, size.columns)
        pixels = size.frames * size.rows * size.columns
        if pixels > MAX_PIXELS_PER_BYTE * len(data):
            raise SweepError(
                f"{path.name}: expected a GIF picture, found {size.frames} frames of {size.rows} "
                f"x {size.columns}, more than its {len(data)} bytes can hold; save it again"
            )
    return size


def _walk(data: mmap.mmap) -> GifSize:
    if data[:_HEADER] not in (b"GIF87a", b"GIF89a"):
        raise ValueError("no GIF")
    columns, rows, flags = _SCREEN.unpack_from(data, _HEADER)
    place = _HEADER + _SCREEN.size + _colour_bytes(flags)
    frames = 0
    while (kind := data[place]) != ord(";"):
        place += 1
        if kind == ord(","):
            left, top, width, height, flags = _IMAGE.unpack_from(data, place)
            columns, rows = max(columns, left + width), max(rows, top + height)
            place = _after_blocks(data, place + _IMAGE.size + _colour_bytes(flags) + 1)
            frames += 1
        elif kind == ord("!"):
            place = _after_blocks(data, place + 1)
        elif kind != 0:  # some writers pad
            raise ValueError("no block")
    return GifSize(frames, rows, columns)


def _colour_bytes(flags: int) -> int:
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def _after_blocks(data: mmap.mmap, place: int) -> int:
    while length := data[place]:
        place += 1 + length
    return place + 1
