"""UIDs that this program makes: under 2.25, made of what they name, so that none is registered.

The rule (PS3.5, annex B.2): ``2.25.`` and the decimal value of a UUID, here one of version 8
(RFC 9562) whose bits are those of a SHA-256. The same content gets the same UID, so that an object
that is made twice is the same object to an archive, and other content another.
"""

import hashlib
import uuid

from pydicom.uid import UID

MADE_BY = UID("2.25.293466110839114354778575471759840342696")
"""Implementation class UID of the files that this program writes."""


def own_uid(*content: bytes | str) -> UID:
    """Make the UID of something by its content.

    Parameters
    ----------
    *content : bytes or str
        What makes it that and nothing else; ("a", "b") is another than ("ab",).
    """
    digest = hashlib.sha256()
    for part in content:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    bits = bytearray(digest.digest()[:16])
    bits[6] = (bits[6] & 0x0F) | 0x80
    bits[8] = (bits[8] & 0x3F) | 0x80
    return UID(f"2.25.{uuid.UUID(bytes=bytes(bits)).int}")
