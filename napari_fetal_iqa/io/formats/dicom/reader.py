"""One ultrasound DICOM file: its grey frames and its spacing; no patient data leaves here.

Attributes and codes are those of DICOM PS3.3, sections C.7.6.3 (image pixel) and C.8.5.5 (US
region calibration). Text of the header is used in no message, name or log.
"""

import mmap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.pixels import as_pixel_options
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.dicom.file import opened
from napari_fetal_iqa.io.formats.dicom.pixels import append_frames, seek_pixels
from napari_fetal_iqa.io.formats.pixel_block import PixelBlock
from napari_fetal_iqa.io.frames.frame_stack import FrameStack, check_frame_size
from napari_fetal_iqa.io.frames.grey import to_grey_frames
from napari_fetal_iqa.sweep import Frames, SweepVolume, known_spacing

CENTIMETRES = 3
"""Unit code of PhysicalUnitsXDirection and -YDirection for cm (PS3.3, C.8.5.5.1.3)."""


class NoPixelsError(SweepError):
    """A sound DICOM file that is no image, such as a report."""


@dataclass(frozen=True)
class DicomFacts:
    """Technical facts of one file; the series and the numbers only serve to sort files."""

    path: Path
    frames: int
    spacing_mm: tuple[float, float] | None
    series: str = field(repr=False)
    series_number: int = field(repr=False)
    instance_number: int = field(repr=False)


def read_dicom(path: Path) -> SweepVolume:
    """Read one DICOM file with one or several frames.

    Uncompressed 8-bit grey frames are memory-mapped.

    Raises
    ------
    SweepError
        Where it is no DICOM image, is damaged, or no installed decoder reads its pixels.
    """
    with opened(path) as file:
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        facts = _facts(path, dataset)
        frames = _mapped_frames(path, file, dataset)
        if frames is None:
            stack = FrameStack(path.name)
            _append(stack, path, file, dataset)
            frames = to_grey_frames(stack.frames())
    return SweepVolume(
        frames,
        spacing_mm=facts.spacing_mm,
        name=path.stem,
        source_format="DICOM",
        path=path,
    )


def read_facts(path: Path) -> DicomFacts:
    """Read the technical facts of a DICOM image, without its pixels.

    Raises
    ------
    SweepError
        Where it is no DICOM image; a :class:`NoPixelsError` where it is another object.
    """
    with opened(path) as file:
        return _facts(path, pydicom.dcmread(file, stop_before_pixels=True))


def _facts(path: Path, dataset: pydicom.Dataset) -> DicomFacts:
    if "Rows" not in dataset or "Columns" not in dataset:
        kind = UID(dataset.file_meta.get("MediaStorageSOPClassUID", "")).name
        other = "Storage" in kind and "Image" not in kind
        raise (NoPixelsError if other else SweepError)(
            f"{path.name}: expected a DICOM image, found one without pixels; choose the "
            f"file that holds the sweep"
        )
    check_frame_size(path.name, int(dataset.Rows), int(dataset.Columns))
    return DicomFacts(
        path=path,
        frames=int(dataset.get("NumberOfFrames") or 1),
        spacing_mm=_spacing(dataset),
        series=str(dataset.get("SeriesInstanceUID", "")),
        series_number=int(dataset.get("SeriesNumber") or 0),
        instance_number=int(dataset.get("InstanceNumber") or 0),
    )


def append_dicom_frames(stack: FrameStack, path: Path) -> None:
    """Decode the frames of a DICOM file onto a stack, as grey of the file's own depth.

    Raises
    ------
    SweepError
        As :func:`read_dicom`.
    """
    with opened(path) as file:
        _append(stack, path, file, pydicom.dcmread(file, stop_before_pixels=True))


def _append(stack: FrameStack, path: Path, file: Any, dataset: pydicom.Dataset) -> None:
    expected = int(dataset.get("NumberOfFrames") or 1)
    before = len(stack)
    append_frames(stack, path, file, dataset)
    found = len(stack) - before
    if found != expected:
        raise SweepError(
            f"{path.name}: expected {expected} frames, found {found}; copy the file again"
        )


def _spacing(dataset: pydicom.Dataset) -> tuple[float, float] | None:
    """Spacing of the largest region that is calibrated in cm, else PixelSpacing, else None."""
    largest, spacing = 0, None
    for region in dataset.get("SequenceOfUltrasoundRegions") or ():
        units = {region.get(f"PhysicalUnits{axis}Direction") for axis in "XY"}
        width = region.get("RegionLocationMaxX1", 0) - region.get("RegionLocationMinX0", 0) + 1
        height = region.get("RegionLocationMaxY1", 0) - region.get("RegionLocationMinY0", 0) + 1
        if units == {CENTIMETRES} and width > 0 and height > 0 and width * height > largest:
            row_mm, column_mm = (
                10 * abs(float(region.get(f"PhysicalDelta{axis}", 0))) for axis in "YX"
            )
            if known_spacing(row_mm, column_mm):
                largest, spacing = width * height, (row_mm, column_mm)
    if spacing is None and len(dataset.get("PixelSpacing") or ()) == 2:
        spacing = known_spacing(*(float(mm) for mm in dataset.PixelSpacing))
    return spacing


def _mapped_frames(path: Path, file: Any, dataset: pydicom.Dataset) -> Frames | None:
    """Map uncompressed 8-bit grey frames; None where the file holds others."""
    options = as_pixel_options(dataset)
    syntax = dataset.file_meta.TransferSyntaxUID
    plain = (
        isinstance(file, mmap.mmap)
        and syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
        and options["photometric_interpretation"] == "MONOCHROME2"
        and options["bits_allocated"] == 8
        and options["pixel_representation"] == 0
    )
    if not plain:
        return None
    shape = (options["number_of_frames"], options["rows"], options["columns"])
    length = seek_pixels(file, syntax).length
    block = PixelBlock(path, shape, np.dtype(np.uint8), offset=file.tell())
    if length < block.pixel_bytes:
        raise ValueError("pixel data is too short")
    return block.open()
