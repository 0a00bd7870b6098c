"""The sweep volume: frames of blind ultrasound sweeps, their spacing, bounds and identity."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_fetal_iqa.errors import SweepError

FRAMES_PER_SWEEP = 140
"""Frames of one ACOUSLIC-AI sweep; six of them make a case (Sappia et al. 2025)."""


def sweep_bounds(n_frames: int, frames_per_sweep: int | None = None) -> tuple[tuple[int, int], ...]:
    """Split frames into sweeps.

    Parameters
    ----------
    n_frames : int
    frames_per_sweep : int, optional
        Length of every sweep but perhaps the last. By default a multiple of 140 frames is
        taken as sweeps of 140, anything else as one sweep.

    Returns
    -------
    tuple of (start, stop)
        Half-open, in frames, contiguous, covering ``range(n_frames)``.

    Raises
    ------
    SweepError
        Where ``frames_per_sweep`` is not positive.
    """
    if frames_per_sweep is None:
        frames_per_sweep = FRAMES_PER_SWEEP if n_frames % FRAMES_PER_SWEEP == 0 else n_frames
    if frames_per_sweep < 1:
        raise SweepError(f"frames per sweep must be 1 or more, not {frames_per_sweep}")
    starts = range(0, n_frames, frames_per_sweep)
    return tuple((start, min(start + frames_per_sweep, n_frames)) for start in starts)


@dataclass(frozen=True, eq=False)
class SweepVolume:
    """Frames of one examination: one or several blind sweeps, one after the other.

    Carries technical facts only, never patient data.

    Parameters
    ----------
    frames : (T, H, W) uint8 array
        May be memory-mapped or a lazy array-like that is indexed frame by frame.
    spacing_mm : (float, float) or None
        Millimetres per pixel along rows and columns; None where the file does not say.
    bounds : tuple of (start, stop)
        Half-open frame range of each sweep; by default from :func:`sweep_bounds`.
    name : str
        File name without folder and ending; shown to people, never part of the identity.
    source_format : str
        For people: ``"MetaImage, zlib"``, ``"phantom"``.
    path : Path, optional
        Where the frames were read from.
    """

    frames: NDArray[np.uint8]
    spacing_mm: tuple[float, float] | None = None
    bounds: tuple[tuple[int, int], ...] = field(default=())
    name: str = "sweep"
    source_format: str = "array"
    path: Path | None = None

    def __post_init__(self) -> None:
        if self.frames.ndim != 3 or 0 in self.frames.shape or self.frames.dtype != np.uint8:
            raise SweepError(
                f"{self.name}: expected frames (T, H, W) of uint8, found "
                f"{tuple(self.frames.shape)} of {self.frames.dtype}"
            )
        if not self.bounds:
            object.__setattr__(self, "bounds", sweep_bounds(len(self.frames)))

    def __len__(self) -> int:
        return int(self.frames.shape[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        frames, rows, columns = self.frames.shape
        return int(frames), int(rows), int(columns)

    def locate(self, frame: int) -> tuple[int, int]:
        """Give the 0-based sweep that holds a frame, and the frame's place in that sweep."""
        for sweep, (start, stop) in enumerate(self.bounds):
            if start <= frame < stop:
                return sweep, frame - start
        raise IndexError(f"frame {frame} of {len(self)}")

    @cached_property
    def identity(self) -> str:
        """Content identity: sha256 of shape and pixels, whatever the file name or compression."""
        digest = hashlib.sha256(repr(self.shape).encode())
        for frame in self.frames:
            digest.update(np.ascontiguousarray(frame))
        return digest.hexdigest()

    @cached_property
    def field_of_view(self) -> NDArray[np.bool_]:
        """(H, W) bool: the area that is ever non-black, without specks and holes.

        Judged on at most 64 frames spread over the volume. The whole frame where nothing is
        ever lit.
        """
        step = max(1, len(self) // 64)
        lit = np.zeros(self.shape[1:], bool)
        for frame in self.frames[::step]:
            lit |= np.asarray(frame) > 0
        components, count = ndimage.label(lit)
        if count == 0:
            return np.ones(self.shape[1:], bool)
        largest = 1 + int(np.argmax(np.bincount(components.ravel())[1:]))
        return np.asarray(ndimage.binary_fill_holes(components == largest), bool)
