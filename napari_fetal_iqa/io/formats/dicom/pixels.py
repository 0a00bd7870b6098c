"""Pixels of a DICOM file, whatever its transfer syntax and colour space, as grey frames.

What is raised here other than a SweepError is turned into one by the caller.
"""

import io
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from pydicom.uid import MPEGTransferSyntaxes

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.dicom.compressed_frames import decode_compressed, unsupported
from napari_fetal_iqa.io.formats.dicom.file import DicomFile
from napari_fetal_iqa.io.formats.dicom.header import ImageHeader
from napari_fetal_iqa.io.formats.dicom.palette import colours_of
from napari_fetal_iqa.io.formats.dicom.stored_frames import (
    find_compressed_frames,
    find_uncompressed_frames,
    find_video,
    joined,
)
from napari_fetal_iqa.io.formats.dicom.uncompressed_frames import decode_uncompressed
from napari_fetal_iqa.io.formats.video import append_video_frames
from napari_fetal_iqa.io.frames.frame_stack import FrameStack, check_stack_size
from napari_fetal_iqa.io.frames.grey import Padding, luma


def count_frames(file: DicomFile, header: ImageHeader) -> int:
    """Return how many frames are stored; of a video those that the header says, or 2.

    Raises
    ------
    SweepError
        Where it cannot be told, or the pixel data does not hold them.
    """
    if not file.syntax.is_transfer_syntax:
        raise unsupported(file, "an unknown transfer syntax")
    if file.syntax in MPEGTransferSyntaxes:
        return max(2, header.frames or 1)
    if file.syntax.is_compressed:
        return len(find_compressed_frames(file, header))
    return find_uncompressed_frames(file, header).count


def grey_frame_bytes(header: ImageHeader) -> int:
    """Return the memory that a frame takes as grey of its own depth."""
    wide = header.samples == 1 and header.palette is None
    return header.rows * header.columns * max(8, header.bits_allocated if wide else 8) // 8


def append_frames(stack: FrameStack, file: DicomFile, header: ImageHeader) -> Padding:
    """Decode all frames onto a stack, as grey of the file's own depth.

    Returns
    -------
    (int, int) or None
        Which values of these grey frames are padding.

    Raises
    ------
    SweepError
        Where no decoder for the transfer syntax is there, where frames are missing, or where they
        would take more memory than any sweep.
    """
    check_stack_size(file.path.name, count_frames(file, header) * grey_frame_bytes(header))
    if file.syntax in MPEGTransferSyntaxes:
        _append_video(stack, file, header)
        return None
    to_grey = _grey_maker(header)
    decode = decode_compressed if file.syntax.is_compressed else decode_uncompressed
    for frame, photometric in decode(file, header):
        stack.append(to_grey(frame, photometric))
    return _padding_of_grey(header)


def _grey_maker(header: ImageHeader) -> Callable[[NDArray[Any], str], NDArray[Any]]:
    """Return what makes a frame grey, given its colour space; one rule for all frames."""
    palette = header.palette.grey() if header.palette else None

    def to_grey(frame: NDArray[Any], photometric: str) -> NDArray[Any]:
        if photometric.startswith("YBR_FULL"):
            return frame[..., 0]
        if photometric == "RGB":
            return luma(frame)
        if header.palette and palette is not None:
            grey = colours_of(frame, header.palette.first, palette)
            if header.padding:  # known by its index alone: its colour may be any other's, too
                low, high = header.padding
                grey[(frame >= low) & (frame <= high)] = 0
            return grey
        if photometric == "MONOCHROME1":
            return ~frame if frame.dtype.kind == "i" else _white(header) - frame
        if photometric == "MONOCHROME2":
            return frame
        raise ValueError("unknown colour space")

    return to_grey


def _white(header: ImageHeader) -> int:
    return (1 << header.bits_stored) - 1


def _padding_of_grey(header: ImageHeader) -> Padding:
    """Return the padding of grey frames: turned over where the frames are."""
    if header.padding is None or header.photometric != "MONOCHROME1":
        return header.padding if header.palette is None else None
    low, high = header.padding
    if header.signed:
        return ~high, ~low
    # Values that the stored bits cannot hold turn into such ones, as in the frames.
    white, wrap = _white(header), 1 << header.bits_allocated
    high = white if low <= white < high else high
    return (white - high) % wrap, (white - low) % wrap


def _append_video(stack: FrameStack, file: DicomFile, header: ImageHeader) -> None:
    """Decode a video that is stored as the only frame (PS3.5, sections 8.2.5 to 8.2.8)."""
    video = joined(file.data, find_video(file, header))
    if video[4:8] == b"ftyp":
        container = "mp4"
    elif video[:4] == b"\0\0\1\xba":
        container = "mpeg"
    elif video[:1] == b"G" and video[188:189] == b"G":
        container = "mpegts"
    elif video[:4] == b"\0\0\1\xb3":
        container = "mpegvideo"
    else:
        container = "h264"
    before = len(stack)
    append_video_frames(stack, io.BytesIO(video), container)
    found, name = len(stack) - before, file.path.name
    if found < (header.frames or 1):
        raise SweepError(
            f"{name}: expected {header.frames} frames, found {found}; copy the file again"
        )
    if stack.frame_shape != (header.rows, header.columns):
        raise SweepError(
            f"{name}: expected frames of {header.rows} x {header.columns}, found a video of "
            f"{' x '.join(map(str, stack.frame_shape))}; export it again"
        )
