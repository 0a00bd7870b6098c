"""The bytes of a file by their places, read as they are asked for."""

import os
from pathlib import Path
from typing import BinaryIO

from napari_fetal_iqa.errors import SweepError

WINDOW_BYTES = 1 << 12
"""Read at least: a header is walked in steps of some bytes, and a disk reads 4 KiB as fast as 1."""

READ_BYTES = 1 << 24
"""Read at most in one system call, of which none returns more than 2 GiB."""


class FileBytes:
    """Bytes-like as far as length and slices go; a damaged length never asks for memory.

    Not a memory map: where a mapped file is shortened, whoever reads what is gone is killed
    (SIGBUS). Not safe to use from several threads.

    Parameters
    ----------
    path : Path
        For messages.
    file : binary file
        Opened without a buffer.

    Raises
    ------
    SweepError
        From reading, where the file was shortened since it was opened.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._stamp = self._status()
        self._window, self._window_start = b"", 0

    def __len__(self) -> int:
        return self._stamp[0]

    def __getitem__(self, place: slice) -> bytes:
        start, stop, _ = place.indices(len(self))
        stop = max(start, stop)
        first, last = start - self._window_start, stop - self._window_start
        if first >= 0 and last <= len(self._window):
            return self._window[first:last]
        if stop - start >= WINDOW_BYTES:
            return self._read(start, stop)
        self._window = self._read(start, min(start + WINDOW_BYTES, len(self)))
        self._window_start = start
        return self._window[: stop - start]

    def check_unchanged(self) -> None:
        """Raise a SweepError where the file changed on disk since it was opened."""
        if self._status() != self._stamp:
            raise SweepError(
                f"{self._path.name}: expected the file as it was opened, found that it changed on "
                f"disk; open it again"
            )

    def _read(self, start: int, stop: int) -> bytes:
        self._file.seek(start)
        pieces: list[bytes] = []
        while start < stop:
            piece = self._file.read(min(READ_BYTES, stop - start))
            if not piece:
                raise SweepError(
                    f"{self._path.name}: expected the file as it was opened, found that it was "
                    f"shortened; copy it again and open it again"
                )
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _status(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns
