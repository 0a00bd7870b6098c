"""Compressed frames, decoded one by one by whichever library is best at their transfer syntax.

Pillow decodes JPEG and JPEG 2000, FFmpeg lossless, 12-bit and near-lossless JPEG, this package RLE,
pydicom's plugins the rest. GDCM, which pydicom would take first where it is installed, is never
used: a damaged JPEG-LS frame makes it end the whole process.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from pydicom.pixels import get_decoder
from pydicom.uid import (
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.dicom.codestream import (
    HEAD_BYTES,
    JPEG_LS,
    LOSSLESS_JPEG,
    Codestream,
    has_ended,
    interleaved_by_sample,
    read_codestream,
)
from napari_fetal_iqa.io.formats.dicom.file import DicomFile
from napari_fetal_iqa.io.formats.dicom.header import ImageHeader
from napari_fetal_iqa.io.formats.dicom.rle import decode_rle
from napari_fetal_iqa.io.formats.dicom.sample_bits import SampleBits
from napari_fetal_iqa.io.formats.dicom.stored_frames import (
    Piece,
    find_compressed_frames,
    joined,
)
from napari_fetal_iqa.io.formats.video import grey_of
from napari_fetal_iqa.io.formats.whole_jpeg import check_jpeg_scans
from napari_fetal_iqa.io.frames.frame_stack import check_expansion

CODECS = {
    JPEGExtended12Bit: "mjpeg",
    JPEGLossless: "mjpeg",
    JPEGLosslessSV1: "mjpeg",
    JPEGLSLossless: "jpegls",
    JPEGLSNearLossless: "jpegls",
}
"""FFmpeg's decoder of the transfer syntaxes that it decodes."""

LEFT_ALIGNED = (LOSSLESS_JPEG, JPEG_LS)
"""Frames whose bits FFmpeg (tried: 8.0) puts highest, where they do not fill their type."""

LOSSLESS = (
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEG2000Lossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
)
"""Transfer syntaxes that keep every bit, so that whole words may have been compressed."""

MAX_PIXELS_PER_BYTE = 4000
"""As of a video: black frames of a scanner in JPEG 2000 have 3000 pixels a byte, larger ones more.
"""

MANY = 16
"""Frames from which on one of them may be decoded twice."""

_TAIL_BYTES = 32

Decoded = Iterator[tuple[NDArray[Any], str]]
"""Frames, each with its colour space after decoding (photometric interpretation)."""


def decode_compressed(file: DicomFile, header: ImageHeader) -> Decoded:
    """Yield (H, W) or (H, W, 3) frames with their photometric interpretation.

    Raises
    ------
    SweepError
        Where no decoder for the transfer syntax is there.
    ValueError
        Where a frame is damaged, or of another size than the header says: found before memory is
        taken for it.
    """
    check_beforehand(file, header)
    return _decode(find_compressed_frames(file, header), file, header)


def check_beforehand(file: DicomFile, header: ImageHeader, alone: bool = True) -> None:
    """Find what can be found wrong of frames without decoding all those before them.

    Their sizes are compared with the header; and the frame that is the likeliest to be cut is
    decoded: the shortest of those without an end, or of many. An only frame is decoded beforehand
    where it has no end and the file is not ``alone``, but one of a folder.
    """
    places = find_compressed_frames(file, header)
    stored = sum(length for pieces in places for _, length in pieces)
    size = len(places) * header.rows * header.columns
    check_expansion(file.path.name, size, stored, MAX_PIXELS_PER_BYTE)
    suspects = list(places) if len(places) >= MANY else []
    if file.syntax != RLELossless:
        endless = []
        for pieces in places:
            start, length = pieces[0]
            head = bytes(file.data[start : start + min(length, HEAD_BYTES)])
            _check_size(read_codestream(head), header)
            start, length = pieces[-1]
            if not has_ended(file.data[start + max(0, length - _TAIL_BYTES) : start + length]):
                endless.append(pieces)
        suspects = endless or suspects
    if suspects and (len(places) > 1 or not alone):
        likeliest = min(suspects, key=lambda pieces: sum(length for _, length in pieces))
        next(_decode([likeliest], file, header))


def _decode(places: Sequence[list[Piece]], file: DicomFile, header: ImageHeader) -> Decoded:
    frames = (joined(file.data, pieces) for pieces in places)
    if file.syntax == RLELossless:
        return _decode_rle(frames, file, header)
    if file.syntax in CODECS:
        return _decode_by_ffmpeg(frames, file, header)
    return _decode_by_pydicom(frames, file, header)


