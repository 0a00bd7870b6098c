"""Free calipers: a distance or an ellipse on a frame that belongs to no label."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import atan2, degrees, hypot
from typing import Self

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.geometry.ellipse import Ellipse

_PERPENDICULAR = 1e-9
"""Cosine of the angle between two diameters that were perpendicular but for rounding."""
_SHORTEST_PX = 1e-3
"""A press without a drag measures nothing."""


class CaliperKind(StrEnum):
    """What is measured."""

    DISTANCE = "distance"
    ELLIPSE = "ellipse"


_POINTS = {2: CaliperKind.DISTANCE, 4: CaliperKind.ELLIPSE}


class CaliperMeasure(StrEnum):
    """What a free caliper measures, where somebody named it."""

    HC = "HC"
    BPD = "BPD"
    OFD = "OFD"
    FL = "FL"

    @property
    def kind(self) -> CaliperKind:
        """The caliper that it takes: a head's circumference is that of an ellipse."""
        return CaliperKind.ELLIPSE if self is CaliperMeasure.HC else CaliperKind.DISTANCE

    @property
    def words(self) -> str:
        """What it is, in full."""
        return _MEASURED[self]


_MEASURED = {
    CaliperMeasure.HC: "head circumference",
    CaliperMeasure.BPD: "biparietal diameter",
    CaliperMeasure.OFD: "occipitofrontal diameter",
    CaliperMeasure.FL: "femur length",
}


@dataclass(frozen=True)
class CaliperSize:
    """What a caliper measures.

    Parameters
    ----------
    length : float
        Of the distance, or the ellipse's circumference.
    diameters : (float, float) or None
        Of the ellipse, the longer first.
    unit : {"mm", "px"}
        Pixels where the spacing is not known.
    """

    length: float
    diameters: tuple[float, float] | None
    unit: str

    def __str__(self) -> str:
        if self.diameters is None:
            return f"{self.length:.1f} {self.unit}"
        longer, shorter = self.diameters
        return f"{self.length:.1f} {self.unit} around, {longer:.1f} × {shorter:.1f} {self.unit}"

    @property
    def short(self) -> str:
        """The same in few words: the unit once, and nothing but the numbers."""
        if self.diameters is None:
            return str(self)
        longer, shorter = self.diameters
        return f"{self.length:.1f} {self.unit}, {longer:.1f} × {shorter:.1f}"


@dataclass(frozen=True)
class Caliper:
    """Where a distance or an ellipse lies, in pixels: another spacing gives other millimetres.

    Parameters
    ----------
    points_px : tuple of (float, float)
        Rows and columns; the centre of the first pixel is (0, 0). The two ends of a distance, or
        the ends of two conjugate diameters of an ellipse, one after the other.

    Raises
    ------
    ValueError
        Where it is not two or four points, one is not finite, or nothing lies between them.
    """

    points_px: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        # numbers as Python has them, be they numpy's: they are written as text
        points = tuple((float(row), float(column)) for row, column in self.points_px)
        object.__setattr__(self, "points_px", points)
        if len(self.points_px) not in _POINTS:
            raise ValueError(f"expected 2 or 4 points of a caliper, found {len(self.points_px)}")
        ends = self._array()
        if not np.isfinite(ends).all():
            raise ValueError("expected finite rows and columns of a caliper's points")
        halves = np.diff(ends.reshape(-1, 2, 2), axis=1)[:, 0] / 2
        if np.hypot(*halves.T).min() < _SHORTEST_PX:
            raise ValueError("expected a caliper whose ends differ")
        if len(halves) > 1 and abs(np.linalg.det(halves)) < _SHORTEST_PX**2:
            raise ValueError("expected two diameters that do not run along each other")

    @classmethod
    def of_ellipse(cls, ellipse: Ellipse, spacing: Sequence[float]) -> Self:
        """Return the caliper of an ellipse; ``spacing`` as of the ellipse, (row, column)."""
        ends = ellipse.handles_mm[:4] / np.asarray(spacing)
        return cls(tuple((float(row), float(column)) for row, column in ends))

    def _array(self) -> NDArray[np.float64]:
        return np.array(self.points_px, np.float64)

    @property
    def kind(self) -> CaliperKind:
        """Whether it is a distance or an ellipse."""
        return _POINTS[len(self.points_px)]

    def ellipse(self, spacing: Sequence[float]) -> Ellipse:
        """Return the ellipse in millimetres, or in pixels with a spacing of (1, 1).

        With another spacing than it was drawn with, the same pixels lie on it; its axes are the
        singular vectors of the two half diameters.

        Raises
        ------
        ValueError
            Where it is a distance.
        """
        if self.kind is not CaliperKind.ELLIPSE:
            raise ValueError("a distance is no ellipse")
        ends = self._array().reshape(2, 2, 2) * np.asarray(spacing)
        row, column = (float(value) for value in ends.mean((0, 1)))
        first, second = (ends[:, 1] - ends[:, 0]) / 2
        lengths = hypot(*first), hypot(*second)
        if abs(first @ second) > _PERPENDICULAR * lengths[0] * lengths[1]:
            axes, sizes, _ = np.linalg.svd(np.stack([first, second], 1))
            first, lengths = axes[:, 0], (float(sizes[0]), float(sizes[1]))
        return Ellipse((row, column), lengths, degrees(atan2(*first)))

    def size(self, spacing_mm: Sequence[float] | None) -> CaliperSize:
        """Measure it, in millimetres; in pixels where the spacing is not known."""
        spacing, unit = ((1.0, 1.0), "px") if spacing_mm is None else (spacing_mm, "mm")
        if self.kind is CaliperKind.DISTANCE:
            start, end = self._array() * np.asarray(spacing)
            return CaliperSize(hypot(*(end - start)), None, unit)
        ellipse = self.ellipse(spacing)
        longer, shorter = sorted((2 * axis for axis in ellipse.semi_axes_mm), reverse=True)
        return CaliperSize(ellipse.circumference_mm, (longer, shorter), unit)
