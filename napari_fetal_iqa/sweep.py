"""The sweep volume: frames of blind ultrasound sweeps, their spacing, bounds and identity."""

import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.geometry.connected_parts import dilated, filled_holes, largest_part, opened

FRAMES_PER_SWEEP = 140
"""Frames of one ACOUSLIC-AI sweep; six of them make a case (Sappia et al. 2025)."""

BLACK = 8
"""Grey values up to this are black: lossy compression spreads as much around the field of view."""

_EARLIER_PHANTOM = re.compile(
    r"phantom-(small|demo|acouslic|training)(-shifted)?-[0-9]{6,}|phantom_demo_.*"
)

Bounds = tuple[tuple[int, int], ...]
"""Half-open frame range (start, stop) of each sweep: contiguous, covering all frames."""


class Frames(Protocol):
    """What a (T, H, W) uint8 array and a lazy array-like of frames have in common.

    Index it by frame, or call ``np.asarray`` for the whole.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Frames, rows, columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels: uint8."""

    @property
    def ndim(self) -> int:
        """Number of axes: 3."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Any) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __array__(self, dtype: Any = ..., /, *, copy: bool | None = ...) -> NDArray[Any]: ...


def known_spacing(row_mm: float, column_mm: float) -> tuple[float, float] | None:
    """Return the spacing in mm where both numbers are positive and finite, else None."""
    return (row_mm, column_mm) if 0 < row_mm < np.inf and 0 < column_mm < np.inf else None


def is_earlier_phantom(stem: str) -> bool:
    """Whether a file is named as earlier versions named the phantoms that they did not mark.

    A name that only begins like these is no such: a hospital scans phantoms of gel.
    """
    return _EARLIER_PHANTOM.fullmatch(stem) is not None


def sweep_bounds(n_frames: int, frames_per_sweep: int | None = None) -> Bounds:
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
        May be a lazy array-like that is indexed frame by frame. Trailing
        frames may be black.
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
    spacing_note : str
        One line on where the spacing comes from, or why there is none, where a reader must know;
        never part of the identity.
    frames_per_second : float, optional
        At which the frames were taken; None where the file does not say.
    rate_source : str
        What of the file says so, in a few words.
    simulated : bool
        A drawn phantom, and no ultrasound; a file that says nothing of it is real. Never part of
        the identity.

    Raises
    ------
    SweepError
        Where the frames are not such an array, the spacing is not positive, or the bounds do
        not cover the frames one after the other.
    """

    frames: Frames
    spacing_mm: tuple[float, float] | None = None
    bounds: Bounds = field(default=())
    name: str = "sweep"
    source_format: str = "array"
    path: Path | None = None
    spacing_note: str = ""
    frames_per_second: float | None = None
    rate_source: str = ""
    simulated: bool = False

    def __post_init__(self) -> None:
        if self.frames.ndim != 3 or 0 in self.frames.shape or self.frames.dtype != np.uint8:
            raise SweepError(
                f"{self.name}: expected frames (T, H, W) of uint8, found "
                f"{tuple(self.frames.shape)} of {self.frames.dtype}"
            )
        if self.spacing_mm is not None and known_spacing(*self.spacing_mm) is None:
            raise SweepError(
                f"{self.name}: expected a spacing of positive millimetres, found {self.spacing_mm}"
            )
        if not self.bounds:
            object.__setattr__(self, "bounds", sweep_bounds(len(self)))
        edges = [0, *(stop for _, stop in self.bounds)]
        if self.bounds != tuple(pairwise(edges)) or edges != sorted({*edges, len(self)}):
            raise SweepError(
                f"{self.name}: expected sweep bounds that cover {len(self)} frames one after "
                f"the other, found {self.bounds}"
            )

    def __len__(self) -> int:
        return int(self.frames.shape[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        frames, rows, columns = self.frames.shape
        return int(frames), int(rows), int(columns)

    def locate(self, frame: int) -> tuple[int, int]:
        """Return the 0-based sweep that holds a frame, and the frame's place in that sweep."""
        for sweep, (start, stop) in enumerate(self.bounds):
            if start <= frame < stop:
                return sweep, frame - start
        raise IndexError(f"frame {frame} of {len(self)}")

    @property
    def frames_per_sweep(self) -> int | None:
        """Length of each sweep but perhaps the last; None where they differ."""
        start, stop = self.bounds[0]
        length = stop - start
        return length if sweep_bounds(len(self), length) == self.bounds else None

    def with_bounds(self, frames_per_sweep: int | None) -> "SweepVolume":
        """Return the same frames, split into sweeps by :func:`sweep_bounds`."""
        return replace(self, bounds=sweep_bounds(len(self), frames_per_sweep))

    @cached_property
    def identity(self) -> str:
        """Content identity: sha256 of shape and pixels, whatever the file name or compression."""
        digest = hashlib.sha256(repr(self.shape).encode())
        for frame in self.frames:
            digest.update(np.ascontiguousarray(frame).data)
        return digest.hexdigest()

    @cached_property
    def sums(self) -> tuple[int, ...]:
        """A checksum of each frame when first asked for; none where nobody can write into them."""
        if not (isinstance(self.frames, np.ndarray) and self.frames.flags.writeable):
            return ()
        return tuple(map(self._sum, range(len(self))))

    def _sum(self, frame: int) -> int:
        return zlib.crc32(np.ascontiguousarray(self.frames[frame]).data)

    def was_written(self, frame: int) -> bool:
        """Whether somebody wrote into the pixels of a frame since :attr:`sums` were taken.

        Then they are no longer those of :attr:`identity`.
        """
        return bool(self.sums) and self._sum(frame) != self.sums[frame]

    @cached_property
    def field_of_view(self) -> NDArray[np.bool_]:
        """(H, W) bool: the area that is ever non-black, without captions, specks and holes.

        Non-black is more than :data:`BLACK`. Judged on at most 64 frames spread over the
        volume. What hangs on it by strokes of less than 5 pixels, as a caption that touches it
        does, is cut off. The whole frame where nothing is ever brighter.
        """
        step = -(-len(self) // 64)
        bright = np.zeros(self.shape[1:], bool)
        for frame in self.frames[::step]:
            bright |= np.asarray(frame) > BLACK
        if not bright.any():
            return np.ones(self.shape[1:], bool)
        whole = filled_holes(largest_part(bright))
        inner = opened(whole, 2)
        if not inner.any():
            return whole
        # What the opening took off the corners comes back.
        return dilated(largest_part(inner), 2) & whole

    @cached_property
    def fan_box(self) -> tuple[int, int, int, int]:
        """Where the field of view lies: rows from and to, columns from and to, half-open."""
        rows = np.flatnonzero(self.field_of_view.any(1))
        columns = np.flatnonzero(self.field_of_view.any(0))
        return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


@dataclass(frozen=True)
class SweepInfo:
    """Technical facts about a sweep volume, in plain values; no patient data.

    Parameters
    ----------
    name, format : str
    frames, rows, columns : int
    spacing_mm : (float, float) or None
        Millimetres per pixel along rows and columns.
    sweeps : tuple of (start, stop)
        Half-open frame range of each sweep.
    field_of_view_fraction : float
        Share of the frame that the field of view covers, 0 to 1.
    identity : str
        sha256 of the content.
    spacing_note : str
        What must be known of the spacing; empty where it is as the file says.
    """

    name: str
    format: str
    frames: int
    rows: int
    columns: int
    spacing_mm: tuple[float, float] | None
    sweeps: Bounds
    field_of_view_fraction: float
    identity: str
    spacing_note: str = ""


def describe(sweep: SweepVolume) -> SweepInfo:
    """Describe a sweep volume; reads all its frames.

    Raises
    ------
    SweepError
        Where frames that had not been read yet turn out to be damaged.
    """
    frames, rows, columns = sweep.shape
    return SweepInfo(
        name=sweep.name,
        format=sweep.source_format,
        frames=frames,
        rows=rows,
        columns=columns,
        spacing_mm=sweep.spacing_mm,
        sweeps=sweep.bounds,
        field_of_view_fraction=float(sweep.field_of_view.mean()),
        identity=sweep.identity,
        spacing_note=sweep.spacing_note,
    )
