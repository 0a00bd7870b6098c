"""Files of pictures, opened so that damaged lengths in them ask for no memory."""

import io
import os
from pathlib import Path

SMALL_READ = 1 << 16
"""Reads up to this are passed on as they are: they are most, and cost next to nothing."""


class ClampedFile(io.BufferedReader):
    """A file whose ``read`` takes no more memory than the file has bytes.

    Not a memory map, whose reader is killed (SIGBUS) where the file is shortened meanwhile.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes, as far as the file goes."""
        if size is None or not 0 <= size <= SMALL_READ:
            left = max(self.size - self.tell(), 0)
            size = left if size is None or size < 0 else min(size, left)
        return super().read(size)
