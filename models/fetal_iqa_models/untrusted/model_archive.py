"""Look at a packed model, a zip archive that somebody sent, before any of it is unpacked.

Only the known files of a model folder are ever taken, side by side or in one folder; all that a zip
archive can hold beside is refused, or is what macOS adds and is passed over.
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fetal_iqa_models.errors import shown
from fetal_iqa_models.untrusted.archive import directory_start
from fetal_iqa_models.untrusted.bounds import LARGEST_CARD, LARGEST_MODEL_FILE
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError

_MOST_RECORDS = 64  # a packed model has eight at most; macOS adds one to each, and folders
_LONGEST_DIRECTORY = 64 << 10
_CARD = "model.json"
_LARGEST_TEXT = 1_000_000
_TIMES_LARGER = 20
"""How much larger than the archive its files may be: weights hardly compress, a bomb does."""
_MAY_COMPRESS = 16 << 20
_PIECE = 1 << 20
_ENCRYPTED = 0x1
_MAC_FOLDER, _MAC_FILE = "__MACOSX/", ".DS_Store"


class ModelArchive:
    """The files of a packed model, none of which was unpacked yet.

    Parameters
    ----------
    records : dict of str to ZipInfo
        By the name that the file has in a model folder.
    """

    def __init__(self, opened: zipfile.ZipFile, records: dict[str, zipfile.ZipInfo]) -> None:
        self._opened = opened
        self._records = records

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes that each file has when it is unpacked."""
        return {name: record.file_size for name, record in self._records.items()}

    def pieces(self, name: str) -> Iterator[bytes]:
        """Unpack a file piece by piece: never more of it than the archive announces.

        Raises
        ------
        DamagedError
            Where it is not what the archive announces.
        """
        record = self._records[name]
        left = record.file_size
        with _zip_errors(), self._opened.open(record) as file:
            while piece := file.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise DamagedError
                yield piece
        if left:
            raise DamagedError

    def read(self, name: str) -> bytes:
        """Unpack a small file at once."""
        return b"".join(self.pieces(name))


@contextmanager
def open_model_archive(file: BinaryIO, known: frozenset[str]) -> Iterator[ModelArchive]:
    """Open a packed model whose directory is found to be what one has.

    Parameters
    ----------
    file : binary file
    known : frozenset of str
        Names that its files may have.

    Raises
    ------
    DamagedError
    RefusedError
    """
    size = file.seek(0, 2)
    directory_start(file, size, _MOST_RECORDS, _LONGEST_DIRECTORY)
    with _zip_errors():
        opened = zipfile.ZipFile(file)  # what it reads at once, the directory, is bounded above
    with opened:
        records = _checked(opened.infolist(), known)
        total = sum(record.file_size for record in records.values())
        if total > _TIMES_LARGER * size + _MAY_COMPRESS:
            raise RefusedError("would unpack to far more than any model has")
        yield ModelArchive(opened, records)


@contextmanager
def _zip_errors() -> Iterator[None]:
    """Call damaged what zipfile finds fault with, in its many ways."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, ValueError) as error:
        raise DamagedError from error
    except (NotImplementedError, RuntimeError) as error:
        raise RefusedError("is packed in a way that no model is") from error


def _checked(records: list[zipfile.ZipInfo], known: frozenset[str]) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    for record in records:
        name = record.orig_filename  # zipfile cuts and turns the other one
        if name.startswith(_MAC_FOLDER) or name.split("/")[-1] == _MAC_FILE:
            continue
        folder, separator, base = name.rpartition("/")
        folders.add(folder + separator)
        if not base and folder and not record.file_size:
            continue  # the folder itself
        if base not in known:
            raise RefusedError(f"holds {shown([name])}, which is no file of a model")
        if base in found:
            raise RefusedError(f"holds {base} twice")
        _check_record(record, base)
        found[base] = record
    if len(folders) > 1 or any(folder.count("/") > 1 or folder == "/" for folder in folders):
        raise RefusedError("holds files in several folders; a model is one folder")
    if any(part in (".", "..") or "\\" in part or ":" in part for part in map(_bare, folders)):
        raise RefusedError("holds a file for another place than its own folder")
    return found


def _bare(folder: str) -> str:
    return folder.rstrip("/")


def _check_record(record: zipfile.ZipInfo, name: str) -> None:
    kind = stat.S_IFMT(record.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise RefusedError(f"holds {name} as a link or a device, not as a file")
    if record.flag_bits & _ENCRYPTED:
        raise RefusedError("is encrypted; have it packed again without a password")
    if record.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RefusedError("is packed in a way that no model is")
    largest = _LARGEST_TEXT if Path(name).suffix in (".json", ".txt") else LARGEST_MODEL_FILE
    largest = LARGEST_CARD if name == _CARD else largest
    if record.file_size > largest:
        raise RefusedError(f"holds a {name} that is larger than any of a model")
