"""Where the frames lie in the pixel data, and how many there are: counted, not believed.

The number of frames in a header may be missing or too small. What is stored decides, as far as it
can be told; a number that is larger than what is stored means that the file was cut.
"""

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.dicom.disguised import begins_frame, holds_compressed
from napari_fetal_iqa.io.formats.dicom.elements import ITEM, SEQUENCE_END, UNDEFINED, Element
from napari_fetal_iqa.io.formats.dicom.file import DicomFile
from napari_fetal_iqa.io.formats.dicom.header import ImageHeader

Piece = tuple[int, int]
"""First byte and length of a fragment."""

MAX_FRAGMENTS = 1_000_000
"""An hour at 60 frames a second has 216,000 frames; most have one fragment."""

MAX_ZEROS = 16
"""Zeros behind frames of which the header does not say how many there are: fewer are padding,
more may be what a black frame that was cut has left."""


@dataclass(frozen=True)
class UncompressedFrames:
    """Uncompressed frames: their number, and whether two pixels share their colour (4:2:2)."""

    count: int
    halved_colour: bool


def find_uncompressed_frames(file: DicomFile, header: ImageHeader) -> UncompressedFrames:
    """Compare the length of uncompressed pixel data with what the header implies.

    Raises
    ------
    SweepError
        Where the data does not hold whole frames, or fewer than the header says, or two readings
        of the header fit; or where it holds compressed pixels.
    """
    name, length = file.path.name, header.pixels.length
    if length == UNDEFINED or holds_compressed(
        file.data, header.pixels, header.rows, header.columns
    ):
        raise SweepError(
            f"{name}: expected uncompressed pixels, as the header says, found compressed ones; "
            f"export the sweep again"
        )
    stored = len(file.data) - header.pixels.start
    if length > stored:
        raise SweepError(
            f"{name}: expected {length} bytes of pixels, found {stored}; copy the file again"
        )
    pixels = header.rows * header.columns * header.bits_allocated
    layouts = {False: pixels * header.samples}
    if header.photometric == "YBR_FULL_422" and header.bits_allocated == 8:
        # Two bytes a pixel by the standard (PS3.3, C.7.6.3.1.2); some writers store three.
        layouts = {True: pixels * 2, **layouts} if header.columns % 2 == 0 else layouts
    for halved, bits in layouts.items():
        if header.frames and length in _lengths(header.frames * bits):
            return UncompressedFrames(header.frames, halved)
    fitting = [
        UncompressedFrames(count, halved)
        for halved, bits in layouts.items()
        if (count := 8 * length // bits) >= (header.frames or 1)
        and _is_padding(header, _rest(file.data, header.pixels, count * bits), count, bits)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise SweepError(
            f"{name}: expected pixels that fit the header, found {length} bytes, which may be "
            f"{fitting[0].count} or {fitting[1].count} frames; export it as RGB"
        )
    frame_bytes = -(-min(layouts.values()) // 8)
    raise SweepError(
        f"{name}: expected {header.frames or 'whole'} frames of {frame_bytes} bytes, found "
        f"{length // frame_bytes} and {length % frame_bytes} bytes more; copy the file again"
    )


def _lengths(bits: int) -> tuple[int, int]:
    """Length of so many bits in bytes, and padded to the even one (PS3.5, section 7.1)."""
    size = -(-bits // 8)
    return size, size + size % 2


def _rest(data: Any, pixels: Element, bits: int) -> bytes:
    """Return what follows the last whole frame."""
    return bytes(data[pixels.start - (-bits // 8) : pixels.start + pixels.length])


def _is_padding(header: ImageHeader, rest: bytes, count: int, bits: int) -> bool:
    """Return whether what follows the last whole frame is none of the frames.

    Where all frames are there that the header says, it may be anything that is shorter than one
    more row or column of each of them: from there on rows or columns may be wrong.
    """
    if count != header.frames:
        return len(rest) < MAX_ZEROS and not any(rest)
    return not any(rest) or 8 * len(rest) < count * bits // max(header.rows, header.columns)


def find_compressed_frames(file: DicomFile, header: ImageHeader) -> list[list[Piece]]:
    """Find the fragments of every compressed frame (PS3.5, section A.4).

    By the offset tables where they fit the fragments, else by how frames begin.

    Raises
    ------
    SweepError
        Where there are fewer frames than the header says.
    ValueError
        Where there are no fragments, or damaged ones.
    """
    data, name = file.data, file.path.name
    (table_start, table_length), *pieces = _pieces(data, header) or [(0, 0)]
    if not pieces:
        raise ValueError("no compressed frames")
    if header.offsets:
        frames = _by_extended_table(header.offsets, pieces)
    else:
        count = table_length // 4 if table_length <= 4 * len(pieces) else 0
        table = struct.unpack(f"<{count}L", data[table_start : table_start + 4 * count])
        frames = _by_table(table, pieces)
    if not frames or any(_begins(data, piece) for frame in frames for piece in frame[1:]):
        frames = _by_beginnings(data, pieces, header.frames)
    if len(frames) < (header.frames or 1):
        raise SweepError(
            f"{name}: expected {counted(header.frames or 1, 'frame')}, found {len(frames)}; "
            "copy the file again"
        )
    return frames


def find_video(file: DicomFile, header: ImageHeader) -> list[Piece]:
    """Find the fragments of a video, which is stored as if it were one frame."""
    return _pieces(file.data, header)[1:]


def joined(data: Any, frame: list[Piece]) -> bytes:
    """Return the bytes of a compressed frame."""
    return b"".join(data[start : start + length] for start, length in frame)


def _pieces(data: Any, header: ImageHeader) -> list[Piece]:
    """Return the fragments, the first of which is the basic offset table.

    Raises
    ------
    ValueError
        Where the value is no chain of items, or it is cut.
    """
    pixels = header.pixels
    defined = pixels.length != UNDEFINED
    end = min(pixels.start + pixels.length, len(data)) if defined else len(data)
    place = pixels.start
    pieces: list[Piece] = []
    while place + 8 <= end and len(pieces) <= MAX_FRAGMENTS:
        group, number, length = struct.unpack("<HHL", data[place : place + 8])
        tag = group << 16 | number
        place += 8
        if tag == SEQUENCE_END:
            return pieces
        if tag != ITEM or length > end - place:
            raise ValueError("a fragment is damaged")
        pieces.append((place, length))
        place += length
    # Some writers forget the end: then only the number of frames tells whether the file was cut.
    if place >= end - 1 and (defined or header.frames):
        return pieces
    raise ValueError("the fragments have no end")


def _by_extended_table(
    offsets: tuple[tuple[int, int], ...], pieces: list[Piece]
) -> list[list[Piece]]:
    """Return the frames by the extended offset table; none where it does not fit."""
    by_offset = {start - pieces[0][0]: (start, length) for start, length in pieces}
    frames = [[by_offset[offset]] for offset, _ in offsets if offset in by_offset]
    return frames if len(frames) == len(offsets) == len(pieces) else []


def _by_table(table: tuple[int, ...], pieces: list[Piece]) -> list[list[Piece]]:
    """Return the frames by the basic offset table; none where it does not fit."""
    places = {start - pieces[0][0]: number for number, (start, _) in enumerate(pieces)}
    firsts = [places.get(offset, -1) for offset in table]
    if not firsts or firsts[0] != 0 or any(b <= a for a, b in pairwise(firsts)):
        return []
    return [pieces[a:b] for a, b in pairwise([*firsts, len(pieces)])]


def _by_beginnings(data: Any, pieces: list[Piece], expected: int | None) -> list[list[Piece]]:
    """Return the frames by how they begin; where nothing tells, by the number of them."""
    frames: list[list[Piece]] = []
    for piece in pieces:
        if not frames or _begins(data, piece):
            frames.append([])
        frames[-1].append(piece)
    if len(frames) < len(pieces) and expected == len(pieces):
        return [[piece] for piece in pieces]
    return frames


def _begins(data: Any, piece: Piece) -> bool:
    """Return whether a fragment is the beginning of a frame."""
    start, _ = piece
    return begins_frame(bytes(data[start : start + 8]))
