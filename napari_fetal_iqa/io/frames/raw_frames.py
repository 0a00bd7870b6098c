"""Frames that lie raw in a file, read as they are looked at."""

import math
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.frames.untouched_memory import untouched_memory

READ_BYTES = 1 << 24
"""Read at a time: a system call returns at most 2 GiB, and 16 MiB cost no more calls."""

HUGE_PAGE_BYTES = 1 << 22
"""From 4 MiB on numpy asks for huge pages, see :func:`untouched_memory`."""


class RawFrames:
    """A read-only (T, H, W) or (T, H, W, C) array-like: frames are read when they are indexed.

    Not a memory map: where a mapped file is shortened, by a copy over itself or a lost network
    drive, whoever looks at a page that is gone is killed (SIGBUS), with all that waits to be
    saved. What is read here is an array of its own: a frame costs as much as its mapped pages
    would, the whole volume at once a copy of it. Safe to index from several threads. The file
    stays open, so that one that is moved or replaced goes on being read.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Frames, rows, columns and, for colour, channels.
    dtype : numpy dtype
        With its byte order.
    offset : int
        Of the first byte of the first frame.

    Raises
    ------
    SweepError
        From indexing, where the file was changed or shortened since it was opened, or cannot be
        read any more.
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int
    ) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._path = path
        self._offset = offset
        self._frame_bytes = math.prod(shape[1:]) * self.dtype.itemsize
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)
        self._stamp = _stamp(self._file)
        self._lock = threading.Lock()

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        first, *rest = index if isinstance(index, tuple) and index else (index,)
        if isinstance(first, (int, np.integer)):
            frame = int(first) + (len(self) if first < 0 else 0)
            if not 0 <= frame < len(self):
                raise IndexError(f"frame {first} of {len(self)}")
            return self._read(frame, 1)[(0, *rest)]
        if isinstance(first, slice):
            chosen = range(len(self))[first]
            if len(chosen) and abs(chosen.step) == 1:
                block = self._read(min(chosen), len(chosen))
                block = block[:: chosen.step]
            else:
                block = self._gather(chosen)
            return block[(slice(None), *rest)]
        if first is None or first is Ellipsis:
            return self._read(0, len(self))[index]
        chosen_frames = np.asarray(first)
        if chosen_frames.ndim == 1 and chosen_frames.dtype.kind in "iu" and not rest:
            return self._gather(range(len(self))[int(frame)] for frame in chosen_frames)
        return self._read(0, len(self))[index]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[frame] for frame in range(len(self)))

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("frames are read from their file, which makes a copy")
        block = self._read(0, len(self))
        block.flags.writeable = bool(copy)  # numpy hands out a copy that was asked for as it is
        return block if dtype is None else block.astype(dtype, copy=False)

    def _gather(self, frames: Any) -> NDArray[Any]:
        """Read frames that do not follow each other, one by one."""
        chosen = list(frames)
        block = np.empty((len(chosen), *self.shape[1:]), self.dtype)
        for place, frame in enumerate(chosen):
            block[place] = self._read(frame, 1)[0]
        block.flags.writeable = False
        return block

    def _read(self, frame: int, count: int) -> NDArray[Any]:
        """Read frames that follow each other."""
        size = count * self._frame_bytes
        target = untouched_memory(size) if size >= HUGE_PAGE_BYTES else np.empty(size, np.uint8)
        start = self._offset + frame * self._frame_bytes
        try:
            for place in range(0, size, READ_BYTES):
                self._fill(target.data[place : place + READ_BYTES], start + place)
            # Afterwards, so that no frame is taken from a file that changed meanwhile.
            changed = _stamp(self._file) != self._stamp
        except OSError as error:
            raise SweepError(
                f"{self._path.name}: cannot be read any more ({error.strerror}); open it again"
            ) from error
        if changed:
            raise SweepError(
                f"{self._path.name}: expected the file as it was opened, found that it changed on "
                f"disk; open it again"
            )
        block = target.view(self.dtype).reshape(count, *self.shape[1:])
        block.flags.writeable = False
        return block

    def _fill(self, target: memoryview, place: int) -> None:
        filled = 0
        while filled < len(target):
            got = self._read_into(target[filled:], place + filled)
            if not got:
                raise SweepError(
                    f"{self._path.name}: expected the file as it was opened, found that it was "
                    f"shortened; copy it again and open it again"
                )
            filled += got

    def _read_into(self, target: memoryview, place: int) -> int:
        if hasattr(os, "preadv"):  # no place that threads would have to share
            return os.preadv(self._file.fileno(), [target], place)
        with self._lock:
            self._file.seek(place)
            return self._file.readinto(target) or 0


def _stamp(file: BinaryIO | Any) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns
