"""NIfTI files (``.nii``, ``.nii.gz``): mapped, or inflated on demand.

Offsets and codes are those of ``nifti1.h`` and ``nifti2.h`` of the NIfTI working group.
"""

import math
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.pixel_block import PixelBlock
from napari_fetal_iqa.io.formats.text_header import known_spacing
from napari_fetal_iqa.sweep import SweepVolume

DATATYPES = {
    2: ("u1", 1),
    4: ("i2", 1),
    8: ("i4", 1),
    16: ("f4", 1),
    64: ("f8", 1),
    128: ("u1", 3),
    256: ("i1", 1),
    512: ("u2", 1),
    768: ("u4", 1),
    1024: ("i8", 1),
    1280: ("u8", 1),
    2304: ("u1", 4),
}
"""numpy type and number of channels of each datatype code."""

MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""How many mm a unit of length has; files without a unit are in mm by custom."""


@dataclass(frozen=True)
class _Layout:
    """Offsets of the fields of one version of the header; formats of ``struct``."""

    magic: tuple[int, bytes]
    dim: tuple[int, str]
    datatype: int
    pixdim: tuple[int, str]
    vox_offset: tuple[int, str]
    scale: tuple[int, str]
    units: tuple[int, str]


LAYOUTS = {
    348: _Layout((344, b"n+1\0"), (40, "8h"), 70, (76, "8f"), (108, "f"), (112, "2f"), (123, "B")),
    540: _Layout((4, b"n+2\0"), (16, "8q"), 12, (104, "8d"), (168, "q"), (176, "2d"), (500, "i")),
}
"""By the size of the header: NIfTI-1 and NIfTI-2."""


def read_nifti(path: Path) -> SweepVolume:
    """Read a ``.nii`` or ``.nii.gz`` file: columns, rows and frames are its first three axes.

    Axes of length 1 are passed over, so that a cine stored along the fourth axis is read, too.

    Raises
    ------
    SweepError
        Where the header is damaged or not supported, or the pixels are too short.
    """
    with path.open("rb") as file:
        start = file.read(1 << 12)
    compressed = start[:2] == b"\x1f\x8b"
    if compressed:
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, 1 << 10)
        except zlib.error:
            start = b""
    block, spacing_mm = _parse(path, start, compressed)
    return SweepVolume(
        block.open(),
        spacing_mm=spacing_mm,
        name=re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE),
        source_format=f"NIfTI, {block.encoding}",
        path=path,
    )


def _parse(
    path: Path, start: bytes, compressed: bool
) -> tuple[PixelBlock, tuple[float, float] | None]:
    order, layout = _layout(path, start)

    def field(place: tuple[int, str]) -> tuple[Any, ...]:
        return struct.unpack_from(order + place[1], start, place[0])

    (datatype,) = field((layout.datatype, "h"))
    if datatype not in DATATYPES:
        raise SweepError(
            f"{path.name}: expected pixels of a number type, found NIfTI datatype {datatype}; "
            f"save the volume again as uint8"
        )
    code, channels = DATATYPES[datatype]
    (offset,) = field(layout.vox_offset)
    if not (math.isfinite(offset) and len(start) >= 348 and 0 <= offset <= 1 << 30):
        raise SweepError(f"{path.name}: NIfTI header is damaged (vox_offset); copy the file again")
    slope, intercept = field(layout.scale)
    if not (slope and math.isfinite(slope) and math.isfinite(intercept)) or channels > 1:
        slope, intercept = 1.0, 0.0
    block = PixelBlock(
        path=path,
        shape=_shape(path, field(layout.dim)),
        dtype=np.dtype(order + code),
        channels=channels,
        encoding="gzip" if compressed else "raw",
        offset=0 if compressed else int(offset),
        skip=int(offset) if compressed else 0,
        slope=slope,
        intercept=intercept,
    )
    (units,) = field(layout.units)
    scale = MILLIMETRES.get(units & 7, math.nan)
    _, column, row, *_ = field(layout.pixdim)
    # NIfTI-1 keeps single precision: 0.28 mm, not 0.2800000011920929.
    return block, known_spacing(*(float(f"{step * scale:.7g}") for step in (row, column)))


def _layout(path: Path, start: bytes) -> tuple[str, _Layout]:
    for order in "<>":
        size = int.from_bytes(start[:4], "little" if order == "<" else "big")
        layout = LAYOUTS.get(size)
        if layout and len(start) >= size:
            offset, magic = layout.magic
            if start[offset : offset + 4] == magic:
                return order, layout
    raise SweepError(
        f"{path.name}: expected a NIfTI-1 or NIfTI-2 header with its pixels in one file, found "
        f"none; copy the file again, or save header and image as one .nii"
    )


def _shape(path: Path, dim: tuple[int, ...]) -> tuple[int, int, int]:
    dimensions, *sizes = dim
    sizes = sizes[: max(dimensions, 0)]
    if 2 <= dimensions <= 7 and min(sizes) > 0:
        columns, rows, *rest = sizes
        frames = [size for size in rest if size > 1]
        if len(frames) < 2:
            return frames[0] if frames else 1, rows, columns
    raise SweepError(
        f"{path.name}: expected columns, rows and frames, found dimensions {tuple(sizes)}; "
        f"choose a file that holds one sweep"
    )
