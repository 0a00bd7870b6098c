"""Look at the zip archive that ``torch.save`` writes, before torch does.

Only the plain form is taken, which torch writes and in which every reader of zip files sees the
same: nothing before the first file and nothing after the last record, no comment, nothing
compressed, no name twice.
"""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from fetal_iqa_models.untrusted.bounds import LARGEST_HEADER, MOST_TENSORS
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_LOCAL = struct.Struct("<4s5H3L2H")
_OWN_RECORDS = 100  # beside the tensors: version, byte order and the like
_PIECE = 1 << 20  # of what is read to be summed up
_SMALL = 64 << 10  # of those; none has more than a few bytes


@dataclass(frozen=True)
class Archive:
    """What a checkpoint's archive holds.

    Parameters
    ----------
    pickle : bytes
        Which tensors there are.
    storages : dict of str to int
        Bytes of each storage, by its key.
    """

    pickle: bytes
    storages: dict[str, int]


def read_archive(file: BinaryIO, size: int) -> Archive:
    """Read the pickle of a checkpoint, and the sizes of what it refers to.

    Parameters
    ----------
    file : binary file
    size : int
        Its bytes.

    Raises
    ------
    DamagedError
    RefusedError
    """
    directory = directory_start(file, size)
    with zipfile.ZipFile(file) as opened:  # what it reads at once, the directory, is bounded
        records = opened.infolist()
    root = _root(records)
    storages = {}
    pickle = None
    for record in records:
        name = record.filename.removeprefix(root)
        start = _content_start(file, record)
        if start + record.file_size > directory:
            raise DamagedError
        if name.startswith("data/"):
            storages[name.removeprefix("data/")] = record.file_size
            # 0 where torch was told to write none (torch.serialization.set_crc32_options)
            if record.CRC and _checksum(file, start, record.file_size) != record.CRC:
                raise DamagedError
        elif name == "data.pkl":
            if record.file_size > LARGEST_HEADER:
                raise RefusedError("lists more than any genuine checkpoint holds")
            file.seek(start)
            pickle = file.read(record.file_size)
        elif name == "constants.pkl" or name.startswith("code/"):
            raise RefusedError("holds a program (TorchScript), not tensors alone")
        elif record.file_size > _SMALL:
            raise RefusedError("is no checkpoint, but an archive of other files")
    if pickle is None:
        raise RefusedError("is no checkpoint, but an archive of other files")
    return Archive(pickle, storages)


def directory_start(
    file: BinaryIO,
    size: int,
    most_records: int = MOST_TENSORS + _OWN_RECORDS,
    longest: int = LARGEST_HEADER,
) -> int:
    """Find the directory by the record at the very end; how much it holds is bounded here.

    Parameters
    ----------
    file : binary file
    size : int
        Its bytes.
    most_records : int
    longest : int
        Bytes that the directory may have, which zipfile reads at once.

    Raises
    ------
    DamagedError
    RefusedError
    """
    if size < _END.size:
        raise DamagedError
    end = size - _END.size
    mark, disk, *_, count, length, start, comment = _END.unpack(_read(file, end, _END.size))
    if mark != b"PK\x05\x06" or comment or disk:
        raise DamagedError
    locator = end - _LOCATOR_64.size
    if locator >= 0:
        mark, disk, place, _ = _LOCATOR_64.unpack(_read(file, locator, _LOCATOR_64.size))
        if mark == b"PK\x06\x07":
            end = locator - _END_64.size
            if place != end or disk:
                raise DamagedError
            mark, *_, count, length, start = _END_64.unpack(_read(file, end, _END_64.size))
            if mark != b"PK\x06\x06":
                raise DamagedError
    if count > most_records or length > longest:
        raise RefusedError("holds more files than any genuine one")
    if start + length != end:
        raise DamagedError
    return start


def _root(records: list[zipfile.ZipInfo]) -> str:
    """Return the one folder that all records lie in; refuse what readers might take differently."""
    names = [record.orig_filename for record in records]
    root = names[0].split("/")[0] + "/" if names else "/"
    odd = [name for name in names if not name.startswith(root) or "\0" in name]
    # torch finds names without regard to capitals
    if odd or len({name.lower() for name in names}) < len(names):
        raise RefusedError("is no checkpoint: its archive has names that torch.save never writes")
    return root


def _content_start(file: BinaryIO, record: zipfile.ZipInfo) -> int:
    if record.compress_type != zipfile.ZIP_STORED or record.compress_size != record.file_size:
        raise RefusedError("is compressed, as torch.save never does; save it again with torch")
    mark, *_, name, extra = _LOCAL.unpack(_read(file, record.header_offset, _LOCAL.size))
    if mark != b"PK\x03\x04":
        raise DamagedError
    return record.header_offset + _LOCAL.size + name + extra


def _checksum(file: BinaryIO, start: int, length: int) -> int:
    """Return the CRC-32 of a part of a file, which is read in pieces."""
    file.seek(start)
    found = 0
    while length > 0:
        piece = file.read(min(length, _PIECE))
        if not piece:
            raise DamagedError
        found = zlib.crc32(piece, found)
        length -= len(piece)
    return found


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(max(start, 0))
    content = file.read(length)
    if start < 0 or len(content) < length:
        raise DamagedError
    return content
