"""A DICOM file opened, its damage reported without quoting it (PS3.10)."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import pydicom
from isal import isal_zlib
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from napari_fetal_iqa.errors import FetalIqaError, SweepError
from napari_fetal_iqa.io.formats.dicom.elements import DataSet
from napari_fetal_iqa.io.formats.dicom.file_bytes import FileBytes

MAX_INFLATED_BYTES = 384 << 20
"""What a deflated file may inflate to; a case of six blind sweeps has 351 MB."""

_PREFIX_BYTES = 132
_CHUNK_BYTES = 1 << 20
_ONE_AT_A_TIME = threading.RLock()
"""Held while the settings of pydicom and of warnings, which are the process's, are changed."""


@dataclass(frozen=True)
class DicomFile:
    """An open file: its bytes, where its data set begins, and its file meta information.

    Parameters
    ----------
    path : Path
    data : bytes-like
        The whole file; from ``start`` on inflated where it was deflated.
    start : int
        First byte of the data set.
    syntax : UID
        Transfer syntax; that of the inflated data where it was deflated, and the one of the first
        element where the file does not say.
    in_place : bool
        Whether places in ``data`` are places in the file.
    sop_class, sop_instance : str
        "" where the file does not say.
    """

    path: Path
    data: Any
    start: int
    syntax: UID
    in_place: bool
    sop_class: str
    sop_instance: str


@contextmanager
def opened(path: Path) -> Iterator[DicomFile]:
    """Open a file; whatever its reading makes of a damaged one becomes a SweepError.

    Its bytes are read as they are asked for; a deflated file is inflated once, into memory.
    Without the DICOM prefix it is taken as a data set alone. The messages of pydicom's decoders,
    which may quote the header, are dropped. Threads wait for one another.

    Raises
    ------
    SweepError
        From the block, too, in the place of any error but missing file, permission, memory; and
        where the file changed meanwhile.
    """
    logger = logging.getLogger("pydicom")
    with _ONE_AT_A_TIME:
        level = logger.level
        try:
            with (
                path.open("rb", buffering=0) as file,
                warnings.catch_warnings(),
                pydicom.config.disable_value_validation(),
            ):
                warnings.simplefilter("ignore")
                logger.setLevel(logging.CRITICAL)
                stored = FileBytes(path, cast(BinaryIO, file))
                yield _read_meta(path, stored)
                stored.check_unchanged()
        except (FetalIqaError, PermissionError, FileNotFoundError, MemoryError):
            raise
        except Exception:
            # "from None": the message of the cause may quote the header.
            raise SweepError(
                f"{path.name}: expected a DICOM image that the decoders can read, found a damaged "
                f"or other file; copy it again, or export it as uncompressed"
            ) from None
        finally:
            logger.setLevel(level)


def _read_meta(path: Path, stored: FileBytes) -> DicomFile:
    """Read the file meta information (PS3.10, section 7.1), where there is any."""
    start = _PREFIX_BYTES if stored[_PREFIX_BYTES - 4 : _PREFIX_BYTES] == b"DICM" else 0
    meta = DataSet(path.name, stored, explicit=True)
    found = {}
    for element in meta.walk(start, len(stored)):
        if element.tag >> 16 != 2:
            break
        found[element.tag] = meta.text(element)
        start = meta.end_of(element, len(stored))
    syntax = UID(found.get(0x00020010, "")) or _syntax_of(stored[start : start + 6])
    data: Any = stored
    if syntax == DeflatedExplicitVRLittleEndian:
        data, syntax = _inflated(path, stored, start), ExplicitVRLittleEndian
    return DicomFile(
        path=path,
        data=data,
        start=start,
        syntax=syntax,
        in_place=data is stored,
        sop_class=found.get(0x00020002, ""),
        sop_instance=found.get(0x00020003, ""),
    )


def _syntax_of(head: bytes) -> UID:
    """Transfer syntax of an uncompressed data set by the first 6 bytes of its first element."""
    if not is_explicit(head):
        return ImplicitVRLittleEndian
    # The first group is 0008, which the other byte order reads as 0800.
    return ExplicitVRLittleEndian if head[1] == 0 else ExplicitVRBigEndian


def is_explicit(head: bytes) -> bool:
    """Return whether the first 6 bytes of a data set carry a value representation."""
    return head[4:6].isalpha() and head[4:6].isupper()


def _inflated(path: Path, file: Any, start: int) -> bytearray:
    """Return a deflated file as an uncompressed one in memory."""
    whole = bytearray(file[:start])
    for data in _inflate(file, start):
        if len(whole) + len(data) > MAX_INFLATED_BYTES:
            raise SweepError(
                f"{path.name}: expected a deflated DICOM image of at most "
                f"{MAX_INFLATED_BYTES >> 20} MB, found more; export it as uncompressed"
            )
        whole += data
    return whole


def _inflate(file: Any, start: int) -> Iterator[bytes]:
    """Inflate a stream without header (PS3.5, section A.5) in steps of bounded size."""
    inflater = isal_zlib.decompressobj(-isal_zlib.MAX_WBITS)
    for place in range(start, len(file), _CHUNK_BYTES):
        tail = file[place : place + _CHUNK_BYTES]
        while not inflater.eof and (data := inflater.decompress(tail, _CHUNK_BYTES)):
            yield data
            tail = inflater.unconsumed_tail
    if not inflater.eof:
        raise ValueError("the stream ends too early")
