"""Look at a file of ``torch.save``, new or old, before torch does."""

from typing import Any, BinaryIO

from fetal_iqa_models.untrusted.archive import read_archive
from fetal_iqa_models.untrusted.bounds import (
    LARGEST_CHECKPOINT,
    LARGEST_HEADER,
    REPEATED_BYTES,
)
from fetal_iqa_models.untrusted.pickled import PickleReader
from fetal_iqa_models.untrusted.stand_ins import ITEM_BYTES, Named, Storage
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError

_ZIP = b"PK\x03\x04"
# Of torch/serialization.py: what a file of the layout before torch 1.6 begins with.
_OLD_MAGIC = 0x1950A86A20F9469CFC6C
_OLD_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_OLD_VERSION = 1001


def check_checkpoint(file: BinaryIO) -> bool:
    """Check that torch can read a file of ``torch.save`` in bounded time and memory.

    Returns
    -------
    bool
        Whether it is an archive, whose tensors can be known without their values.

    Raises
    ------
    DamagedError
        Also where it is no file of ``torch.save`` at all.
    RefusedError
    """
    size = file.seek(0, 2)
    if size > LARGEST_CHECKPOINT:
        raise RefusedError(f"is larger than {LARGEST_CHECKPOINT >> 30} GiB")
    file.seek(0)
    start = file.read(len(_OLD_START))
    if start.startswith(_ZIP):
        tensor_bytes = _check_archive(file, size)
    elif start == _OLD_START:
        tensor_bytes = _check_old(file, size)
    elif start[:1] == b"\x80":
        raise RefusedError(
            "is a pickle of another program than torch.save, which is never read; save its "
            "state_dict alone with torch.save"
        )
    else:
        raise DamagedError
    if tensor_bytes > size + max(size, REPEATED_BYTES):
        raise RefusedError("lists tensors that are far larger than the file itself")
    return start.startswith(_ZIP)


def _check_archive(file: BinaryIO, size: int) -> int:
    archive = read_archive(file, size)

    def storage(identity: tuple[Any, ...]) -> Storage:
        found, key = _storage(identity, 5)
        if found.count * found.item_bytes > archive.storages[key]:
            raise DamagedError
        return found

    reader = PickleReader(archive.pickle, storage)
    reader.read()
    return reader.tensor_bytes


class _OldStorages:
    """What the pickle of a file of the older layout says of its storages; all fit into the file."""

    def __init__(self, size: int) -> None:
        self.by_key: dict[str, Storage] = {}
        self._left = size

    def find(self, identity: tuple[Any, ...]) -> Storage:
        found, key = _storage(identity, 6)
        if key not in self.by_key:
            self.by_key[key] = found
            # torch makes room for each as soon as it is named
            self._left -= found.count * found.item_bytes
        if self.by_key[key] != found or self._left < 0:
            raise DamagedError
        return _part(found, identity[5])


def _check_old(file: BinaryIO, size: int) -> int:
    """Follow the pickles that a file of the older layout begins with, and the sizes behind them."""
    storages = _OldStorages(size)
    file.seek(0)
    reader = PickleReader(file.read(LARGEST_HEADER), storages.find)
    magic, version, _, _, keys = (reader.read() for _ in range(5))
    if (magic, version) != (_OLD_MAGIC, _OLD_VERSION) or type(keys) is not list:
        raise DamagedError
    if len(keys) != len(storages.by_key) or any(key not in storages.by_key for key in keys):
        raise DamagedError
    place = reader.position
    for key in keys:
        storage = storages.by_key[key]
        file.seek(place)
        if int.from_bytes(file.read(8), "little") != storage.count:
            raise DamagedError
        place += 8 + storage.count * storage.item_bytes
    if place > size:
        raise DamagedError
    return reader.tensor_bytes


def _storage(identity: tuple[Any, ...], length: int) -> tuple[Storage, str]:
    kind, dtype, key, _, count = identity[:5]
    known = type(dtype) is Named and dtype.name.endswith("Storage")
    if kind != "storage" or len(identity) != length or not known or type(key) is not str:
        raise DamagedError
    if type(count) is not int or not 0 <= count < 2**63:
        raise DamagedError
    return Storage(count, ITEM_BYTES[dtype.name]), key


def _part(storage: Storage, view: Any) -> Storage:
    """Return the part of a storage that files of torch 0.3 and before name; None for all."""
    if view is None:
        return storage
    _, offset, count = view
    if type(offset) is not int or type(count) is not int or min(offset, count) < 0:
        raise DamagedError
    if offset + count > storage.count:
        raise DamagedError
    return Storage(count, storage.item_bytes)
