"""A DICOM file opened for pydicom: mapped or inflated, its damage reported without quoting it."""

import io
import logging
import mmap
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from isal import isal_zlib
from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from napari_fetal_iqa.errors import FetalIqaError, SweepError

MAX_INFLATED_BYTES = 384 << 20
"""What a deflated file may inflate to; a case of six blind sweeps has 351 MB."""

_PREFIX_BYTES = 132
_CHUNK_BYTES = 1 << 20
_ONE_AT_A_TIME = threading.RLock()
"""Held while the settings of pydicom and of warnings, which are the process's, are changed."""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file for pydicom; whatever it makes of a damaged one becomes a SweepError.

    A map rather than a file, because a damaged length then never asks for memory. A deflated
    file is inflated once, as a file in memory. The messages of pydicom, which may quote the
    header, are dropped. Threads wait for one another.

    Raises
    ------
    SweepError
        From the block, too, in the place of any error but missing file, permission, memory.
    """
    logger = logging.getLogger("pydicom")
    with _ONE_AT_A_TIME:
        level = logger.level
        try:
            with (
                path.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
                warnings.catch_warnings(),
                pydicom.config.disable_value_validation(),
            ):
                warnings.simplefilter("ignore")
                logger.setLevel(logging.CRITICAL)
                yield _inflated(path, mapped) or mapped
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


def _inflated(path: Path, file: Any) -> BinaryIO | None:
    """Return a deflated file as an uncompressed one in memory; None where it is not deflated."""
    if file[_PREFIX_BYTES - 4 : _PREFIX_BYTES] != b"DICM":
        return None
    file.seek(_PREFIX_BYTES)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    start = file.tell()
    file.seek(0)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return None
    deflated = DeflatedExplicitVRLittleEndian.encode()
    # Filled up to the length of the other, so that the lengths around it stay true.
    plain = ExplicitVRLittleEndian.encode().ljust(len(deflated), b"\0")
    whole = io.BytesIO()
    whole.write(file[:start].replace(deflated, plain))
    for data in _inflate(file, start):
        if whole.tell() + len(data) > MAX_INFLATED_BYTES:
            raise SweepError(
                f"{path.name}: expected a deflated DICOM image of at most "
                f"{MAX_INFLATED_BYTES >> 20} MB, found more; export it as uncompressed"
            )
        whole.write(data)
    whole.seek(0)
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
