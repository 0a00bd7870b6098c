"""Ultrasound regions beside what the frames show: whether they are those of this picture at all.

Programs that cut or scale a picture seldom tell its regions (PS3.3, C.8.5.5), and then their scale
is that of another one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.io.formats.spacing import is_pixel_size
from napari_fetal_iqa.sweep import BLACK, Frames, SweepVolume

Spacing = tuple[float, float]

SAME_SCALE = 0.001
"""Relative difference up to which two spacings are one, as writers round."""

FAN_INSIDE, OTHERS_LIT = 0.95, 0.02
"""Share of the fan that its region must hold, and of the other regions that captions may light."""

LIT_INSIDE, LOOKED_AT = 0.9, 8
"""Share of what is lit in some frames that makes it certain that regions hold the fan."""

FAN_MISSED = 0.8
"""Share of the fan below which regions are not where the picture is."""

COUNTED_FROM_ONE = 1
"""Rows and columns by which a region may reach beyond the frame, as some writers count from 1."""

REGION_SIZES_MM = (0.1, 1000)
"""From less than what any probe sees to more."""


@dataclass(frozen=True)
class Region:
    """A two-dimensional ultrasound region.

    Parameters
    ----------
    rows, columns : (int, int) or None
        First and last; None where the file does not say.
    spacing_mm : (float, float) or None
        Along rows and columns; None where it is not calibrated in cm.
    """

    rows: tuple[int, int] | None
    columns: tuple[int, int] | None
    spacing_mm: Spacing | None


class Picture:
    """What all frames show together, looked at when it is asked for, and once.

    Parameters
    ----------
    frames : (T, H, W) uint8 array
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        _, rows, columns = self._frames.shape
        return rows, columns

    @cached_property
    def fan(self) -> NDArray[np.bool_]:
        """(H, W) bool: where the fan lies."""
        return SweepVolume(self._frames).field_of_view

    @cached_property
    def lit(self) -> NDArray[np.bool_]:
        """(H, W) bool: where any frame is not black; a second view may show in a few alone."""
        return self._lit(range(len(self._frames)))

    @cached_property
    def lit_at_times(self) -> NDArray[np.bool_]:
        """(H, W) bool: the same in a few frames, which costs next to nothing."""
        step = -(-len(self._frames) // LOOKED_AT)
        return self._lit(range(0, len(self._frames), step))

    def _lit(self, numbers: range) -> NDArray[np.bool_]:
        brightest = np.zeros(self.size, np.uint8)
        for number in numbers:
            np.maximum(brightest, self._frames[number], out=brightest)
        return np.asarray(brightest > BLACK)


def is_scanners(region: Region) -> bool:
    """Return whether a scanner may have given a region this scale, by pixels and whole size."""
    if region.spacing_mm is None or not is_pixel_size(region.spacing_mm):
        return False
    if region.rows is None or region.columns is None:
        return True
    least, most = REGION_SIZES_MM
    sides = zip((region.rows, region.columns), region.spacing_mm, strict=True)
    return all(least <= (last - first + 1) * step <= most for (first, last), step in sides)


def reach_beyond(regions: Sequence[Region], picture: Picture) -> bool:
    """Return whether any region ends outside of the frames."""
    return any(
        span is not None and span[1] >= size + COUNTED_FROM_ONE
        for region in regions
        for span, size in zip((region.rows, region.columns), picture.size, strict=True)
    )


def miss_the_picture(regions: Sequence[Region], picture: Picture) -> bool:
    """Return whether the fan lies elsewhere than in the regions, as far as they say where."""
    inside = np.zeros(picture.size, bool)
    for region in regions:
        if region.rows is None or region.columns is None:
            return False
        inside[_box(region)] = True
    lit = np.count_nonzero(picture.lit_at_times)
    if np.count_nonzero(picture.lit_at_times & inside) >= LIT_INSIDE * lit:
        return False
    fan = np.count_nonzero(picture.fan)
    return bool(np.count_nonzero(picture.fan & inside) < FAN_MISSED * fan)


def holds_the_fan(scale: Spacing | None, regions: Sequence[Region], picture: Picture) -> bool:
    """Return whether the fan lies in the regions of one scale, or of none, and others are dark."""
    inside, outside = np.zeros((2, *picture.size), bool)
    for region in regions:
        if region.rows is None or region.columns is None:
            return False
        same = region.spacing_mm == scale or (scale and same_scale(region.spacing_mm, scale))
        (inside if same else outside)[_box(region)] = True
    fan, others = picture.fan, outside & ~inside
    return bool(
        np.count_nonzero(fan & inside & ~outside) >= FAN_INSIDE * np.count_nonzero(fan)
        and np.count_nonzero(picture.lit & others) <= OTHERS_LIT * np.count_nonzero(others)
    )


def same_scale(one: Spacing | None, other: Spacing) -> bool:
    """Return whether two spacings are one, within :data:`SAME_SCALE`."""
    return one is not None and all(
        math.isclose(a, b, rel_tol=SAME_SCALE) for a, b in zip(one, other, strict=True)
    )


def _box(region: Region) -> tuple[slice, ...]:
    assert region.rows is not None
    assert region.columns is not None
    return tuple(slice(first, last + 1) for first, last in (region.rows, region.columns))
