"""Memory for whole volumes that costs nothing until it is written."""

import mmap
import os

import numpy as np
from numpy.typing import NDArray


def untouched_memory(size: int) -> NDArray[np.uint8]:
    """Return bytes that take no memory until they are written.

    Not from numpy, which asks for huge pages: where memory is fragmented, gathering them takes
    longer than inflating, or than reading the file four times.
    """
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if os.name == "posix" else {}
    return np.frombuffer(mmap.mmap(-1, size, **private), np.uint8)
