"""How many frames a GIF has, and how large they are, told without decoding one.

Sections are those of the GIF89a specification.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

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
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        try:
            size = _walk(file)
        except (EOFError, ValueError, struct.error) as error:
            raise SweepError(
                f"{path.name}: expected a whole GIF picture, found one that is cut or damaged; "
                f"save it again"
            ) from error
    check_frame_size(path.name, size.rows, size.columns)
    pixels = size.frames * size.rows * size.columns
    if pixels > MAX_PIXELS_PER_BYTE * length:
        raise SweepError(
            f"{path.name}: expected a GIF picture, found {size.frames} frames of {size.rows} "
            f"x {size.columns}, more than its {length} bytes can hold; save it again"
        )
    return size


def _walk(file: BinaryIO) -> GifSize:
    if _take(file, _HEADER) not in (b"GIF87a", b"GIF89a"):
        raise ValueError("no GIF")
    columns, rows, flags = _SCREEN.unpack(_take(file, _SCREEN.size))
    _take(file, _colour_bytes(flags))
    frames = 0
    while (kind := _take(file, 1)) != b";":
        if kind == b",":
            left, top, width, height, flags = _IMAGE.unpack(_take(file, _IMAGE.size))
            columns, rows = max(columns, left + width), max(rows, top + height)
            _take(file, _colour_bytes(flags) + 1)
            _pass_blocks(file)
            frames += 1
        elif kind == b"!":
            _take(file, 1)
            _pass_blocks(file)
        elif kind != b"\0":  # some writers pad
            raise ValueError("no block")
    return GifSize(frames, rows, columns)


def _colour_bytes(flags: int) -> int:
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def _pass_blocks(file: BinaryIO) -> None:
    while length := _take(file, 1)[0]:
        _take(file, length)


def _take(file: BinaryIO, size: int) -> bytes:
    """Read bytes that must be there."""
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data
