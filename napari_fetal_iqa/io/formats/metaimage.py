"""MetaImage files (``.mha``, ``.mhd``): read strictly, mapped or inflated on demand.

The header's fields are those of Kitware's MetaIO documentation.
"""

from pathlib import Path
from typing import Any

import numpy as np

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.pixel_block import PixelBlock
from napari_fetal_iqa.io.formats.text_header import MAX_HEADER_BYTES, TextHeader
from napari_fetal_iqa.sweep import SweepVolume, known_spacing

ELEMENT_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


def read_metaimage(path: Path) -> SweepVolume:
    """Read a ``.mha`` or ``.mhd`` file.

    Raises
    ------
    SweepError
        Where a field is missing, malformed or not supported, or the data is missing, too
        short, or elsewhere than in the folder of the header.
    """
    header, end = _read_header(path)
    block = _pixel_block(header, end)
    return SweepVolume(
        block.open(),
        spacing_mm=_spacing(header),
        name=path.stem,
        source_format=f"MetaImage, {block.encoding}",
        path=path,
    )


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


def _pixel_block(header: TextHeader, end: int) -> PixelBlock:
    if header.get("ObjectType", "Image").lower() != "image":
        raise header.wrong("ObjectType", "Image")
    if not header.flag("BinaryData", default=True):
        raise header.wrong("BinaryData", "True")
    data_path, offset = _data(header, end)
    compressed = header.flag("CompressedData", default=False)
    if compressed and offset == -1:
        raise header.wrong("HeaderSize", "0 or more where the data is compressed")
    stored = compressed and "CompressedDataSize" in header.fields
    return PixelBlock(
        path=data_path,
        shape=_shape(header),
        dtype=_dtype(header),
        channels=(
            header.whole_numbers("ElementNumberOfChannels", 1)[0]
            if "ElementNumberOfChannels" in header.fields
            else 1
        ),
        encoding="zlib" if compressed else "raw",
        offset=offset,
        stored_bytes=header.whole_numbers("CompressedDataSize", 1)[0] if stored else None,
    )


def _shape(header: TextHeader) -> tuple[int, int, int]:
    (dimensions,) = header.whole_numbers("NDims", 1)
    if dimensions not in (2, 3):
        raise header.wrong("NDims", "2 or 3")
    columns, rows, *frames = header.whole_numbers("DimSize", dimensions)
    return frames[0] if frames else 1, rows, columns


def _dtype(header: TextHeader) -> np.dtype[Any]:
    code = ELEMENT_TYPES.get(header.get("ElementType").upper())
    if code is None:
        raise header.wrong("ElementType", "MET_UCHAR or another number type")
    big_endian = any(
        header.flag(key, default=False) for key in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    )
    return np.dtype(code).newbyteorder(">" if big_endian else "<")


def _spacing(header: TextHeader) -> tuple[float, float] | None:
    words = header.words("ElementSpacing") or header.words("ElementSize")
    try:
        column_mm, row_mm = (float(word) for word in words[:2])
    except ValueError:
        return None
    return known_spacing(row_mm, column_mm)


def _data(header: TextHeader, end: int) -> tuple[Path, int]:
    """Return the file that holds the pixels, and their offset (-1: they end the file)."""
    if header.get("ElementDataFile").upper() == "LOCAL":
        return header.path, end
    path = header.data_file("ElementDataFile", "LOCAL or one data file")
    return path, header.skipped_bytes("HeaderSize")
