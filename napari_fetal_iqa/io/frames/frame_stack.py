"""Frames that are decoded one after the other, gathered into one volume of bounded size."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError

MAX_FRAME_PIXELS = 1 << 24
"""4096 x 4096; a scanner's frame has less than a tenth of that."""

MAX_STACK_BYTES = 1 << 33
"""8 GiB; a case of six blind sweeps has 351 MB."""


MODEST_BYTES = 1 << 26
"""64 MiB, 160 frames of a scanner: decoded in seconds, however small the file is."""


class FrameStack:
    """Grows frame by frame into a (T, H, W) array, without a second copy in memory.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._bytes = bytearray()
        self._shape: tuple[int, ...] = ()
        self._dtype = np.dtype(np.uint8)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, frame: NDArray[Any]) -> None:
        """Add a (H, W) frame; all must have the size and the number type of the first.

        Raises
        ------
        SweepError
            Where they do not, or the volume would become larger than any sweep.
        """
        if not self._count:
            self._shape, self._dtype = frame.shape, frame.dtype
        if frame.shape != self._shape:
            raise SweepError(
                f"{self.name}: expected frames of one size, found {self._shape} and "
                f"{frame.shape}; keep other pictures out of it"
            )
        if frame.dtype != self._dtype:
            raise SweepError(
                f"{self.name}: expected frames of one depth, found {self._dtype} and "
                f"{frame.dtype}; save all of them with the same number of bits"
            )
        check_stack_size(self.name, len(self._bytes) + frame.nbytes)
        self._bytes += np.ascontiguousarray(frame).data.cast("B")
        self._count += 1

    def frames(self) -> NDArray[Any]:
        """Return the (T, H, W) array.

        Raises
        ------
        SweepError
            Where there are no frames.
        """
        if not self._count:
            raise SweepError(f"{self.name}: expected frames, found none; copy the file again")
        return np.frombuffer(self._bytes, self._dtype).reshape(self._count, *self._shape)


def check_frame_size(name: str, rows: int, columns: int) -> None:
    """Refuse a frame that nobody's scanner makes, before memory is taken for it.

    Raises
    ------
    SweepError
        Where a side is not positive, or the frame has more than :data:`MAX_FRAME_PIXELS`.
    """
    if rows < 1 or columns < 1 or rows * columns > MAX_FRAME_PIXELS:
        raise SweepError(
            f"{name}: expected frames of at most {MAX_FRAME_PIXELS} pixels, found {rows} x "
            f"{columns}; copy the file again"
        )


def check_stack_size(name: str, size: int) -> None:
    """Refuse a volume that is larger than any sweep, before it is decoded.

    Raises
    ------
    SweepError
        Where it has more than :data:`MAX_STACK_BYTES`.
    """
    if size > MAX_STACK_BYTES:
        raise SweepError(
            f"{name}: expected a sweep of at most {MAX_STACK_BYTES >> 30} GiB, found "
            f"{size / (1 << 30):.1f} GiB; cut it into single sweeps"
        )


def check_expansion(name: str, size: int, stored_bytes: int, most: int) -> None:
    """Refuse a small file that would become a large volume, before memory and time are spent.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    size : int
        Bytes of the volume, decoded.
    stored_bytes : int
        Of the file.
    most : int
        How many bytes one stored byte becomes at most; up to :data:`MODEST_BYTES` any number is
        fine.

    Raises
    ------
    SweepError
        Where it is more.
    """
    if size > max(MODEST_BYTES, most * stored_bytes):
        raise SweepError(
            f"{name}: expected an ultrasound sweep, found {stored_bytes} bytes that would become "
            f"{size / (1 << 20):.0f} MiB, as no picture of a scanner does; export the sweep again"
        )
