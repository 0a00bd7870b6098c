"""The abdominal circumference as the challenge's published evaluation measures it.

It goes through the centres of the mask's edge pixels, where
:func:`napari_fetal_iqa.geometry.biometry.measure_abdomen` goes along the outer side of the pixels:
a radius of about half a pixel less. Where the field of view cuts the outline into pieces it fits
one of them alone. Scores by the rules "literal" are measured so, and nothing else is.
"""

from collections.abc import Iterator
from math import atan2, isfinite, sin, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_fetal_iqa.geometry.ellipse import ramanujan_perimeter

Pixel = tuple[int, int]

FEWEST_POINTS = 6
_CROSS = ndimage.generate_binary_structure(2, 1)
# The eight neighbours of a pixel, clockwise on the screen from the one to its right.
_AROUND = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
_SINGLE = float(np.finfo(np.float32).eps)


def organisers_circumference_px(
    mask: NDArray[np.bool_], field_of_view: NDArray[np.bool_]
) -> float | None:
    """Measure a mask as the challenge's published evaluation does, in pixels.

    The edge pixels of the mask inside the field of view, without those of the view's own edge, are
    followed; of the pieces the one that encloses the largest area counts, and of open pieces, which
    enclose none, the one that begins lowest. Its points, twice where it was followed there and
    back, are fitted by an ellipse.

    Parameters
    ----------
    mask : (H, W) bool array
        Abdomen; holes have an edge, too.
    field_of_view : (H, W) bool array

    Returns
    -------
    float
        Ramanujan's first formula of the ellipse; None where fewer than 6 points are left, or they
        lie on more than one conic: there the published evaluation adds random numbers to them.
        Not bounded: the points of a short arc may give any length, as they do there.

    References
    ----------
    github.com/DIAGNijmegen/ACOUSLIC-AI-evaluation-method, which uses OpenCV's ``findContours``
    (Suzuki and Abe, CVGIP 30 (1985) 32) and ``fitEllipse``.
    """
    line = _edge(mask & field_of_view) & ~_edge(field_of_view)
    # OpenCV lists the border it found last first.
    borders = list(_borders(line))[::-1]
    if not borders:
        return None
    points = np.array(max(borders, key=_enclosed_area), np.float64)
    return None if len(points) < FEWEST_POINTS else _fitted_perimeter(points[:, ::-1])


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a mask that have a side in common with what is not mask."""
    return mask & ~ndimage.binary_erosion(mask, _CROSS)


def _borders(line: NDArray[np.bool_]) -> Iterator[list[Pixel]]:
    """Follow every outer and inner border of the 8-connected parts, from the top (Suzuki, Abe)."""
    marks = np.pad(line.astype(np.int32), 1)
    number = 1
    for row, column in np.argwhere(marks):
        here = (int(row), int(column))
        if marks[here] == 1 and marks[row, column - 1] == 0:
            start = 4
        elif marks[here] >= 1 and marks[row, column + 1] == 0:
            start = 0
        else:
            continue
        number += 1
        yield _follow(marks, here, start, number)


def _follow(marks: NDArray[np.int32], first: Pixel, start: int, number: int) -> list[Pixel]:
    """Follow one border and mark it; ``start`` is the neighbour that lies outside it."""

    def neighbour(pixel: Pixel, way: int) -> Pixel:
        row, column = _AROUND[way % 8]
        return pixel[0] + row, pixel[1] + column

    for way in range(start, start + 8):
        if marks[neighbour(first, way)]:
            break
    else:
        marks[first] = -number
        return [(first[0] - 1, first[1] - 1)]
    last, here, border = neighbour(first, way), first, []
    while True:
        border.append((here[0] - 1, here[1] - 1))
        right_is_outside = False
        turn = way - 1
        while not marks[neighbour(here, turn)]:
            right_is_outside |= turn % 8 == 0
            turn -= 1
        if right_is_outside:
            marks[here] = -number
        elif marks[here] == 1:
            marks[here] = number
        there = neighbour(here, turn)
        if there == first and here == last:
            return border
        here, way = there, turn + 4


def _enclosed_area(border: list[Pixel]) -> float:
    rows, columns = np.array(border, np.float64).T
    return abs(float(rows @ np.roll(columns, 1) - columns @ np.roll(rows, 1))) / 2


def _fitted_perimeter(points: NDArray[np.float64]) -> float | None:
    """Fit a conic by least squares, then again about its centre, as OpenCV's ``fitEllipse``.

    Parameters
    ----------
    points : (N, 2) array
        x and y.
    """
    points = points - points.mean(0)
    scale = 100 / max(float(np.abs(points).sum()), _SINGLE)
    x, y = scale * points.T
    conic = np.stack([-x * x, -y * y, -x * y, x, y], -1)
    weights = np.linalg.svd(conic, compute_uv=False)
    if weights[0] * _SINGLE > weights[-1]:
        return None
    a, b, c, d, e = np.linalg.lstsq(conic, np.full(len(points), 1e4))[0]
    centre = np.linalg.lstsq(np.array([[2 * a, c], [c, 2 * b]]), np.array([d, e]))[0]
    x, y = x - centre[0], y - centre[1]
    a, b, c = np.linalg.lstsq(np.stack([x * x, y * y, x * y], -1), np.ones(len(points)))[0]
    angle = -0.5 * atan2(c, b - a)
    difference = c / sin(-2 * angle) if abs(c) > 1e-8 else b - a
    axes = [sqrt(2 / s) if (s := abs(a + b + sign * difference)) > 1e-8 else s for sign in (-1, 1)]
    first, second = (axis / scale for axis in axes)
    perimeter = ramanujan_perimeter(first, second)
    return perimeter if isfinite(perimeter) else None
