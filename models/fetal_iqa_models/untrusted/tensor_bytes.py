"""Read the tensors of a safetensors file; it is never mapped.

Where a mapped file is shortened, whoever looks at what is gone is killed (SIGBUS), and the window's
or the worker's whole process with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from fetal_iqa_models.untrusted.bounds import LARGEST_CHECKPOINT
from fetal_iqa_models.untrusted.regular import open_regular
from fetal_iqa_models.untrusted.tensor_header import TensorHeader, tensor_header_of
from fetal_iqa_models.untrusted.verdicts import RefusedError

SHORTENED = "was shortened while it was read; copy it again"


class TensorBytes:
    """An open safetensors file.

    Attributes
    ----------
    header : TensorHeader
    """

    def __init__(self, file: BufferedReader, header: TensorHeader) -> None:
        self.header = header
        self._file = file

    def read_into(self, name: str, memory: Any) -> None:
        """Read one tensor into memory of its size.

        Parameters
        ----------
        name : str
        memory : writeable buffer of bytes

        Raises
        ------
        RefusedError
            Where the file was shortened meanwhile.
        """
        entry = self.header.tensors[name]
        view = memoryview(memory)
        if len(view) != entry.stop - entry.start:
            raise ValueError("memory of another size than the tensor")
        self._file.seek(entry.start)
        while len(view):
            count = self._file.readinto(view)
            if not count:
                raise RefusedError(SHORTENED)
            view = view[count:]


@contextmanager
def opened_tensors(path: Path, largest: int = LARGEST_CHECKPOINT) -> Iterator[TensorBytes]:
    """Open a safetensors file and check its header, as ``read_tensor_header`` does.

    Raises
    ------
    OSError, DamagedError, RefusedError
        See :func:`~fetal_iqa_models.untrusted.tensor_header.read_tensor_header`.
    """
    with open_regular(path) as file:
        yield TensorBytes(file, tensor_header_of(file, largest))
