"""Name a file of pretrained weights by the sha256 of the published checkpoint.

Torch-free, so that the window can name the weights before torch is loaded.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from fetal_iqa_models.cards import EncoderWeights
from fetal_iqa_models.errors import WeightsError, unreadable
from fetal_iqa_models.untrusted.regular import check_regular, open_regular
from fetal_iqa_models.untrusted.tensor_header import read_tensor_header
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError
from fetal_iqa_models.weights.store import SHIPPED, WeightsStore, read_header

_TORCH_NAMES = {
    "F64": "torch.float64",
    "F32": "torch.float32",
    "F16": "torch.float16",
    "BF16": "torch.bfloat16",
    "I64": "torch.int64",
    "I32": "torch.int32",
    "I16": "torch.int16",
    "I8": "torch.int8",
    "U8": "torch.uint8",
    "BOOL": "torch.bool",
}


_PIECE = 8 << 20


def weights_record(path: Path, store: Path | str | None = None) -> EncoderWeights:
    """Return the name and sha256 of a weights file, as a model card records its encoder.

    A file of the store is recorded by the checkpoint that its header names as its source, once
    its tensors are found to be those that were imported. Any other file is recorded by its own
    bytes, whatever its header claims.

    Parameters
    ----------
    path : Path
    store : path, optional
        Folder of the weights store. By default a file that is named and made as those of a
        store are counts as one of it: enough for files from where only this tool writes, not
        for files that others send.

    Returns
    -------
    EncoderWeights

    Raises
    ------
    WeightsError
        Where the file is missing or damaged.
    """
    folder = path.resolve().parent if store is None else Path(store).resolve()
    stored = path.resolve() in WeightsStore(folder).files() or path.resolve().parent == SHIPPED
    return _record(path, stored)


def bytes_record(path: Path) -> EncoderWeights:
    """Return the name and sha256 of a weights file by its bytes alone, whatever its header claims.

    Raises
    ------
    WeightsError
        Where the file is missing or cannot be read.
    """
    return _record(path, False)


def _record(path: Path, stored: bool) -> EncoderWeights:
    try:
        stat = check_regular(path)
        sha256 = _sha256(path.resolve(), stored, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    except (
        DamagedError,
        RefusedError,
        KeyError,
    ) as error:  # KeyError: a type that torch had no name for
        raise unreadable(path) from error
    return EncoderWeights(name=path.name, sha256=sha256)


@lru_cache(maxsize=16)
def _sha256(path: Path, stored: bool, _size: int, _mtime_ns: int) -> str:
    """Hash a file, once as long as it stays as it is: the largest have 1.7 GB."""
    if stored:
        header = read_header(path).header
        if file_content_hash(path) != header.content_sha256:
            raise WeightsError(f"{path}: damaged; delete it and fetch or import again")
        return header.source_sha256
    with open_regular(path) as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()


def file_content_hash(path: Path) -> str:
    """Hash the tensors of a safetensors file from its bytes, without loading them.

    The result is that of :func:`~fetal_iqa_models.weights.importing.content_hash`.
    """
    tensors = read_tensor_header(path).tensors
    digest = hashlib.sha256()
    with open_regular(path) as file:  # not mapped: a file that is cut meanwhile ends no program
        for name in sorted(tensors):
            tensor = tensors[name]
            digest.update(f"{name}\n{_TORCH_NAMES[tensor.dtype]}\n{tensor.shape}\n".encode())
            file.seek(tensor.start)
            left = tensor.stop - tensor.start
            while left:
                piece = file.read(min(left, _PIECE))
                if not piece:
                    raise WeightsError(f"{path}: was shortened while it was read; copy it again")
                digest.update(piece)
                left -= len(piece)
    return digest.hexdigest()
