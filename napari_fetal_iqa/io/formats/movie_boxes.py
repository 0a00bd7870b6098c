"""The boxes that MP4 and MOV files consist of, and whether the last of them is all there.

A box says its size before its content (ISO/IEC 14496-12, section 4.2), so that a cut through it
can be seen. Fragments (8.8.4) come in pairs of boxes, one that describes frames and one that holds
them, and an index of segments (8.16.3) says how far they reach.
"""

import os
import struct
from collections.abc import Container, Iterator
from typing import BinaryIO

from napari_fetal_iqa.errors import SweepError

MAX_BOXES = 100_000
"""Looked at in one file: a recording of an hour in pieces of a second has 10,000. Those of a
damaged one might have no end."""


def boxes(
    file: BinaryIO, into: Container[bytes] = (b"moov", b"trak")
) -> Iterator[tuple[bytes, int]]:
    """Walk the boxes of the file and those inside of some kinds: kind, start of the content."""
    place = 0
    for _ in range(MAX_BOXES):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head)
        start = place + 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            start += 8
        yield kind, start
        if kind in into:
            place = start  # into it
        elif start - place <= size < 1 << 62:
            place += size
        else:  # up to the end of the file, or damaged
            return


def box_version(file: BinaryIO, start: int) -> int:
    """Return the version of a box, whose content starts there."""
    file.seek(start)
    (version,) = struct.unpack(">B", file.read(1))
    return int(version)


def check_boxes_whole(name: str, file: BinaryIO) -> None:
    """Refuse a file that ends within a box, after half a fragment, or before its index says.

    A cut between two whole fragments of a file without an index leaves no trace. The file's place
    is where it was, afterwards.

    Raises
    ------
    SweepError
        Where the file is cut.
    """
    place = file.tell()
    end = file.seek(0, os.SEEK_END)
    try:
        if not _is_whole(file, end):
            raise SweepError(
                f"{name}: expected a whole video, found one that is cut before its end; "
                f"copy the file again"
            )
    finally:
        file.seek(place)


def _is_whole(file: BinaryIO, end: int) -> bool:
    before, place, fragmented = b"", 0, False
    for _ in range(MAX_BOXES):
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            # Zeros pad a file to a block; anything else, or in fragments, is half a box.
            return before != b"moof" and not (fragmented and head) and not any(head)
        size, kind = struct.unpack_from(">I4s", head)
        start = place + 8
        if size == 1:
            if len(head) < 16:
                return False
            (size,) = struct.unpack_from(">Q", head, 8)
            start += 8
        if size == 0 or not _is_kind(kind):  # up to the end of the file; or what is no box
            return before != b"moof" or kind == b"mdat"
        if size < start - place:  # damage, which the decoder finds where it matters
            return True
        place += size
        if place > end or (kind == b"sidx" and _end_by_index(file, start, place, end) > end):
            return False
        before = kind
        fragmented |= kind == b"moof"
    return True


def _is_kind(kind: bytes) -> bool:
    return all(character == 0xA9 or 0x20 <= character < 0x7F for character in kind)


def _end_by_index(file: BinaryIO, start: int, anchor: int, end: int) -> int:
    """Return where the segments end that an index counts, from the first byte behind it."""
    long = box_version(file, start)
    file.seek(start + (20 if long else 16))
    try:
        (first,) = struct.unpack(">Q" if long else ">I", file.read(8 if long else 4))
        (count,) = struct.unpack(">2xH", file.read(4))
        table = file.read(12 * count)
        sizes = [size & 0x7FFFFFFF for size, _, _ in struct.iter_unpack(">III", table)]
    except struct.error:
        return end + 1
    return int(anchor + first + sum(sizes))
