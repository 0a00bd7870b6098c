"""Frames of a compressed stream, inflated only as far as somebody has looked."""

import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.frames.untouched_memory import untouched_memory

CHUNK_BYTES = 1 << 20
"""Compressed bytes read, and at most inflated bytes made, at a time."""

_DAMAGE: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment]  # isal's stub errs
_WINDOW_BITS = {"zlib": isal_zlib.MAX_WBITS, "gzip": isal_zlib.MAX_WBITS + 16}


class InflatingFrames:
    """A read-only (T, H, W) uint8 array-like: frames are inflated on demand, in file order.

    Frame ``n`` costs the inflation of all frames before it, once; from then on they are in
    memory. The stream's checksum is verified with the last frame. Safe to index from several
    threads. :meth:`inflate_in_background` lets the rest follow while the first frame is looked
    at.

    Parameters
    ----------
    path : Path
    shape : (int, int, int)
        Frames, rows, columns that the stream must inflate to.
    encoding : "zlib" or "gzip"
    offset, size : int
        Where the stream lies in the file, in bytes.
    skip : int
        Inflated bytes that come before the first frame.

    Raises
    ------
    SweepError
        From indexing, where the stream is damaged or ends before the frame that is indexed, or the
        file was changed since it was opened.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int],
        encoding: Literal["zlib", "gzip"],
        offset: int,
        size: int,
        skip: int = 0,
    ) -> None:
        self.shape = shape
        self._path = path
        self._stamp = _stamp(path.stat())
        self._window_bits = _WINDOW_BITS[encoding]
        self._position, self._end = offset, offset + size
        self._skip = skip
        self._bytes = untouched_memory(math.prod(shape))
        self._frames = self._bytes.reshape(shape)
        self._frames.flags.writeable = False
        self._inflated = 0
        self._inflater = isal_zlib.decompressobj(self._window_bits)
        self._tail = b""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def inflated_frames(self) -> int:
        """Frames that are in memory already."""
        return self._inflated // (self.shape[1] * self.shape[2])

    def __getitem__(self, index: Any) -> Any:
        first = index[0] if isinstance(index, tuple) and index else index
        if isinstance(first, (int, np.integer)):
            frame = int(first) + (len(self) if first < 0 else 0)
            needed = frame + 1 if 0 <= frame < len(self) else 0  # numpy raises the IndexError
        elif isinstance(first, slice):
            needed = max(range(len(self))[first], default=-1) + 1
        else:
            needed = len(self)
        self._inflate_to(needed)
        return self._frames[index]

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[frame] for frame in range(len(self)))

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> NDArray[Any]:
        self._inflate_to(len(self))
        return np.array(self._frames, dtype=dtype, copy=copy)

    def inflate_in_background(self) -> threading.Thread:
        """Inflate the rest in a daemon thread; damage is raised for whoever indexes next."""
        thread = threading.Thread(target=self._inflate_quietly, daemon=True, name="inflate sweep")
        thread.start()
        return thread

    def _inflate_quietly(self) -> None:
        try:
            for frame in range(len(self)):  # one by one, so that others get their turn
                self._inflate_to(frame + 1)
        except SweepError:
            return

    def _inflate_to(self, frames: int) -> None:
        target = frames * self.shape[1] * self.shape[2]
        if self._inflated >= target:
            return
        with self._lock:
            if self._inflated >= target:
                return
            try:
                with self._path.open("rb") as file:
                    if _stamp(os.fstat(file.fileno())) != self._stamp:
                        raise SweepError(f"{self._path.name}: changed on disk; open it again")
                    self._inflate(file, target)
            except OSError as error:
                raise SweepError(
                    f"{self._path.name}: cannot be read any more ({error.strerror}); open it again"
                ) from error
            except _DAMAGE as error:
                raise self._damaged() from error

    def _inflate(self, file: BinaryIO, target: int) -> None:
        while self._inflated < target:
            data = self._next_bytes(file, self._skip + target - self._inflated)
            if not data and self._exhausted:
                raise self._damaged()
            skipped = min(self._skip, len(data))
            stop = self._inflated + len(data) - skipped
            if stop == self._bytes.size:
                self._check_end(file)
            self._bytes[self._inflated : stop] = np.frombuffer(data, np.uint8)[skipped:]
            self._skip -= skipped
            self._inflated = stop

    def _next_bytes(self, file: BinaryIO, wanted: int) -> bytes:
        """Inflate at most ``wanted`` bytes; perhaps none."""
        if self._inflater.eof and self._window_bits == _WINDOW_BITS["gzip"]:
            self._inflater = isal_zlib.decompressobj(self._window_bits)  # the next gzip member
        if not self._tail:
            file.seek(self._position)
            self._tail = file.read(min(CHUNK_BYTES, self._end - self._position))
            self._position += len(self._tail)
        data = self._inflater.decompress(self._tail, min(CHUNK_BYTES, wanted))
        ended = self._inflater.eof
        self._tail = self._inflater.unused_data if ended else self._inflater.unconsumed_tail
        return data

    @property
    def _exhausted(self) -> bool:
        """Whether no more bytes can come, given that the last step made none."""
        ended = self._inflater.eof and self._window_bits == _WINDOW_BITS["zlib"]
        return ended or (not self._tail and self._position >= self._end)

    def _check_end(self, file: BinaryIO) -> None:
        """Read the checksum behind the last pixel; the inflater raises where it is wrong."""
        while not self._inflater.eof:
            if self._next_bytes(file, 1):
                return  # more pixels than the header says: ITK reads such files, too
            if self._exhausted and not self._inflater.eof:
                raise self._damaged()

    def _damaged(self) -> SweepError:
        return SweepError(
            f"{self._path.name}: compressed data is damaged or ends at frame "
            f"{self.inflated_frames} of {len(self)}; copy the file again"
        )


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
