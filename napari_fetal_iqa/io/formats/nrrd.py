"""NRRD files (``.nrrd``, ``.nhdr``): mapped, or inflated on demand.

The header's fields are those of Teem's definition of the NRRD format.
"""

import math
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.pixel_block import PixelBlock
from napari_fetal_iqa.io.formats.text_header import MAX_HEADER_BYTES, TextHeader
from napari_fetal_iqa.sweep import SweepVolume, known_spacing

TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}

MILLIMETRES = {"": 1.0, "mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001}
"""How many mm a space unit has; files without a unit are in mm by custom."""

COLOUR_KINDS = ("color", "vector", "list", "point")


def read_nrrd(path: Path) -> SweepVolume:
    """Read a ``.nrrd`` or ``.nhdr`` file.

    A colour axis must be the first one, as all writers have it.

    Raises
    ------
    SweepError
        Where a field is missing, malformed or not supported, or the data is missing, too
        short, or elsewhere than in the folder of the header.
    """
    header, end = _read_header(path)
    block, axis = _pixel_block(header, end)
    return SweepVolume(
        block.open(),
        spacing_mm=_spacing(header, axis),
        name=path.stem,
        source_format=f"NRRD, {block.encoding}",
        path=path,
    )


def _read_header(path: Path) -> tuple[TextHeader, int]:
    """Return the fields and the offset of the first byte after the header."""
    with path.open("rb") as file:
        first, *lines = _header_lines(file) or [""]
        end = file.tell()
    fields = {
        key.strip().lower(): value.strip()
        for key, separator, value in (line.partition(":") for line in lines if line[:1] != "#")
        if separator and value[:1] != "="  # "key:=value" is a note to people
    }
    if "datafile" in fields:
        fields["data file"] = fields["datafile"]
    if not re.fullmatch(r"NRRD\d{4}", first.strip()) or not ("" in lines or "data file" in fields):
        raise SweepError(
            f"{path.name}: expected a NRRD header that ends with an empty line, found none in "
            f"the first {end} bytes; copy the file again"
        )
    return TextHeader(path, fields), end


def _header_lines(file: BinaryIO) -> list[str]:
    """Read lines up to the empty one that ends a header, or to where nothing comes."""
    lines: list[str] = []
    while "" not in lines[-1:] and (line := file.readline(MAX_HEADER_BYTES - file.tell())):
        lines.append(line.decode("latin-1").rstrip("\r\n"))
    return lines


def _pixel_block(header: TextHeader, end: int) -> tuple[PixelBlock, int]:
    """Return the pixels, and the axis of the columns: 1 where channels come first."""
    encodings = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}
    encoding = encodings.get(header.get("encoding").lower())
    if encoding is None:
        raise header.wrong("encoding", "raw or gzip")
    for key in ("line skip", "lineskip"):
        if header.get(key, "0") != "0":
            raise header.wrong(key, "0")
    channels, shape = _channels_and_shape(header)
    path, offset = _data(header, end)
    skip = header.skipped_bytes("byte skip" if "byte skip" in header.fields else "byteskip")
    if encoding == "raw":
        offset, skip = (-1 if skip == -1 else offset + skip), 0
    elif skip == -1:
        raise header.wrong("byte skip", "0 or more where the data is compressed")
    block = PixelBlock(
        path=path,
        shape=shape,
        dtype=_dtype(header),
        channels=channels,
        encoding="raw" if encoding == "raw" else "gzip",
        offset=offset,
        skip=skip,
    )
    return block, int(channels > 1 or len(header.words("sizes")) > 3)


def _channels_and_shape(header: TextHeader) -> tuple[int, tuple[int, int, int]]:
    (dimensions,) = header.whole_numbers("dimension", 1)
    if dimensions > 4:
        raise header.wrong("dimension", "2 or 3, or one more for colour")
    sizes = list(header.whole_numbers("sizes", dimensions))
    kinds = header.get("kinds").lower().split()
    coloured = bool(kinds) and any(kind in kinds[0] for kind in COLOUR_KINDS)
    channels = sizes.pop(0) if coloured else 1
    if len(sizes) not in (2, 3):
        raise header.wrong("dimension", "2 or 3, or one more for colour")
    columns, rows, *frames = sizes
    return channels, (frames[0] if frames else 1, rows, columns)


def _dtype(header: TextHeader) -> np.dtype[Any]:
    name = header.get("type").lower()
    code = next((code for code, names in TYPES.items() if name in names), None)
    if code is None:
        raise header.wrong("type", "uint8 or another number type")
    endian = header.get("endian", "little").lower()
    if endian not in ("little", "big"):
        raise header.wrong("endian", "little or big")
    return np.dtype(code).newbyteorder(">" if endian == "big" else "<")


def _data(header: TextHeader, end: int) -> tuple[Path, int]:
    if "data file" not in header.fields:
        return header.path, end
    return header.data_file("data file", "one file name"), 0


def _spacing(header: TextHeader, axis: int) -> tuple[float, float] | None:
    """Return the spacing of rows and columns; ``axis`` is that of the columns."""
    try:
        if "space directions" in header.fields:
            vectors = re.findall(r"none|\([^)]*\)", header.get("space directions").lower())
            lengths = [
                math.hypot(*(float(part) for part in vector.strip("()").split(",")))
                if vector != "none"
                else math.nan
                for vector in vectors
            ]
        else:
            lengths = [float(word) for word in header.words("spacings")]
        units = re.findall(r'"([^"]*)"', header.get("space units") or header.get("units"))
        scale = MILLIMETRES[units[0].strip().lower() if units else ""]
        return known_spacing(lengths[axis + 1] * scale, lengths[axis] * scale)
    except (ValueError, IndexError, KeyError):
        return None
