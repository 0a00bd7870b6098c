"""Open regular files alone: a FIFO would wait for ever, and a device has no end."""

import os
import stat
from io import BufferedReader
from pathlib import Path


def check_regular(path: Path) -> os.stat_result:
    """Return what is known of a regular file, or of one that a link leads to.

    Raises
    ------
    OSError
        Where it is missing, or is a folder, a FIFO, a socket or a device.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(None, "not a regular file")
    return found


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file, or one that a link leads to, for reading.

    Raises
    ------
    OSError
        As :func:`check_regular` does, and where it cannot be read.
    """
    check_regular(path)  # before it is opened: to open some devices does something to them
    # and not to wait, should it have become a FIFO meanwhile
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(None, "not a regular file")
    return file
