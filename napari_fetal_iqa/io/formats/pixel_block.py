"""A block of pixels in a file: mapped where it is raw, inflated on demand where it is not."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.frames.grey import to_grey_frames
from napari_fetal_iqa.io.frames.lazy_inflate import InflatingFrames
from napari_fetal_iqa.io.frames.raw_frames import RawFrames
from napari_fetal_iqa.sweep import Frames

MAX_DEFLATE_RATIO = 1032
"""No zlib stream inflates to more than this many times its size (zlib technical details)."""

MAX_CHANNELS = 4
"""Red, green, blue, alpha; more are frames that somebody stored as channels."""


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

    @property
    def pixel_bytes(self) -> int:
        """Bytes of all pixels when not compressed."""
        return math.prod(self.shape) * self.channels * self.dtype.itemsize

    def open(self) -> Frames:
        """Return the (T, H, W) uint8 frames.

        Raw uint8 is memory-mapped and compressed uint8 inflated on demand. Everything else is
        read whole and made grey by :func:`~napari_fetal_iqa.io.frames.grey.to_grey_frames`.

        Raises
        ------
        SweepError
            Where the file is too short for its pixels, compressed pixels are damaged, or the
            channels are not those of a colour.
        """
        if self.channels > MAX_CHANNELS:
            raise SweepError(
                f"{self.path.name}: expected grey or colour of up to {MAX_CHANNELS} channels, "
                f"found {self.channels}; save the volume again with its frames along the third axis"
            )
        frames = self._raw_frames() if self.encoding == "raw" else self._inflated_frames()
        return to_grey_frames(frames, self.slope, self.intercept)

    @property
    def _array_shape(self) -> tuple[int, ...]:
        return self.shape if self.channels == 1 else (*self.shape, self.channels)

    def _raw_frames(self) -> Any:
        size = self.path.stat().st_size
        offset = size - self.pixel_bytes if self.offset == -1 else self.offset
        if not 0 <= offset <= size - self.pixel_bytes:
            raise SweepError(
                f"{self.path.name}: expected {self.pixel_bytes} bytes of pixels, found "
                f"{max(size - max(offset, 0), 0)}; copy the file again"
            )
        return RawFrames(self.path, self._array_shape, self.dtype, offset)

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
        frames, rows, columns = self.shape
        row_bytes = columns * self.channels * self.dtype.itemsize
        inflating = InflatingFrames(
            self.path, (frames, rows, row_bytes), self.encoding, self.offset, size, self.skip
        )
        if self.dtype == np.uint8 and self.channels == 1:
            return inflating
        return np.asarray(inflating).view(self.dtype).reshape(self._array_shape)
