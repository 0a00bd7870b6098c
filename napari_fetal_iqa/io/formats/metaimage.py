"""MetaImage files (``.mha``, ``.mhd``): read strictly, as they are looked at.

The header's fields are those of Kitware's MetaIO documentation.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.axes import (
    KINDS_OF_SPACE,
    Axes,
    AxesError,
    Role,
    find_axes,
    known_kinds,
    roles_of_kinds,
    with_frames_told,
)
from napari_fetal_iqa.io.formats.axis_labels import PLANE, as_named, check_steps, names_of, words_of
from napari_fetal_iqa.io.formats.pixel_block import PixelBlock
from napari_fetal_iqa.io.formats.plus_sequence import (
    spacing_of_transforms,
)
from napari_fetal_iqa.io.formats.spacing import Spacing, believed
from napari_fetal_iqa.io.formats.text_header import MAX_HEADER_BYTES, TextHeader
from napari_fetal_iqa.io.formats.text_volume import open_volume
from napari_fetal_iqa.io.write import FRAMES_PER_SWEEP_FIELD, SIMULATED_FIELD
from napari_fetal_iqa.sweep import SweepVolume, is_earlier_phantom, known_spacing

ELEMENT_TYPES = {
    "MET_CHAR": "i1",
    "MET_ASCII_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",  # four bytes in MetaIO, on every machine
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
    "MET_FLOAT_MATRIX": "f4",
}
"""Each may end with _ARRAY, which says the same of an image."""

MAX_DIMENSIONS = 10
"""MetaIO's own bound."""

MILLIMETRES = {"": 1.0, "?": 1.0, "mm": 1.0, "um": 0.001, "cm": 10.0}
"""How many mm one of DistanceUnits has; files without are in mm."""


def read_metaimage(path: Path) -> SweepVolume:
    """Read a ``.mha`` or ``.mhd`` file.

    Raises
    ------
    SweepError
        Where a field is missing, malformed or not supported, or the data is missing, too
        short, or elsewhere than in the folder of the header.
    """
    header, end = _read_header(path)
    sweep = open_volume(
        header,
        _axes(header),
        partial(_pixel_block, header, end),
        partial(_spacing, header),
        "MetaImage",
    )
    # anybody may have a field of this name: what is neither is as good as nothing
    said = header.get(SIMULATED_FIELD, "").lower()
    if said == "true" or (said != "false" and is_earlier_phantom(path.stem)):
        sweep = replace(sweep, simulated=True)
    if FRAMES_PER_SWEEP_FIELD not in header.fields:
        return sweep
    (frames_per_sweep,) = header.whole_numbers(FRAMES_PER_SWEEP_FIELD, 1)
    if not 1 <= frames_per_sweep <= len(sweep):
        raise header.wrong(FRAMES_PER_SWEEP_FIELD, f"1 to {len(sweep)}")
    return sweep.with_bounds(frames_per_sweep)


