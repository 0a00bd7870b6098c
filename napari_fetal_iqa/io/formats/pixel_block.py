"""A block of pixels in a file: read or inflated as it is looked at, or else read whole."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.axes import MAX_CHANNELS
from napari_fetal_iqa.io.frames.frame_stack import check_stack_size
from napari_fetal_iqa.io.frames.grey import to_grey_frames
from napari_fetal_iqa.io.frames.lazy_inflate import InflatingFrames
from napari_fetal_iqa.io.frames.raw_frames import RawFrames
from napari_fetal_iqa.sweep import Frames

MAX_DEFLATE_RATIO = 1032
"""No zlib stream inflates to more than this many times its size (zlib technical details)."""

PLAIN_ORDER = "TYXC"
"""Frames, rows, columns, channels: the order of the pixels in memory, the slowest axis first."""


@dataclass(frozen=True)
class PixelBlock:
    """What a header says about its pixels: where they lie and how they are stored.

    Parameters
    ----------
    path : Path
        The file that holds the pixels.
    shape : (int, int, int)
        Frames, rows, columns; columns vary fastest but for channels.
    dtype : numpy dtype
        With its byte order.
    channels : int
        Interleaved; 3 is RGB.
    encoding : "raw", "zlib" or "gzip"
    offset : int
        First stored byte; -1 where the raw pixels end the file.
    stored_bytes : int, optional
        Length of the compressed stream; by default up to the end of the file.
    skip : int
        Inflated bytes before the first pixel.
    slope, intercept : float
        The value of a pixel is ``slope * stored + intercept``.
    order : str
        Of the axes T, Y, X and C in the file, the one that varies slowest first.
    flipped : (bool, bool)
        Whether rows, and columns, are stored in reverse.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    channels: int = 1
    encoding: Literal["raw", "zlib", "gzip"] = "raw"
    offset: int = 0
    stored_bytes: int | None = None
    skip: int = 0
    slope: float = 1.0
    intercept: float = 0.0
    order: str = PLAIN_ORDER
    flipped: tuple[bool, bool] = (False, False)

    @property
    def pixel_bytes(self) -> int:
        """Bytes of all pixels when not compressed."""
        return math.prod(self.shape) * self.channels * self.dtype.itemsize

    def open(self) -> Frames:
        """Return the (T, H, W) uint8 frames.

        uint8 in plain order is read, or inflated where it is compressed, as it is looked at.
        Everything else is read whole and made grey by
        :func:`~napari_fetal_iqa.io.frames.grey.to_grey_frames`.

        Raises
        ------
        SweepError
            Where the file is too short for its pixels, compressed pixels are damaged, the
            channels are not those of a colour, or the volume is larger than any sweep.
        """
        if self.channels > MAX_CHANNELS:
            raise SweepError(
                f"{self.path.name}: expected grey or colour of up to {MAX_CHANNELS} channels, "
                f"found {self.channels}; save the volume again with its frames along the third axis"
            )
        plain = self.order == PLAIN_ORDER and not any(self.flipped)
        raw = self.encoding == "raw"
        if not (plain and raw and self.channels == 1 and self.dtype == np.uint8):
            whole = self.pixel_bytes if not (plain and raw) else math.prod(self.shape)
            check_stack_size(self.path.name, whole)
        frames = self._raw_frames() if raw else self._inflated_frames()
        if not plain:
            frames = self._in_plain_order(np.asarray(frames))
        return to_grey_frames(frames, self.slope, self.intercept)

    @property
    def _stored_shape(self) -> tuple[int, ...]:
        """The axes as they lie in the file; in plain order without one for a single channel."""
        sizes = dict(zip(PLAIN_ORDER, (*self.shape, self.channels), strict=True))
        order = self.order.replace("C", "") if self.channels == 1 else self.order
        return tuple(sizes[letter] for letter in order)

    def _in_plain_order(self, stored: NDArray[Any]) -> NDArray[Any]:
        order = self.order.replace("C", "") if self.channels == 1 else self.order
        axes = [order.index(letter) for letter in PLAIN_ORDER if letter in order]
        rows, columns = (slice(None, None, -1 if flip else 1) for flip in self.flipped)
        return np.ascontiguousarray(stored.transpose(axes)[:, rows, columns])

    def _raw_frames(self) -> Any:
        size = self.path.stat().st_size
        offset = size - self.pixel_bytes if self.offset == -1 else self.offset
        if not 0 <= offset <= size - self.pixel_bytes:
            raise SweepError(
                f"{self.path.name}: expected {self.pixel_bytes} bytes of pixels, found "
                f"{max(size - max(offset, 0), 0)}; copy the file again"
            )
        return RawFrames(self.path, self._stored_shape, self.dtype, offset)

    def _inflated_frames(self) -> Any:
        available = self.path.stat().st_size - self.offset
        size = available if self.stored_bytes is None else self.stored_bytes
        if not 0 < size <= available:
            raise SweepError(
                f"{self.path.name}: expected {size} bytes of compressed pixels, found "
                f"{max(available, 0)}; copy the file again"
            )
        if self.skip + self.pixel_bytes > MAX_DEFLATE_RATIO * size:
            raise SweepError(
                f"{self.path.name}: expected {self.pixel_bytes} bytes of pixels, more than its "
                f"{size} compressed bytes can hold; copy the file again"
            )
        assert self.encoding != "raw"
        first, second, *rest = self._stored_shape
        row_bytes = math.prod(rest) * self.dtype.itemsize
        inflating = InflatingFrames(
            self.path, (first, second, row_bytes), self.encoding, self.offset, size, self.skip
        )
        if self.dtype == np.uint8 and self.channels == 1:
            return inflating
        return np.asarray(inflating).view(self.dtype).reshape(self._stored_shape)
