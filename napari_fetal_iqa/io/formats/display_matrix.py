"""How an MP4 or MOV says that it is to be turned, as telephones and capture boxes do.

Boxes and their fields are those of ISO/IEC 14496-12, sections 4.2 (box), 8.2.2 (movie header) and
8.3.2 (track header). They are read here, and not through PyAV 18, whose frames stay in memory once
their side data was looked at.
"""

import struct
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError

MAX_BOXES = 10_000
"""Looked at in one file; those of a damaged one might have no end."""


@dataclass(frozen=True)
class Turn:
    """How stored frames become those that are shown: swapped first, then each axis reversed."""

    swapped: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def apply(self, frame: NDArray[Any]) -> NDArray[Any]:
        """Turn one (H, W) frame."""
        turned = frame.T if self.swapped else frame
        return turned[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]


def turn_of_track(name: str, file: BinaryIO, track: int) -> Turn:
    """Return how the frames of a track are to be turned.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    file : binary file
        An MP4 or MOV; its place is where it was, afterwards.
    track : int
        Its track_ID.

    Raises
    ------
    SweepError
        Where it is not by a quarter of a circle, or slanted.
    """
    place = file.tell()
    try:
        matrix = _matrix(file, track)
    except struct.error:  # cut: whether that matters is seen when it is decoded
        return Turn()
    finally:
        file.seek(place)
    (a, b), (c, d) = matrix.tolist()
    # A point (x, y) is shown at (a x + c y, b x + d y), in y downwards, but for a shift.
    if a and d and not b and not c:
        return Turn(flip_rows=d < 0, flip_columns=a < 0)
    if b and c and not a and not d:
        return Turn(swapped=True, flip_rows=b < 0, flip_columns=c < 0)
    if not matrix.any():
        return Turn()
    raise SweepError(
        f"{name}: expected a video that is upright or turned by a quarter of a circle, found one "
        f"that is slanted; export it again as it is to be seen"
    )


def _matrix(file: BinaryIO, track: int) -> NDArray[np.float64]:
    """Return the upper left of the track's matrix, times that of the movie."""
    movie, tracks = np.eye(2), {}
    for kind, start in boxes(file):
        if kind == b"mvhd":
            # Dates and durations are longer in version 1, and so are those of a track.
            movie = _read_matrix(file, start + (48 if box_version(file, start) else 36))
        elif kind == b"tkhd":
            long = box_version(file, start)
            file.seek(start + (20 if long else 12))
            (number,) = struct.unpack(">I", file.read(4))
            tracks[number] = _read_matrix(file, start + (52 if long else 40))
    return np.asarray(tracks.get(track, np.eye(2)) @ movie)


def boxes(
    file: BinaryIO, into: Container[bytes] = (b"moov", b"trak"), most: int = MAX_BOXES
) -> Iterator[tuple[bytes, int]]:
    """Walk the boxes of the file and those inside of some kinds: kind, start of the content."""
    place = 0
    for _ in range(most):
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


def _read_matrix(file: BinaryIO, place: int) -> NDArray[np.float64]:
    file.seek(place)
    a, b, _, c, d = struct.unpack(">5i", file.read(20))
    return np.array([[a, b], [c, d]]) / 65536
