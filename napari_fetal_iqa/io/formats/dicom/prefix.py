"""Whether a file is DICOM, by its first bytes (PS3.10, section 7.1)."""

import struct

HEAD_BYTES = 132
"""Preamble and prefix."""

MAX_FIRST_NUMBER = 0x18
"""Of the elements that a data set begins with: (0008,0000) to the identity (0008,0018)."""


def begins_as_dicom(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of DICOM.

    They have its prefix, or, as some programs leave preamble and prefix out, two of the elements
    that a data set or its meta information begins with, one after the other, little endian.
    """
    if head[128:HEAD_BYTES] == b"DICM":
        return True
    place, last = 0, -1
    for _ in range(2):
        if len(head) < place + 12:
            return False
        group, number, size = struct.unpack_from("<HH4s", head, place)
        tag = group << 16 | number
        if tag <= last or group not in (2, 8) or number > MAX_FIRST_NUMBER:
            return False
        if size[:2] == b"OB":  # the version of the meta information: 2 bytes
            place += 12 + 2
        elif size[:2].isalpha() and size[:2].isupper():
            place += 8 + int.from_bytes(size[2:], "little")
        else:
            place += 8 + int.from_bytes(size, "little")
        last = tag
    return True
