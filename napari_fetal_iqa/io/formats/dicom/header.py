"""What pixels need of a DICOM header, checked once; nothing of a patient is ever decoded.

Attributes are those of PS3.3, C.7.6.3 (image pixel), C.7.5.1 (padding) and C.7.6.6 (multi-frame).
"""

import struct
from dataclasses import dataclass, field
from typing import Literal

from pydicom.uid import UID, ExplicitVRBigEndian

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.dicom.calibration import SOURCES, Calibration, read_calibration
from napari_fetal_iqa.io.formats.dicom.elements import DataSet, Element
from napari_fetal_iqa.io.formats.dicom.file import DicomFile, is_explicit
from napari_fetal_iqa.io.formats.dicom.frame_rate import RATE_TAGS, read_frame_rate
from napari_fetal_iqa.io.formats.dicom.palette import MAX_ENTRIES, Palette
from napari_fetal_iqa.io.formats.frame_rate import FrameRate
from napari_fetal_iqa.io.frames.frame_stack import check_frame_size

PIXEL_DATA = 0x7FE00010

GREY, COLOURS = ("MONOCHROME", "PALETTE"), ("RGB", "YBR_FULL", "YBR_FULL_422")
"""Photometric interpretations of one sample a pixel, by their beginnings, and of three."""

_SOP_CLASS, _SOP_INSTANCE, _SERIES = 0x00080016, 0x00080018, 0x0020000E
_SERIES_NUMBER, _INSTANCE_NUMBER = 0x00200011, 0x00200013
_SAMPLES, _PHOTOMETRIC, _PLANAR = 0x00280002, 0x00280004, 0x00280006
_FRAMES, _ROWS, _COLUMNS = 0x00280008, 0x00280010, 0x00280011
_BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT = 0x00280100, 0x00280101, 0x00280102
_REPRESENTATION = 0x00280103
_PADDING, _PADDING_LIMIT = 0x00280120, 0x00280121
_DESCRIPTOR = 0x00281101
_TABLES, _SEGMENTED = (0x00281201, 0x00281202, 0x00281203), (0x00281221, 0x00281222, 0x00281223)
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002
_WANTED = frozenset(
    {
        *(_SOP_CLASS, _SOP_INSTANCE, _SERIES, _SERIES_NUMBER, _INSTANCE_NUMBER),
        *(_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES, _ROWS, _COLUMNS),
        *(_BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT, _REPRESENTATION, _PADDING, _PADDING_LIMIT),
        *(_DESCRIPTOR, *_TABLES, *_SEGMENTED, _OFFSETS, _LENGTHS, PIXEL_DATA),
        *SOURCES,
        *RATE_TAGS,
    }
)


class NoPixelsError(SweepError):
    """A sound DICOM file that is no image, such as a report."""


@dataclass(frozen=True)
class ImageHeader:
    """What the pixels of one file are said to be.

    Parameters
    ----------
    rows, columns, samples, bits_allocated, bits_stored, high_bit : int
    signed, planar : bool
        ``planar`` where the colours of a frame lie one after the other.
    photometric : str
        Photometric interpretation.
    frames : int or None
        None where the header does not say, or says what is no number of frames.
    padding : (int, int) or None
        Lowest and highest value that means "nothing here".
    palette : Palette or None
    offsets : tuple of (int, int)
        Offset and length of every frame by the extended offset table; empty without.
    pixels : Element
        Of the pixel data.
    calibration : Calibration
    rate : FrameRate
    instance, series : str
        Identities of the image and of its series; only to sort and compare files.
    series_number, instance_number : int or None
    """

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: bool
    photometric: str
    frames: int | None
    padding: tuple[int, int] | None
    palette: Palette | None
    offsets: tuple[tuple[int, int], ...]
    pixels: Element
    calibration: Calibration
    rate: FrameRate
    instance: str = field(repr=False)
    series: str = field(repr=False)
    series_number: int | None = field(repr=False)
    instance_number: int | None = field(repr=False)


