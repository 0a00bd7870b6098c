"""Pixels of a DICOM file, whatever its transfer syntax and colour space, as grey frames.

Pillow decodes JPEG and JPEG 2000, FFmpeg lossless, 12-bit and near-lossless JPEG and videos,
pydicom the rest. GDCM, which pydicom would take first where it is installed, is never used:
a damaged JPEG-LS frame makes it end the whole process.

What is raised here other than a SweepError is turned into one by the caller.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_color_lut, as_pixel_options, get_decoder
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    MPEGTransferSyntaxes,
)

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.video import append_video_frames, grey_of
from napari_fetal_iqa.io.frames.frame_stack import FrameStack
from napari_fetal_iqa.io.frames.grey import luma

CODECS = {
    JPEGExtended12Bit: "mjpeg",
    JPEGLossless: "mjpeg",
    JPEGLosslessSV1: "mjpeg",
    JPEGLSLossless: "jpegls",
    JPEGLSNearLossless: "jpegls",
}
"""FFmpeg's decoder of the transfer syntaxes that it decodes."""

Decoded = Iterator[tuple[NDArray[Any], str]]
"""Frames, each with its colour space after decoding (photometric interpretation)."""


def append_frames(stack: FrameStack, path: Path, file: Any, dataset: pydicom.Dataset) -> None:
    """Decode all frames onto a stack, as grey of the file's own depth.

    Parameters
    ----------
    stack : FrameStack
    path : Path
        For messages.
    file : seekable binary file
        Positioned at the pixel data element, as ``dcmread(file, stop_before_pixels=True)``
        leaves it.
    dataset : pydicom Dataset
        The header.

    Raises
    ------
    SweepError
        Where no decoder for the transfer syntax is there.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_transfer_syntax:
        raise _unsupported(path, "an unknown transfer syntax")
    if syntax in MPEGTransferSyntaxes:
        seek_pixels(file, syntax)
        _append_video(stack, file)
    else:
        for frame, photometric in _decode(path, file, dataset):
            stack.append(_grey(frame, photometric, dataset))


@dataclass(frozen=True)
class PixelElement:
    """Value representation ("OB", "OW", "UN" or "" for implicit) and length of the pixel data."""

    vr: str
    length: int


def seek_pixels(file: Any, syntax: UID) -> PixelElement:
    """Move from the start of the pixel data element to its value."""
    order = "<" if syntax.is_little_endian else ">"
    group, element, size = struct.unpack(f"{order}HH4s", file.read(8))
    if (group, element) != (0x7FE0, 0x0010):
        raise ValueError("no pixel data")
    # By what stands there, as some files deviate from their transfer syntax.
    vr = size[:2].decode("latin-1") if size[:2] in (b"OB", b"OW", b"UN") else ""
    (length,) = struct.unpack(f"{order}L", file.read(4) if vr else size)
    return PixelElement(vr, length)


def _decode(path: Path, file: Any, dataset: pydicom.Dataset) -> Decoded:
    syntax = dataset.file_meta.TransferSyntaxUID
    element = seek_pixels(file, syntax)
    if syntax in CODECS:
        return _decode_by_ffmpeg(file, dataset)
    options = as_pixel_options(dataset, pixel_keyword="PixelData", pixel_vr=element.vr or "OW")
    if syntax in JPEG2000TransferSyntaxes:
        # Decoded one by one, pydicom's arrays are writeable, as its correction of signs needs.
        options["indices"] = range(int(dataset.get("NumberOfFrames") or 1))
    return _decode_by_pydicom(path, syntax, file, options)


def _decode_by_pydicom(path: Path, syntax: UID, source: Any, options: dict[str, Any]) -> Decoded:
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise _unsupported(path, syntax.name) from None
    plugins = [plugin for plugin in decoder.available_plugins if plugin != "gdcm"]
    if syntax.is_compressed and not plugins:
        missing = "; or ".join(need for need in decoder.missing_dependencies if "gdcm" not in need)
        raise SweepError(
            f"{path.name}: pixels are stored as {syntax.name}, and no decoder for it is installed; "
            f"install one ({missing}) or export the sweep again as JPEG"
        )
    plugin = "pillow" if "pillow" in plugins else "".join(plugins[:1])
    for frame, facts in decoder.iter_array(source, raw=True, decoding_plugin=plugin, **options):
        yield frame, str(facts["photometric_interpretation"])


def _unsupported(path: Path, syntax: str) -> SweepError:
    return SweepError(
        f"{path.name}: pixels are stored as {syntax}, which is not supported; "
        f"export the sweep again as uncompressed or JPEG"
    )


def _decode_by_ffmpeg(file: Any, dataset: pydicom.Dataset) -> Decoded:
    codec = CODECS[dataset.file_meta.TransferSyntaxUID]
    n_frames = int(dataset.get("NumberOfFrames") or 1)
    for data in generate_frames(file, number_of_frames=n_frames):
        if codec == "jpegls" and _interleaved_by_sample(data):
            raise ValueError("FFmpeg makes black frames of these")
        decoder: Any = av.CodecContext.create(codec, "r")
        (frame,) = decoder.decode(av.Packet(data))
        if frame.is_corrupt or (frame.height, frame.width) != (dataset.Rows, dataset.Columns):
            raise ValueError("damaged frame")
        if frame.format.name == "gray16le":
            grey = frame.to_ndarray()
            yield grey.view(np.int16) if dataset.PixelRepresentation else grey, "MONOCHROME2"
        elif frame.format.is_rgb:
            yield frame.to_ndarray(format="rgb24"), str(dataset.PhotometricInterpretation)
        else:
            yield grey_of(frame), "MONOCHROME2"


def _interleaved_by_sample(data: bytes) -> bool:
    """Return whether a JPEG-LS scan has its colours pixel by pixel (ITU-T T.87, section C.2.3)."""
    start = data.find(b"\xff\xda")
    components = data[start + 4]
    return data[start + 6 + 2 * components] == 2


def _grey(frame: NDArray[Any], photometric: str, dataset: pydicom.Dataset) -> NDArray[Any]:
    if photometric.startswith("YBR_FULL"):
        return frame[..., 0]
    if photometric == "PALETTE COLOR":
        colours = apply_color_lut(frame, dataset)
        wide = colours.dtype == np.uint16 and colours.max() > 255
        return luma((colours >> 8 if wide else colours).astype(np.uint8))
    if photometric == "RGB":
        return luma(frame)
    if photometric == "MONOCHROME1":
        return ~frame if frame.dtype.kind == "i" else (1 << dataset.BitsStored) - 1 - frame
    if photometric == "MONOCHROME2":
        return frame
    raise ValueError("unknown colour space")


def _append_video(stack: FrameStack, file: Any) -> None:
    """Decode a video that is stored as the only frame (PS3.5, sections 8.2.5 to 8.2.8)."""
    video = b"".join(generate_frames(file, number_of_frames=1))
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
    append_video_frames(stack, io.BytesIO(video), container)
