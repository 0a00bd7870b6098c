"""Ellipses: where their points lie, how long they are, and the ellipse tool of a scanner.

The tool has two diameters, four handles and a centre to drag.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from math import cos, degrees, hypot, pi, radians, sin, sqrt
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHORTEST_MM = 0.5
"""Semi-axes do not get shorter than this under a drag: a handle never meets its opposite."""
_LEAST_SINE = 0.5  # of the angle between two diameters: 30 degrees


Numbers = TypeVar("Numbers", float, NDArray[np.floating[Any]])


def from_axes(
    center: tuple[float, float],
    semi_axes: tuple[float, float],
    angle_rad: float,
    u: Numbers,
    v: Numbers,
) -> tuple[Numbers, Numbers]:
    """Place points that are known by their shares of an ellipse's two semi-axes.

    The outline is where ``u = cos t`` and ``v = sin t``.

    Parameters
    ----------
    center : (float, float)
        x to the right and y down.
    semi_axes : (float, float)
        In the unit of the centre.
    angle_rad : float
        Of the first semi-axis: 0 to the right, growing downwards.
    u, v : float or array
        Shares of the first and the second semi-axis.

    Returns
    -------
    x, y : float or array
    """
    (x, y), (a, b), c, s = center, semi_axes, cos(angle_rad), sin(angle_rad)
    # The phantom's pixels, and so the demo models, depend on the order of these operations.
    return x + u * a * c - v * b * s, y + u * a * s + v * b * c


def to_axes(
    semi_axes: tuple[float, float], angle_rad: float, dx: Numbers, dy: Numbers
) -> tuple[Numbers, Numbers]:
    """Return the shares of an ellipse's two semi-axes: the inverse of :func:`from_axes`.

    A point lies inside where the squares of its shares add up to less than 1.

    Parameters
    ----------
    semi_axes, angle_rad
        As for :func:`from_axes`.
    dx, dy : float or array
        Offsets from the centre, to the right and down; float32 stays float32.

    Returns
    -------
    u, v : float or array
    """
    # Python's floats, because those of numpy would make float64 of float32.
    (a, b), c, s = map(float, semi_axes), cos(angle_rad), sin(angle_rad)
    return (c * dx + s * dy) / a, (c * dy - s * dx) / b


def ramanujan_perimeter(a: float, b: float) -> float:
    """Perimeter of an ellipse with semi-axes ``a`` and ``b``, in their unit.

    References
    ----------
    Ramanujan's first formula, as ACOUSLIC-AI uses it (Sappia et al., Medical Image Analysis 105
    (2025) 103640); its error is below 0.01 % for semi-axes up to 1 : 2.
    """
    return pi * (3 * (a + b) - sqrt((3 * a + b) * (a + 3 * b)))


class Handle(IntEnum):
    """What of an ellipse can be dragged; also the place in :attr:`Ellipse.handles_mm`."""

    FIRST_START = 0
    FIRST_END = 1
    SECOND_START = 2
    SECOND_END = 3
    CENTER = 4


_OPPOSITE = {
    Handle.FIRST_START: Handle.FIRST_END,
    Handle.FIRST_END: Handle.FIRST_START,
    Handle.SECOND_START: Handle.SECOND_END,
    Handle.SECOND_END: Handle.SECOND_START,
}


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in millimetres of the frame; the centre of pixel (0, 0) is at (0, 0) mm.

    Points are (row, column), in mm: pixels times spacing. Where a sweep has no spacing, take
    (1, 1), and every length is in pixels.

    Parameters
    ----------
    center_mm : (float, float)
    semi_axes_mm : (float, float)
        Of the first and the second diameter; either may be the longer one, so that axes do not
        change places while one is dragged.
    angle_deg : float
        Of the first diameter: 0 along the rows to the right, growing downwards.

    Raises
    ------
    ValueError
        Where a number is not finite or a semi-axis not positive.
    """

    center_mm: tuple[float, float]
    semi_axes_mm: tuple[float, float]
    angle_deg: float

    def __post_init__(self) -> None:
        numbers = (*self.center_mm, *self.semi_axes_mm, self.angle_deg)
        if not np.isfinite(numbers).all() or min(self.semi_axes_mm) <= 0:
            raise ValueError(f"expected finite numbers and positive semi-axes, found {numbers}")

    @classmethod
    def from_diameters(cls, first: ArrayLike, second: ArrayLike) -> Self:
        """Make the ellipse whose axis ends lie nearest to four clicked points.

        Two diameters drawn by hand are neither quite perpendicular nor do they bisect each
        other. Of all ellipses, this one has the least sum of squared distances between its four
        axis ends and the points. With the half diameters p and q, the centre is the mean of the
        points, and the direction u of the first axis the leading eigenvector of
        ``p p' + r r'``, where r is q turned back by 90 degrees; p and r projected on u are the
        semi-axes.

        Parameters
        ----------
        first, second : (2, 2) array
            The ends of each diameter, (row, column) in mm.

        Raises
        ------
        ValueError
            Where a diameter has no length, or the two are within 30 degrees of each other.
        """
        ends = np.array([first, second], np.float64)
        if ends.shape != (2, 2, 2) or not np.isfinite(ends).all():
            raise ValueError("expected two diameters, each with two ends (row, column)")
        p, q = (ends[:, 1] - ends[:, 0]) / 2
        cross = p[1] * q[0] - p[0] * q[1]
        if abs(cross) <= _LEAST_SINE * hypot(*p) * hypot(*q):
            raise ValueError(
                "the two diameters have no length or run along each other; "
                "draw the second one across the first"
            )
        back = np.array([-q[1], q[0]]) * np.sign(cross)  # q, turned to lie along p
        _, directions = np.linalg.eigh(np.outer(p, p) + np.outer(back, back))
        u = directions[:, 1] * np.sign(directions[:, 1] @ p)
        row, column = ends.mean((0, 1))
        return cls(
            (float(row), float(column)),
            (float(p @ u), float(back @ u)),
            degrees(np.arctan2(*u)),
        )

    @property
    def circumference_mm(self) -> float:
        """By Ramanujan's first formula, as :func:`ramanujan_perimeter` gives it."""
        return ramanujan_perimeter(*self.semi_axes_mm)

    @property
    def handles_mm(self) -> NDArray[np.float64]:
        """(5, 2) rows and columns in mm, in the order of :class:`Handle`."""
        ends = self.points_mm([pi, 0, 3 * pi / 2, pi / 2])
        return np.concatenate([ends, [self.center_mm]])

    def outline_mm(self, n: int = 128) -> NDArray[np.float64]:
        """Return ``n`` points of the ellipse, closed, (n, 2) rows and columns in mm."""
        return self.points_mm(np.linspace(0, 2 * pi, n, endpoint=False))

    def points_mm(self, t: ArrayLike) -> NDArray[np.float64]:
        """Return points of the outline, (n, 2) rows and columns in mm.

        Parameters
        ----------
        t : (n,) array
            Radians: 0 at the end of the first semi-axis, pi / 2 at that of the second.
        """
        row, column = self.center_mm
        x, y = from_axes(
            (column, row), self.semi_axes_mm, radians(self.angle_deg), np.cos(t), np.sin(t)
        )
        return np.stack([y, x], -1)

    def moved(self, handle: Handle, to: Sequence[float]) -> "Ellipse":
        """Drag a handle.

        An axis end goes where it is dragged while the opposite end and the length of the other
        diameter stay; the ellipse turns with it. The centre moves all.

        Parameters
        ----------
        handle : Handle
        to : (float, float)
            Row and column in mm. An axis end stops at 0.5 mm of semi-axis from its opposite.
        """
        if handle is Handle.CENTER:
            return replace(self, center_mm=(float(to[0]), float(to[1])))
        fixed = self.handles_mm[_OPPOSITE[handle]]
        axis = np.asarray(to, np.float64) - fixed
        length = hypot(*axis)
        if length < 2 * SHORTEST_MM:
            direction = axis if length > 0 else self.handles_mm[handle] - fixed
            axis = direction * (2 * SHORTEST_MM / hypot(*direction))
            length = 2 * SHORTEST_MM
        along = axis if handle in (Handle.FIRST_END, Handle.SECOND_END) else -axis
        turn = degrees(np.arctan2(*along))
        first, second = self.semi_axes_mm
        if handle in (Handle.FIRST_START, Handle.FIRST_END):
            first = length / 2
        else:
            second, turn = length / 2, turn - 90
        row, column = fixed + axis / 2
        return Ellipse((float(row), float(column)), (first, second), turn)

    def mask(self, shape: tuple[int, int], spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
        """Return the pixels whose centres lie in the ellipse, (H, W) bool; cut off at the frame.

        Parameters
        ----------
        shape : (H, W)
        spacing_mm : (float, float)
            Millimetres per pixel along rows and columns.
        """
        (a, b), turn = self.semi_axes_mm, radians(self.angle_deg)
        half = np.array([hypot(a * sin(turn), b * cos(turn)), hypot(a * cos(turn), b * sin(turn))])
        low = np.ceil((np.array(self.center_mm) - half) / spacing_mm).astype(np.intp)
        high = np.floor((np.array(self.center_mm) + half) / spacing_mm).astype(np.intp) + 1
        low, high = np.clip(low, 0, shape), np.clip(high, 0, shape)
        y = (np.arange(low[0], high[0]) * spacing_mm[0] - self.center_mm[0])[:, None]
        x = np.arange(low[1], high[1]) * spacing_mm[1] - self.center_mm[1]
        u, v = to_axes(self.semi_axes_mm, turn, x, y)
        mask = np.zeros(shape, bool)
        mask[low[0] : high[0], low[1] : high[1]] = u**2 + v**2 <= 1
        return mask
