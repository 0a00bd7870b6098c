"""How an MP4 or MOV says that it is to be turned, as telephones and capture boxes do.

Boxes and their fields are those of ISO/IEC 14496-12, sections 8.2.2 (movie header) and 8.3.2
(track header). They are read here, and not through PyAV 18, whose frames stay in memory once
their side data was looked at.
"""

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.movie_boxes import box_version, boxes


@dataclass(frozen=True)
class Turn:
    """How stored frames become those that are shown: swapped first, then each axis reversed."""

    swapped: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def is_said_by(self, degrees: int) -> bool:
        """Return whether FFmpeg gives a frame this rotation, counterclockwise, for such a track."""
        turned = (90 if self.flip_rows else -90) if self.swapped else 180 * self.flip_columns
        # Of a matrix of zeros it makes no angle at all.
        return abs(degrees) > 360 or (degrees - turned) % 360 == 0

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


def enabled_tracks(file: BinaryIO) -> frozenset[int]:
    """Return the track_ID of each track that a player shows, not an alternative kept with it.

    The file's place is where it was, afterwards.
    """
    place = file.tell()
    enabled = set()
    try:
        for kind, start in boxes(file):
            if kind == b"tkhd":
                file.seek(start)
                (flags,) = struct.unpack(">I", file.read(4))
                if flags & 1:
                    enabled.add(_track_number(file, start))
    except struct.error:  # cut: whether that matters is seen when it is decoded
        pass
    finally:
        file.seek(place)
    return frozenset(enabled)


def _track_number(file: BinaryIO, start: int) -> int:
    file.seek(start + (20 if box_version(file, start) else 12))
    (number,) = struct.unpack(">I", file.read(4))
    return int(number)


def _matrix(file: BinaryIO, track: int) -> NDArray[np.float64]:
    """Return the upper left of the track's matrix, times that of the movie."""
    movie, tracks = np.eye(2), {}
    for kind, start in boxes(file):
        if kind == b"mvhd":
            # Dates and durations are longer in version 1, and so are those of a track.
            movie = _read_matrix(file, start + (48 if box_version(file, start) else 36))
        elif kind == b"tkhd":
            place = start + (52 if box_version(file, start) else 40)
            tracks[_track_number(file, start)] = _read_matrix(file, place)
    return np.asarray(tracks.get(track, np.eye(2)) @ movie)


def _read_matrix(file: BinaryIO, place: int) -> NDArray[np.float64]:
    file.seek(place)
    a, b, _, c, d = struct.unpack(">5i", file.read(20))
    return np.array([[a, b], [c, d]]) / 65536
