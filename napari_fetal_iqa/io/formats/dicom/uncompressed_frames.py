"""Uncompressed frames as they are stored (PS3.5, chapter 8), each with its colour space."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.io.formats.dicom.file import DicomFile
from napari_fetal_iqa.io.formats.dicom.header import ImageHeader
from napari_fetal_iqa.io.formats.dicom.sample_bits import SampleBits
from napari_fetal_iqa.io.formats.dicom.stored_frames import find_uncompressed_frames

NEUTRAL = 128
"""Both colour differences of grey in YBR."""


def decode_uncompressed(file: DicomFile, header: ImageHeader) -> Iterator[tuple[NDArray[Any], str]]:
    """Yield (H, W) or (H, W, 3) frames with their photometric interpretation.

    Raises
    ------
    SweepError
        Where the pixel data is not as long as the header implies, or its samples lie elsewhere.
    """
    raw = find_uncompressed_frames(file, header)
    bits = SampleBits(file.path.name, header)
    photometric = header.photometric
    for number in range(raw.count):
        if raw.halved_colour:
            # Y1 Y2 Cb Cr (PS3.3, C.7.6.3.1.2); grey needs no colour.
            stored = _bytes_of(file, header, number, header.rows * header.columns * 2)
            pairs = stored.reshape(header.rows, header.columns // 2, 4)
            yield pairs[..., :2].reshape(header.rows, header.columns), "MONOCHROME2"
            continue
        frame = bits.samples_of(_frame(file, header, number))
        if number == 0 and photometric == "YBR_FULL_422":
            photometric = "RGB" if _looks_like_rgb(frame) else "YBR_FULL"
        yield frame, photometric
    bits.finish()


def _frame(file: DicomFile, header: ImageHeader, number: int) -> NDArray[Any]:
    samples = header.rows * header.columns * header.samples
    frame: NDArray[Any]
    if header.bits_allocated == 1:
        frame = _bits_of(file, header, number, samples)
    elif header.bits_allocated == 8:
        frame = _bytes_of(file, header, number, samples)
        frame = frame.view(np.int8) if header.signed else frame
    else:
        size = header.bits_allocated // 8
        start = header.pixels.start + number * samples * size
        kind = np.dtype(f"{'i' if header.signed else 'u'}{size}")
        stored = kind.newbyteorder("<" if file.syntax.is_little_endian else ">")
        frame = np.frombuffer(file.data[start : start + samples * size], stored).astype(kind)
    if header.samples == 1:
        return frame.reshape(header.rows, header.columns)
    if header.planar:
        return frame.reshape(header.samples, header.rows, header.columns).transpose(1, 2, 0)
    return frame.reshape(header.rows, header.columns, header.samples)


def _bytes_of(file: DicomFile, header: ImageHeader, number: int, size: int) -> NDArray[np.uint8]:
    """Return a frame of bytes; in words of big endian the two of a word are turned."""
    place = number * size
    turned = not file.syntax.is_little_endian and header.pixels.vr == "OW"
    first, last = (place // 2 * 2, (place + size + 1) // 2 * 2) if turned else (place, place + size)
    start = header.pixels.start
    stored = np.frombuffer(file.data[start + first : start + last], np.uint8)
    if turned:
        stored = stored.reshape(-1, 2)[:, ::-1].reshape(-1)[place - first :][:size]
    return stored


def _bits_of(file: DicomFile, header: ImageHeader, number: int, samples: int) -> NDArray[np.uint8]:
    """Return a frame of single bits, lowest first; frames follow without a gap."""
    start, skipped = divmod(number * samples, 8)
    start += header.pixels.start
    stored = file.data[start : start - (-(skipped + samples) // 8)]
    bits = np.unpackbits(np.frombuffer(stored, np.uint8), bitorder="little")
    return bits[skipped : skipped + samples]


def _looks_like_rgb(frame: NDArray[np.uint8]) -> bool:
    """Return whether more pixels are grey as RGB than as YBR; black outside of a fan decides."""
    first, second, third = (frame[..., sample].astype(int) for sample in range(3))
    as_ybr = (abs(second - NEUTRAL) <= 2) & (abs(third - NEUTRAL) <= 2)
    as_rgb = (first == second) & (second == third) & ~as_ybr
    return bool(np.count_nonzero(as_rgb) > np.count_nonzero(as_ybr))
