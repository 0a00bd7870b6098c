"""One ultrasound DICOM file: its grey frames and its spacing; no patient data leaves here.

Attributes and codes are those of DICOM PS3.3, sections C.7.6.3 (image pixel) and C.8.5.5 (US
region calibration). Text of the header is used in no message, name or log, and the messages
of pydicom, which may quote it, are dropped.
"""

import logging
import mmap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.pixels import as_pixel_options
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from napari_fetal_iqa.errors import FetalIqaError, SweepError
from napari_fetal_iqa.io.dicom_pixels import append_frames, seek_pixels
from napari_fetal_iqa.io.frame_stack import FrameStack, check_frame_size
from napari_fetal_iqa.io.grey import to_grey_frames
from napari_fetal_iqa.io.pixel_block import PixelBlock
from napari_fetal_iqa.io.text_header import known_spacing
from napari_fetal_iqa.sweep import Frames, SweepVolume

CENTIMETRES = 3
"""Unit code of PhysicalUnitsXDirection and -YDirection for cm (PS3.3, C.8.5.5.1.3)."""


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
    facts = read_facts(path)
    mapped = _mapped_frames(path)
    return SweepVolume(
        _decoded_frames(path) if mapped is None else mapped,
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
        Where it is no DICOM image.
    """
    with _opened(path) as file:
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        if "Rows" not in dataset or "Columns" not in dataset:
            raise SweepError(
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
    with _opened(path) as file:
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        expected = int(dataset.get("NumberOfFrames") or 1)
        before = len(stack)
        append_frames(stack, path, file, dataset)
        found = len(stack) - before
    if found != expected:
        raise SweepError(
            f"{path.name}: expected {expected} frames, found {found}; copy the file again"
        )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Map a file for reading; whatever pydicom makes of a damaged one becomes a SweepError.

    A map rather than a file, because a damaged length then never asks for memory.
    """
    logger = logging.getLogger("pydicom")
    level = logger.level
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            warnings.catch_warnings(),
            pydicom.config.disable_value_validation(),
        ):
            warnings.simplefilter("ignore")
            logger.setLevel(logging.CRITICAL)
            yield mapped
    except (FetalIqaError, PermissionError, FileNotFoundError, MemoryError):
        raise
    except Exception:
        # "from None": the message of the cause may quote the header.
        raise SweepError(
            f"{path.name}: expected a DICOM image that the decoders can read, found a damaged or "
            f"other file; copy it again, or export it as uncompressed"
        ) from None
    finally:
        logger.setLevel(level)


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


def _mapped_frames(path: Path) -> Frames | None:
    """Map uncompressed 8-bit grey frames; None where the file holds others."""
    with _opened(path) as file:
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        options = as_pixel_options(dataset)
        syntax = dataset.file_meta.TransferSyntaxUID
        plain = (
            syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
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


def _decoded_frames(path: Path) -> Frames:
    stack = FrameStack(path.name)
    append_dicom_frames(stack, path)
    frames: Frames = to_grey_frames(stack.frames())
    return frames
