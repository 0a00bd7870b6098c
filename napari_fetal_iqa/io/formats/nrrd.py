"""NRRD files (``.nrrd``, ``.nhdr``): read or inflated as they are looked at.

The header's fields are those of Teem's definition of the NRRD format.
"""

import re
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.axes import Axes
from napari_fetal_iqa.io.formats.nrrd_axes import (
    nrrd_axes,
    steps_by_directions,
    steps_by_spacings,
)
from napari_fetal_iqa.io.formats.pixel_block import PixelBlock
from napari_fetal_iqa.io.formats.plus_sequence import (
    spacing_of_transforms,
)
from napari_fetal_iqa.io.formats.spacing import Spacing, believed
from napari_fetal_iqa.io.formats.text_header import MAX_HEADER_BYTES, TextHeader
from napari_fetal_iqa.io.formats.text_volume import open_volume
from napari_fetal_iqa.sweep import SweepVolume

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

PLUS_NOTES = re.compile(r"UltrasoundImage|(Seq_Frame\d+_)?Image\d*To")
"""How the notes begin that PLUS makes of a sweep; those of others are not kept."""


def read_nrrd(path: Path) -> SweepVolume:
    """Read a ``.nrrd`` or ``.nhdr`` file.

    Which axis holds columns, rows, frames and colours is told by kinds, units, spacings and space
    directions; without any, it is columns, rows and frames.

    Raises
    ------
    SweepError
        Where a field is missing, malformed or not supported, or the data is missing, too
        short, or elsewhere than in the folder of the header.
    """
    header, end = _read_header(path)
    return open_volume(
        header,
        nrrd_axes(header),
        partial(_pixel_block, header, end),
        partial(_spacing, header),
        "NRRD",
    )


def _read_header(path: Path) -> tuple[TextHeader, int]:
    """Return the fields and the offset of the first byte after the header."""
    with path.open("rb") as file:
        first, *lines = _header_lines(file) or [""]
        end = file.tell()
    fields: dict[str, str] = {}
    for line in lines:
        key, separator, value = line.partition(":")
        if not value.startswith("="):
            if separator and not line.startswith("#"):
                fields[key.strip().lower()] = value.strip()
        elif PLUS_NOTES.match(key):  # capitals keep it apart from the fields
            fields[key] = value[1:].strip()
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


def _pixel_block(header: TextHeader, end: int, axes: Axes) -> PixelBlock:
    encodings = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}
    encoding = encodings.get(header.get("encoding").lower())
    if encoding is None:
        raise header.wrong("encoding", "raw or gzip")
    for key in ("line skip", "lineskip"):
        if header.get(key, "0") != "0":
            raise header.wrong(key, "0")
    path, offset = _data(header, end)
    skip = header.skipped_bytes("byte skip" if "byte skip" in header.fields else "byteskip")
    if encoding == "raw":
        offset, skip = (-1 if skip == -1 else offset + skip), 0
    elif skip == -1:
        raise header.wrong("byte skip", "0 or more where the data is compressed")
    return PixelBlock(
        path=path,
        shape=axes.shape,
        dtype=_dtype(header),
        channels=axes.n_channels,
        encoding="raw" if encoding == "raw" else "gzip",
        offset=offset,
        skip=skip,
        order=axes.order,
    )


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


def data_file_of_nrrd(path: Path) -> Path:
    """Return the file that holds the pixels of a header; SweepError where it cannot be told."""
    return _data(*_read_header(path))[0]


def _spacing(header: TextHeader, axes: Axes) -> Spacing:
    """Return the spacing, as stored: by directions, or else spacings, or what knows better."""
    by_directions = steps_by_directions(header, axes)
    by_spacings = steps_by_spacings(header, axes)
    other, name = spacing_of_transforms(header.fields), "its image-to-tracker transforms"
    if other == Spacing() and by_directions and by_spacings:
        other, name = Spacing(by_spacings), "spacings"
    stated = "space directions" if "space directions" in header.fields else "spacings"
    known = by_directions if "space directions" in header.fields else by_spacings
    return believed(known, other, stated, name)
