"""New UIDs and names for old ones: the same within a run, and not to be found out from outside."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from pydicom.uid import UID

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.dicom.own_uids import own_uid
from napari_fetal_iqa.storage.paths import read_small_text

_SALT_BYTES = 32


class Pseudonyms:
    """Makes what stands for an identifier, by a secret salt.

    Parameters
    ----------
    salt : bytes
        Whoever has it can try out who is who.
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def _keyed(self, kind: str, value: str) -> bytes:
        return hmac.digest(self._salt, f"{kind}\0{value}".encode(), hashlib.sha256)

    def uid(self, old: str) -> UID:
        """Return the new UID of an old one."""
        return own_uid("anonymised", self._keyed("uid", old.strip()))

    def patient(self, old: str) -> str:
        """Return the new patient's id of an old one; without one, none."""
        return f"ANON-{self._keyed('patient', old.strip()).hex()[:16]}" if old.strip() else ""


def new_pseudonyms() -> Pseudonyms:
    """Return those of a salt that nobody keeps: copies of two runs cannot be tied together."""
    return Pseudonyms(secrets.token_bytes(_SALT_BYTES))


def kept_pseudonyms(path: Path) -> Pseudonyms:
    """Return those of the salt in a file, which is made where there is none.

    Only its owner may read the new file.

    Raises
    ------
    SweepError
        Where the file is something else, or cannot be read or made.
    """
    try:
        if not path.exists():
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(path, flags, 0o600), "w") as file:
                file.write(secrets.token_hex(_SALT_BYTES) + "\n")
        salt = bytes.fromhex(read_small_text(path, 1024).strip())
        if len(salt) < _SALT_BYTES:
            raise ValueError("too short")
    except OSError as error:
        raise SweepError(
            f"{path.name}: the salt cannot be kept there ({error.strerror}); choose another file"
        ) from error
    except ValueError as error:
        raise SweepError(
            f"{path.name}: expected a salt of {2 * _SALT_BYTES} hexadecimal digits, found "
            f"something else; name a new file"
        ) from error
    return Pseudonyms(salt)
