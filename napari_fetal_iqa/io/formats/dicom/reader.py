"""One ultrasound DICOM file: its grey frames and its spacing; no patient data leaves here.

Text of the header is used in no message, name or log.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, MPEGTransferSyntaxes

from napari_fetal_iqa.io.formats.dicom.calibration import Calibration, Picture, spacing_of
from napari_fetal_iqa.io.formats.dicom.compressed_frames import check_beforehand
from napari_fetal_iqa.io.formats.dicom.file import DicomFile, opened
from napari_fetal_iqa.io.formats.dicom.header import ImageHeader, read_header
from napari_fetal_iqa.io.formats.dicom.pixels import append_frames, count_frames, grey_frame_bytes
from napari_fetal_iqa.io.formats.dicom.stored_frames import (
    find_compressed_frames,
    find_uncompressed_frames,
    find_video,
    joined,
)
from napari_fetal_iqa.io.formats.dicom.uncompressed_frames import decode_uncompressed
from napari_fetal_iqa.io.formats.pixel_block import PixelBlock
from napari_fetal_iqa.io.frames.frame_stack import FrameStack
from napari_fetal_iqa.io.frames.grey import Padding, to_grey_frames
from napari_fetal_iqa.sweep import Frames, SweepVolume


@dataclass(frozen=True)
class DicomFacts:
    """Technical facts of one file; series, instance and numbers only serve to sort files.

    Numbers that the file does not say are None. ``grey_bytes`` is what the frames take when they
    are decoded, ``turned_bits`` is the depth by which
    MONOCHROME1 is turned over, else 0.
    """

    path: Path
    frames: int
    frame_shape: tuple[int, int]
    grey_bytes: int
    calibration: Calibration
    turned_bits: int
    syntax: str
    series: str = field(repr=False)
    instance: str = field(repr=False)
    series_number: int | None = field(repr=False)
    instance_number: int | None = field(repr=False)


def read_dicom(path: Path) -> SweepVolume:
    """Read one DICOM file with one or several frames.

    Uncompressed 8-bit grey frames are read as they are looked at.

    Raises
    ------
    SweepError
        Where it is no DICOM image, is damaged, or no installed decoder reads its pixels.
    """
    with opened(path) as file:
        header = read_header(file)
        frames = _frames_in_place(file, header)
        if frames is None:
            stack = FrameStack(path.name)
            padding = append_frames(stack, file, header)
            frames = to_grey_frames(stack.frames(), padding=[padding] * len(stack))
    spacing_mm, spacing_note = spacing_of(header.calibration, Picture(frames))
    return SweepVolume(
        frames,
        spacing_mm=spacing_mm,
        name=path.stem,
        source_format="DICOM",
        path=path,
        spacing_note=spacing_note,
        frames_per_second=header.rate.per_second,
        rate_source=header.rate.source,
    )


def read_facts(path: Path) -> DicomFacts:
    """Read the technical facts of a DICOM image, without decoding its pixels.

    Raises
    ------
    SweepError
        Where it is no DICOM image; a
        :class:`~napari_fetal_iqa.io.formats.dicom.header.NoPixelsError` where it is another
        object.
    """
    with opened(path) as file:
        header = read_header(file)
        count = count_frames(file, header)
        return DicomFacts(
            path=path,
            frames=count,
            frame_shape=(header.rows, header.columns),
            grey_bytes=count * grey_frame_bytes(header),
            calibration=header.calibration,
            turned_bits=header.bits_stored if header.photometric == "MONOCHROME1" else 0,
            syntax=file.syntax,
            series=header.series,
            instance=header.instance,
            series_number=header.series_number,
            instance_number=header.instance_number,
        )


def check_dicom_frames(path: Path) -> None:
    """Find what can be found wrong of compressed frames without decoding all of them.

    Raises
    ------
    SweepError
        As :func:`read_dicom`.
    """
    with opened(path) as file:
        check_beforehand(file, read_header(file), alone=False)


def append_dicom_frames(stack: FrameStack, path: Path) -> Padding:
    """Decode the frames of a DICOM file onto a stack, as grey of the file's own depth.

    Returns
    -------
    (int, int) or None
        Which values of these frames are padding.

    Raises
    ------
    SweepError
        As :func:`read_dicom`.
    """
    with opened(path) as file:
        return append_frames(stack, file, read_header(file))


def pixel_digest(path: Path) -> bytes:
    """Return a digest of the pixels, to tell copies.

    Uncompressed pixels count by their values, however they are stored; of compressed ones each
    frame counts as it is stored. What lies before, between and behind them does not count.
    """
    with opened(path) as file:
        header = read_header(file)
        digest = hashlib.sha256()
        if file.syntax in MPEGTransferSyntaxes:
            digest.update(file.syntax.encode() + joined(file.data, find_video(file, header)))
        elif file.syntax.is_compressed:
            digest.update(file.syntax.encode())
            for pieces in find_compressed_frames(file, header):
                digest.update(joined(file.data, pieces))
        else:
            for frame, _ in decode_uncompressed(file, header):
                digest.update(np.ascontiguousarray(frame).data)
        return digest.digest()


def grey_digest(path: Path) -> bytes:
    """Return a digest of the decoded grey frames, to tell copies in other transfer syntaxes.

    Raises
    ------
    SweepError
        As :func:`read_dicom`.
    """
    return _digest_of(grey_frames_of(path))


def grey_frames_of(path: Path) -> NDArray[Any]:
    """Decode the frames of a DICOM file as grey of the file's own depth, (T, H, W).

    Raises
    ------
    SweepError
        As :func:`read_dicom`.
    """
    stack = FrameStack(path.name)
    append_dicom_frames(stack, path)
    return stack.frames()


def _digest_of(frames: NDArray[Any]) -> bytes:
    digest = hashlib.sha256(f"{frames.shape}".encode())
    digest.update(frames.data)
    return digest.digest()


def _frames_in_place(file: DicomFile, header: ImageHeader) -> Frames | None:
    """Return uncompressed 8-bit grey frames, not yet read; None where the file holds others."""
    plain = (
        file.in_place
        and file.syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
        and header.photometric == "MONOCHROME2"
        and header.bits_allocated == header.bits_stored == 8
        and not header.signed
        and header.padding in (None, (0, 0))
    )
    if not plain:
        return None
    shape = (find_uncompressed_frames(file, header).count, header.rows, header.columns)
    return PixelBlock(file.path, shape, np.dtype(np.uint8), offset=header.pixels.start).open()