def _read_header(path: Path) -> tuple[TextHeader, int]:
    """Return the fields and the offset of the first byte after the header."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while "ElementDataFile" not in fields:
            # Latin-1 takes every byte: notes of other programs come in any encoding.
            line = file.readline(MAX_HEADER_BYTES - file.tell()).decode("latin-1")
            key, separator, value = (part.strip() for part in line.partition("="))
            if not (separator and key and key.isprintable()):
                raise SweepError(
                    f"{path.name}: expected a MetaImage header of lines 'Key = Value' up to "
                    f"ElementDataFile, found something else in line {len(fields) + 1}; "
                    f"copy the file again"
                )
            fields[key] = value
        return TextHeader(path, fields), file.tell()


def _pixel_block(header: TextHeader, end: int, axes: Axes) -> PixelBlock:
    if header.get("ObjectType", "Image").lower() != "image":
        raise header.wrong("ObjectType", "Image")
    if not header.flag("BinaryData", default=True):
        raise header.wrong("BinaryData", "True")
    data_path, offset = _data(header, end)
    compressed = header.flag("CompressedData", default=False)
    if compressed and offset == -1:
        raise header.wrong("HeaderSize", "0 or more where the data is compressed")
    channels = axes.n_channels
    order = axes.order
    if "ElementNumberOfChannels" in header.fields:
        (interleaved,) = header.whole_numbers("ElementNumberOfChannels", 1)
        if interleaved > 1 and channels > 1:
            raise header.wrong("ElementNumberOfChannels", "1 where an axis holds the colours")
        channels *= interleaved
    stored = compressed and "CompressedDataSize" in header.fields
    return PixelBlock(
        path=data_path,
        shape=axes.shape,
        dtype=_dtype(header),
        channels=channels,
        encoding="zlib" if compressed else "raw",
        offset=offset,
        stored_bytes=header.whole_numbers("CompressedDataSize", 1)[0] if stored else None,
        order=order,
    )


def _axes(header: TextHeader) -> Axes:
    """Return which axis is which: by PLUS's Kinds or labels, else columns, rows and frames."""
    (dimensions,) = header.whole_numbers("NDims", 1)
    if not 2 <= dimensions <= MAX_DIMENSIONS:
        raise header.wrong("NDims", f"2 to {MAX_DIMENSIONS}")
    sizes = header.whole_numbers("DimSize", dimensions)
    labels = words_of(header.get("Labels") or header.get("AxisLabels"))
    coloured = header.get("ElementNumberOfChannels", "1") != "1"
    try:
        names = names_of(labels)
        roles = _roles(header, sizes, names)
        axes = as_named(find_axes(sizes, roles, coloured), names)
        if axes.frames is not None and (roles is None or roles[axes.frames] == "space"):
            check_steps(axes, header.numbers("ElementSpacing"), labels)
        return axes
    except AxesError as error:
        raise header.untold(error) from None


def _roles(header: TextHeader, sizes: Sequence[int], names: Sequence[str]) -> Sequence[Role] | None:
    kinds = header.get("Kinds").lower().split()
    if len(names) != len(sizes) or not any(names):
        names = []
    if not kinds and not names:
        return None
    kinds = kinds or [""] * len(sizes)
    roles = roles_of_kinds(kinds, sizes)
    told: list[tuple[Sequence[str], Sequence[str]]] = [(known_kinds(kinds), KINDS_OF_SPACE)]
    if names:
        told += [(names, PLANE)] * (sum(name in PLANE for name in names) > 1)
        for axis, name in enumerate(names):
            if name == "frames" and roles[axis] == "space":
                roles[axis] = "frames"
    return with_frames_told(roles, sizes, told)


def _dtype(header: TextHeader) -> np.dtype[Any]:
    code = ELEMENT_TYPES.get(header.get("ElementType").upper().removesuffix("_ARRAY"))
    if code is None:
        raise header.wrong("ElementType", "MET_UCHAR or another number type")
    big_endian = any(
        header.flag(key, default=False) for key in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    )
    return np.dtype(code).newbyteorder(">" if big_endian else "<")


def _spacing(header: TextHeader, axes: Axes) -> Spacing:
    """Return the spacing, as stored: ElementSpacing, unless another field knows better."""
    stated = _steps(header, "ElementSpacing", axes)
    size = _steps(header, "ElementSize", axes)
    other, name = spacing_of_transforms(header.fields), "its image-to-tracker transforms"
    if other == Spacing() and stated == (1, 1) and size:  # else thick slices would contradict
        other, name = Spacing(size), "ElementSize"
    unit_mm = MILLIMETRES.get(header.get("DistanceUnits").lower(), 1.0)
    return believed(stated or size, other, "ElementSpacing", name, unit_mm)


def _steps(header: TextHeader, key: str, axes: Axes) -> tuple[float, float] | None:
    words = header.words(key)
    try:
        return known_spacing(float(words[axes.rows]), float(words[axes.columns]))
    except (ValueError, IndexError):
        return None


def _data(header: TextHeader, end: int) -> tuple[Path, int]:
    """Return the file that holds the pixels, and their offset (-1: they end the file)."""
    skipped = header.skipped_bytes("HeaderSize")  # of the whole file, header and all
    if header.get("ElementDataFile").upper() != "LOCAL":
        return header.data_file("ElementDataFile", "LOCAL or one data file"), skipped
    if 0 < skipped < end:
        raise header.wrong("HeaderSize", f"{end} or more, as the header ends there")
    return header.path, skipped or end


def data_file_of_metaimage(path: Path) -> Path:
    """Return the file that holds the pixels of a header; SweepError where it cannot be told."""
    return _data(*_read_header(path))[0]
