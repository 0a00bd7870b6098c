"""How many frames the edit list of an MP4 or MOV makes of those that are stored.

FFmpeg builds an index of all of them when it opens a file, so that a list without end costs its
time and memory before a frame is decoded. Boxes and their fields are those of ISO/IEC 14496-12,
sections 8.4.2 (media header), 8.6.6 (edit list), 8.7.3 (sample sizes) and 8.7.5 (chunk offsets).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.movie_boxes import MAX_BOXES, box_version, boxes

MAX_EDITS = 1_000
"""Entries of one edit list; somebody who cuts a sweep makes a few."""

MAX_INDEX = 4_000_000
"""Edits times stored frames: FFmpeg may put each frame into its index, 24 bytes, for each edit."""

FEW_EDITS = 2
"""A pause and what follows: any number of stored frames is fine, as without an edit list."""

CONTAINERS = (b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl")


@dataclass
class _Track:
    number: int = 0
    video: bool = False
    ticks: int = 0  # per second
    length: int = 0  # in ticks
    n_stored: int = 0
    same_size: bool = False
    n_chunks: int = 0
    edits: tuple[tuple[int, int], ...] = ()  # duration in ticks of the movie, first tick
    n_edits: int = 0

    @property
    def n_indexed(self) -> int:
        """How many entries FFmpeg's index has: sound in values of one size goes by chunks."""
        return self.n_chunks if self.same_size and not self.video else self.n_stored


def frames_shown(name: str, file: BinaryIO) -> Mapping[int, int]:
    """Return how many frames the edit list of each track yields at most, by track_ID.

    Tracks without an edit list are left out. The file's place is where it was, afterwards.

    Raises
    ------
    SweepError
        Where an edit list is longer than that of any sweep, or the header is compressed, so that
        neither edit lists nor turns can be seen.
    """
    place = file.tell()
    movie_ticks, tracks = 0, [_Track()]
    try:
        for n, (kind, start) in enumerate(boxes(file, CONTAINERS), 1):
            if kind == b"cmov":  # FFmpeg inflates it, so that the picture alone would be read
                raise SweepError(
                    f"{name}: expected a plain header, found a compressed one (cmov), which hides "
                    f"how the video is turned and trimmed; export it again as MP4"
                )
            if kind == b"mvhd":
                movie_ticks = _time_scale(file, start)[0]
            elif kind == b"trak":
                tracks.append(_Track())
            else:
                _read(file, kind, start, tracks[-1])
            if n == MAX_BOXES or tracks[-1].n_edits > MAX_EDITS:
                raise _too_long(name)
    except struct.error:  # cut: whether that matters is seen when it is decoded
        pass
    finally:
        file.seek(place)
    for track in tracks:
        if track.n_edits > FEW_EDITS and track.n_edits * track.n_indexed > MAX_INDEX:
            raise _too_long(name)
    return {track.number: _shown(track, movie_ticks) for track in tracks if track.edits}


def _too_long(name: str) -> SweepError:
    return SweepError(
        f"{name}: expected a video with an edit list of at most {MAX_EDITS} parts, found one that "
        f"repeats too much; export it again as one piece"
    )


def _read(file: BinaryIO, kind: bytes, start: int, track: _Track) -> None:
    if kind == b"tkhd":
        (track.number,) = _unpack(file, start + (20 if box_version(file, start) else 12), ">I")
    elif kind == b"mdhd":
        track.ticks, track.length = _time_scale(file, start)
    elif kind == b"hdlr":
        track.video |= _unpack(file, start + 8, ">4s") == (b"vide",)
    elif kind == b"stsz":
        size, track.n_stored = _unpack(file, start + 4, ">II")
        track.same_size = size > 0
    elif kind == b"stz2":
        (track.n_stored,) = _unpack(file, start + 8, ">I")
    elif kind in (b"stco", b"co64"):
        (track.n_chunks,) = _unpack(file, start + 4, ">I")
    elif kind == b"elst":
        (track.n_edits,) = _unpack(file, start + 4, ">I")
        layout = struct.Struct(">QqI" if box_version(file, start) else ">IiI")
        file.seek(start + 8)
        data = file.read(min(track.n_edits, MAX_EDITS) * layout.size)
        whole = data[: len(data) // layout.size * layout.size]
        track.edits = tuple((length, first) for length, first, _ in layout.iter_unpack(whole))


def _shown(track: _Track, movie_ticks: int) -> int:
    """Return how many frames the parts have together, none more than are stored."""
    shown = 0
    for length, first in track.edits:
        if first < 0:  # a pause
            continue
        part = track.n_stored
        if length and movie_ticks and track.length:  # up to the end, where it is 0
            ticks = length * track.ticks
            part = min(part, 1 + ticks * track.n_stored // (movie_ticks * track.length))
        shown += part
    return shown


def _time_scale(file: BinaryIO, start: int) -> tuple[int, int]:
    """Return ticks per second and duration of a movie or media header."""
    if box_version(file, start):
        ticks, length = _unpack(file, start + 20, ">IQ")
    else:
        ticks, length = _unpack(file, start + 12, ">II")
    return int(ticks), int(length)


def _unpack(file: BinaryIO, place: int, layout: str) -> tuple[int, ...]:
    file.seek(place)
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
