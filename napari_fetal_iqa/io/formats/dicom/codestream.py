"""What a JPEG, JPEG-LS or JPEG 2000 codestream says of itself, read before it is decoded."""

from typing import NamedTuple

LOSSLESS_JPEG = 0xC3
"""Marker of a lossless frame (ITU-T T.81, table B.1)."""

JPEG_LS = 0xF7
"""Marker of a JPEG-LS frame (ITU-T T.87, section C.2.2)."""

_JPEG_2000 = b"\xff\x4f\xff\x51"
_END = b"\xff\xd9"
"""Marker of the end: EOI of JPEG and JPEG-LS, EOC of JPEG 2000."""

HEAD_BYTES = 4096 + 64
"""As much of a codestream as its frame header lies in, where it is told at all."""

_NO_FRAMES = (0xC4, 0xC8, 0xCC)
"""Markers among those of frames that are of none: tables, and one that is reserved."""


class Codestream(NamedTuple):
    """Marker of its frame header (0 for JPEG 2000), bits of a sample, size."""

    marker: int
    precision: int
    rows: int
    columns: int


def read_codestream(data: bytes) -> Codestream | None:
    """Read the frame header of a codestream; None where there is none before the pixels."""
    start = data.find(_JPEG_2000, 0, 4096)  # boxes may come first
    if start >= 0:  # size less offset of the image (ITU-T T.800, section A.5.1)
        right, bottom, left, top = (
            int.from_bytes(data[start + at : start + at + 4], "big") for at in (8, 12, 16, 20)
        )
        precision = (data[start + 42] & 0x7F) + 1 if len(data) > start + 42 else 0
        return Codestream(0, precision, bottom - top, right - left)
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        marker = data[place + 1]
        if marker == JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES):
            rows, columns = data[place + 5 : place + 7], data[place + 7 : place + 9]
            return Codestream(
                marker,
                data[place + 4],
                int.from_bytes(rows, "big"),
                int.from_bytes(columns, "big"),
            )
        # A byte FF before a marker only fills (T.81, section B.1.1.2).
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        place += 1 if marker == 0xFF else 2 + length
    return None


def has_ended(tail: bytes) -> bool:
    """Return whether the last bytes of a frame are the end of a codestream, padding aside."""
    return tail.rstrip(b"\0").endswith(_END)


def interleaved_by_sample(data: bytes) -> bool:
    """Return whether a JPEG-LS scan has its colours pixel by pixel (ITU-T T.87, section C.2.3)."""
    start = data.find(b"\xff\xda")
    components = data[start + 4]
    return data[start + 6 + 2 * components] == 2
