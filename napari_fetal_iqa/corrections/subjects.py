"""Whose sweeps are one person's: subjects, held as salted hashes and never by name.

A name is hashed slowly (scrypt) with the salt of this machine, so that all stores made here know a
subject by the same key; the salt lies beside the key, and goes with it where stores are merged.
"""

import hashlib
import os
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.storage import paths

SALT_FILE = "subject-salt"
"""In the user's own folder; copied to another machine, both know a subject by the same key."""

KEY_PATTERN = r"[0-9a-f]{64}"
SALT_PATTERN = r"[0-9a-f]{32}"

_LONGEST_NAME = 200
_COST = {"n": 2**14, "r": 8, "p": 1}  # 16 MB and some 40 ms a guess (RFC 7914)


@dataclass(frozen=True)
class SweepSubject:
    """Whose sweep it is.

    Parameters
    ----------
    sweep : str
        Content identity.
    key : str
        Salted hash of the subject's name: equal for all sweeps of the subject.
    salt : str
        That the name was hashed with.
    """

    sweep: str
    key: str
    salt: str


def plain_name(name: str) -> str:
    """Return what is hashed of a name: the same however it is spaced and capitalised."""
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()


def subject_key(name: str, salt: str) -> str:
    """Hash the name of a subject, however it is spaced and capitalised.

    Parameters
    ----------
    name : str
        A name or number by which people know the subject.
    salt : str
        32 hexadecimal digits.

    Raises
    ------
    ValueError
        Where there is no name, or a letter instead of one.
    """
    plain = plain_name(name)
    if not 0 < len(plain) <= _LONGEST_NAME:
        raise ValueError(f"expected 1 to {_LONGEST_NAME} characters as subject, found {len(plain)}")
    return hashlib.scrypt(plain.encode(), salt=bytes.fromhex(salt), dklen=32, **_COST).hex()


def salt_of_this_machine() -> str:
    """Return the salt that names are hashed with here; drawn at random the first time.

    Raises
    ------
    OSError
        Where it cannot be kept.
    """
    path = paths.home() / SALT_FILE
    try:
        salt = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, ValueError):
        salt = ""
    if re.fullmatch(SALT_PATTERN, salt):
        return salt
    salt = secrets.token_hex(16)
    write_atomically(path, salt + "\n")
    os.chmod(path, 0o600)
    return salt


def named(sweep: str, name: str, known: Iterable[SweepSubject]) -> SweepSubject:
    """Return whose sweep it is by a name: by the key that the subject has in the store already.

    A store that was merged may know it by a key with the salt of another machine.

    Raises
    ------
    ValueError
        Where the name is none.
    OSError
        Where this machine's salt cannot be kept.
    """
    keys = {(one.salt, one.key) for one in known}
    for salt in sorted({salt for salt, _ in keys}):
        if (salt, key := subject_key(name, salt)) in keys:
            return SweepSubject(sweep, key, salt)
    salt = salt_of_this_machine()
    return SweepSubject(sweep, subject_key(name, salt), salt)


def translated(
    others: Iterable[SweepSubject], here: Iterable[SweepSubject]
) -> Iterator[SweepSubject]:
    """Bring another store's subjects to the keys of this one, where a sweep of both tells them.

    Yields
    ------
    SweepSubject
        Of the sweeps whose subject is not known here.
    """
    others = list(others)
    known = {one.sweep: one for one in here}
    same = {one.key: known[one.sweep] for one in others if one.sweep in known}
    for one in others:
        if one.sweep not in known:
            yield replace(same.get(one.key, one), sweep=one.sweep)


def joined(keys_of_sweep: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Name the subject of each sweep by one key, where several stores know it by several.

    Parameters
    ----------
    keys_of_sweep : mapping of str to iterable of str
        The keys of each sweep whose subject is known.

    Returns
    -------
    dict of str to str
        The first of all keys, in their order as text, that name the same subject.
    """
    first: dict[str, str] = {}

    def find(key: str) -> str:
        while first.setdefault(key, key) != key:
            key = first[key]
        return key

    sweeps = {sweep: list(keys) for sweep, keys in keys_of_sweep.items()}
    for keys in sweeps.values():
        for key in keys[1:]:
            one, other = sorted((find(keys[0]), find(key)))
            first[other] = one
    return {sweep: find(keys[0]) for sweep, keys in sweeps.items() if keys}