def unsupported(file: DicomFile, syntax: str) -> SweepError:
    """Return the error of a transfer syntax that cannot be read."""
    return SweepError(
        f"{file.path.name}: pixels are stored as {syntax}, which is not supported; "
        f"export the sweep again as uncompressed or JPEG"
    )


def _decode_by_pydicom(frames: Iterator[bytes], file: DicomFile, header: ImageHeader) -> Decoded:
    syntax = file.syntax
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise unsupported(file, syntax.name) from None
    plugins = [plugin for plugin in decoder.available_plugins if plugin != "gdcm"]
    if not plugins:
        missing = "; or ".join(need for need in decoder.missing_dependencies if "gdcm" not in need)
        raise SweepError(
            f"{file.path.name}: pixels are stored as {syntax.name}, and no decoder for it is "
            f"installed; install one ({missing}) or export the sweep again as JPEG"
        )
    plugin = "pillow" if "pillow" in plugins else plugins[0]
    options: dict[str, Any] = {
        "rows": header.rows,
        "columns": header.columns,
        "samples_per_pixel": header.samples,
        "photometric_interpretation": header.photometric,
        "planar_configuration": int(header.planar),
        "bits_allocated": header.bits_allocated,
        "bits_stored": header.bits_stored,
        "pixel_representation": int(header.signed),
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
        "pixel_vr": "OB",
    }
    if syntax in JPEG2000TransferSyntaxes:
        # By their number, pydicom's arrays are writeable, as its correction of signs needs.
        options["indices"] = range(1)
    bits = SampleBits(file.path.name, header)
    for data in frames:
        found = read_codestream(data)
        _check_size(found, header)
        if syntax == JPEGBaseline8Bit:
            check_jpeg_scans(data)
        ((frame, facts),) = decoder.iter_array(
            _as_item(data), raw=True, decoding_plugin=plugin, **options
        )
        frame = bits.decompressed(frame, found.precision if found else 0, syntax in LOSSLESS)
        yield frame, str(facts["photometric_interpretation"])
    bits.finish()


def _decode_rle(frames: Iterator[bytes], file: DicomFile, header: ImageHeader) -> Decoded:
    kind = np.dtype(f"{'i' if header.signed else 'u'}{header.bits_allocated // 8}")
    bits = SampleBits(file.path.name, header)
    for data in frames:
        frame = decode_rle(data, header.rows, header.columns, header.samples, kind)
        yield bits.samples_of(frame), header.photometric
    bits.finish()


def _as_item(data: bytes) -> bytes:
    """Return a frame as the only one of a pixel data element, as pydicom takes it."""
    item = b"\xfe\xff\x00\xe0"
    return item + bytes(4) + item + len(data).to_bytes(4, "little") + data


def _check_size(found: Codestream | None, header: ImageHeader) -> None:
    if found and (found.rows, found.columns) != (header.rows, header.columns):
        raise ValueError("a frame of another size")


def _decode_by_ffmpeg(frames: Iterator[bytes], file: DicomFile, header: ImageHeader) -> Decoded:
    codec = CODECS[file.syntax]
    bits = SampleBits(file.path.name, header)
    for data in frames:
        found = read_codestream(data)
        _check_size(found, header)
        if codec == "jpegls" and interleaved_by_sample(data):
            raise ValueError("FFmpeg makes black frames of these")
        decoder: Any = av.CodecContext.create(codec, "r")
        decoder.options = {"err_detect": "explode"}  # else what is missing becomes grey or black
        (frame,) = decoder.decode(av.Packet(data))
        if frame.is_corrupt or (frame.height, frame.width) != (header.rows, header.columns):
            raise ValueError("damaged frame")
        if frame.format.is_rgb:
            yield frame.to_ndarray(format="rgb24"), header.photometric
        elif header.samples > 1:
            yield grey_of(frame), "MONOCHROME2"
        else:
            wide = frame.format.name == "gray16le"
            grey = frame.to_ndarray() if wide else grey_of(frame)
            grey = _as_stored(grey, found, header)
            precision = found.precision if found else 0
            yield bits.decompressed(grey, precision, file.syntax in LOSSLESS), header.photometric
    bits.finish()


def _as_stored(grey: NDArray[Any], found: Codestream | None, header: ImageHeader) -> NDArray[Any]:
    """Return the values that were compressed: their own bits, and their sign."""
    unused = max(0, 8 * grey.itemsize - (found.precision if found else 16))
    if found and found.marker not in LEFT_ALIGNED:
        if not header.signed and header.photometric != "MONOCHROME1":
            return grey
        # Lossy ones may overshoot their range, and would not turn over.
        grey = np.minimum(grey, (1 << found.precision) - 1) << unused
    return (grey.view(f"i{grey.itemsize}") if header.signed else grey) >> unused