def read_header(file: DicomFile) -> ImageHeader:
    """Read and check the header of an image.

    Raises
    ------
    SweepError
        Where the frames are larger than any scanner's; a :class:`NoPixelsError` where it is a
        sound file of another kind.
    ValueError
        Where what pixels need is missing or cannot be.
    """
    name, end = file.path.name, len(file.data)
    explicit = is_explicit(file.data[file.start : file.start + 6])
    header = DataSet(name, file.data, explicit, file.syntax != ExplicitVRBigEndian)
    found: dict[int, Element] = {}
    try:
        for element in header.walk(file.start, end):
            if element.tag in _WANTED:
                found[element.tag] = element
            if element.tag >= PIXEL_DATA:
                break
    except ValueError:
        # A report that is damaged behind its class is no image all the same.
        if _ROWS in found or not isinstance(other := _no_image(file, ""), NoPixelsError):
            raise
        raise other from None
    if _ROWS not in found or _COLUMNS not in found:
        raise _no_image(file, header.text(found.get(_SOP_CLASS)))
    rows, columns = _whole(header, found, _ROWS), _whole(header, found, _COLUMNS)
    check_frame_size(name, rows, columns)
    photometric = header.text(found.get(_PHOTOMETRIC))
    samples = _whole(header, found, _SAMPLES, default=1 if photometric.startswith(GREY) else 3)
    if samples == 1 and photometric in COLOURS:
        photometric = "MONOCHROME2"  # grey that kept the name of the colours it was made of
    elif samples == 3 and photometric == "MONOCHROME2":
        photometric = "RGB"
    bits_allocated = _whole(header, found, _BITS_ALLOCATED)
    bits_stored = _whole(header, found, _BITS_STORED, default=bits_allocated)
    high_bit = _whole(header, found, _HIGH_BIT, default=bits_stored - 1)
    signed = _whole(header, found, _REPRESENTATION, default=0)
    if (
        samples != (1 if photometric.startswith(GREY) else 3)
        or bits_allocated not in (1, 8, 16, 32, 64)
        or not 0 < bits_stored <= bits_allocated
        or signed not in (0, 1)
    ):
        raise ValueError("pixels that there are not")
    return ImageHeader(
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=high_bit,
        signed=bool(signed),
        planar=_number_if_any(header, found, _PLANAR) == 1,
        photometric=photometric,
        frames=_frames(header, found),
        padding=_padding(header, found, bool(signed)) if samples == 1 else None,
        palette=_palette(header, found, bool(signed)) if photometric == "PALETTE COLOR" else None,
        offsets=_extended_offsets(header, found),
        pixels=found[PIXEL_DATA],
        calibration=_calibration(header, found, end),
        rate=read_frame_rate(header, found),
        instance=header.text(found.get(_SOP_INSTANCE)) or file.sop_instance,
        series=header.text(found.get(_SERIES)),
        series_number=_number_if_any(header, found, _SERIES_NUMBER),
        instance_number=_number_if_any(header, found, _INSTANCE_NUMBER),
    )


def _no_image(file: DicomFile, sop_class: str) -> Exception:
    kind = file.sop_class or sop_class
    if not kind and not file.start:
        return ValueError("no image, and perhaps no DICOM")
    other = "Storage" in UID(kind).name and "Image" not in UID(kind).name
    return (NoPixelsError if other else SweepError)(
        f"{file.path.name}: expected a DICOM image, found one without pixels; choose the "
        f"file that holds the sweep"
    )


def _whole(header: DataSet, found: dict[int, Element], tag: int, default: int | None = None) -> int:
    """Return a number that pixels need; the default only where it is missing or empty."""
    element = found.get(tag)
    if default is not None and (element is None or not header.value(element).strip()):
        return default
    number = header.number(element)
    if number is None or number != int(number):
        raise ValueError("a number that pixels need is none")
    return int(number)


def _number_if_any(header: DataSet, found: dict[int, Element], tag: int) -> int | None:
    """Return a number that pixels do not need, or None where it is none."""
    try:
        return _whole(header, found, tag)
    except (ValueError, OverflowError):
        return None


def _frames(header: DataSet, found: dict[int, Element]) -> int | None:
    frames = _number_if_any(header, found, _FRAMES)
    return frames if frames and frames > 0 else None


def _padding(header: DataSet, found: dict[int, Element], signed: bool) -> tuple[int, int] | None:
    """Return the values that mean "nothing here" (PS3.3, C.7.5.1.1.2)."""
    # Signed as the pixels are, whatever representation a writer gave the value.
    order: Literal["little", "big"] = "little" if header.order == "<" else "big"
    ends = [
        int.from_bytes(value, order, signed=signed)
        for tag in (_PADDING, _PADDING_LIMIT)
        if len(value := header.value(found.get(tag))) in (2, 4)
    ]
    return (min(ends), max(ends)) if _PADDING in found and ends else None


def _palette(header: DataSet, found: dict[int, Element], signed: bool) -> Palette:
    little_endian = header.order == "<"
    entries, first, bits = struct.unpack(
        f"{header.order}H{'h' if signed else 'H'}H", header.value(found[_DESCRIPTOR])
    )
    if bits not in (8, 16):
        raise ValueError("a palette of a depth that there is not")
    segmented = _TABLES[0] not in found
    tables = [header.value(found[tag]) for tag in (_SEGMENTED if segmented else _TABLES)]
    return Palette(entries or MAX_ENTRIES, first, bits, tables, segmented, little_endian)


def _extended_offsets(header: DataSet, found: dict[int, Element]) -> tuple[tuple[int, int], ...]:
    """Return offset and length of each frame (PS3.3, C.7.6.3.1.8); none where they differ."""
    offsets, lengths = (header.value(found.get(tag)) for tag in (_OFFSETS, _LENGTHS))
    if not offsets or len(offsets) != len(lengths) or len(offsets) % 8:
        return ()
    numbers = f"{header.order}{len(offsets) // 8}Q"
    return tuple(zip(struct.unpack(numbers, offsets), struct.unpack(numbers, lengths), strict=True))


def _calibration(header: DataSet, found: dict[int, Element], end: int) -> Calibration:
    """Return the calibration; none where it is damaged, as pixels do not need it."""
    try:
        return read_calibration(header, found, end)
    except (ValueError, struct.error):
        return Calibration()
