"""Whether a JPEG holds all of its picture, which libjpeg only warns of, and Pillow hides.

FFmpeg looks for it: it decodes once more, at an eighth of the size and in grey, which costs less
than the picture itself. Sections and tables are those of ITU-T T.81.
"""

from typing import Any

import av

MAX_BYTES = 1 << 27
"""As much of a file as is looked at: more than a frame of 4096 x 4096 takes."""

_SEQUENTIAL_OR_PROGRESSIVE = (0xC0, 0xC1, 0xC2)
"""Markers of the frames that are looked at (table B.1): neither lossless nor arithmetic."""

_KEPT = (0xC4, 0xDB, 0xDD, *_SEQUENTIAL_OR_PROGRESSIVE)
"""Markers of what decoding needs: tables, the restart interval, the frame header."""

_SCAN = 0xDA

_OPTIONS = {"err_detect": "explode", "lowres": "3", "flags": "gray"}


def check_jpeg_scans(data: bytes) -> None:
    """Decode an 8-bit JPEG coarsely to find whether its scans hold all blocks.

    Other JPEGs, and those that FFmpeg cannot decode, are left to the decoder.

    Raises
    ------
    ValueError
        Where a scan ends before its last block. That of a progressive one can be missed.
    """
    bare = _without_notes(data)
    if bare is None:
        return
    decoder: Any = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count = 1
    decoder.options = _OPTIONS
    try:
        frames = decoder.decode(av.Packet(bare))
    except av.error.InvalidDataError as error:
        raise ValueError("a part of the picture is missing") from error
    except av.error.FFmpegError:  # such as sampling of colours that it does not know
        return
    if any(frame.is_corrupt for frame in frames):
        raise ValueError("a part of the picture is missing")


def _without_notes(data: bytes) -> bytes | None:
    """Return a JPEG with nothing before its first scan but what decoding needs.

    A damaged note does not damage the picture. None where it is of a kind that is not looked at.
    """
    kept, place, known = [data[:2]], 2, False
    while place + 5 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == _SCAN:
            return b"".join([*kept, memoryview(data)[place:]]) if known else None
        if marker == 0xFF:  # only fills (section B.1.1.2)
            place += 1
            continue
        following = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in _KEPT:
            kept.append(data[place:following])
        known = known or (marker in _SEQUENTIAL_OR_PROGRESSIVE and data[place + 4] == 8)
        place = following
    return None
