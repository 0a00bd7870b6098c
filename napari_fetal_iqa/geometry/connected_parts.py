"""Connected parts of an area, by its runs along the rows; scipy.ndimage takes 0.2 s to import.

Every sweep that is opened asks for its field of view, and ``napari-fetal-iqa info`` for that alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class _Runs(NamedTuple):
    """Unbroken runs of pixels, sorted by row and column; half-open."""

    row: NDArray[np.intp]
    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    part: NDArray[np.intp]
    """Which connected part each is of: the number of its first run."""


def largest_part(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest part of an area whose pixels hang together by their sides.

    Parameters
    ----------
    area : (H, W) bool array

    Returns
    -------
    (H, W) bool array
        Of equally large ones that whose first pixel comes first, row by row; empty of nothing.
    """
    runs = _runs(area)
    if not len(runs.row):
        return np.zeros(area.shape, bool)
    sizes = np.bincount(runs.part, runs.stop - runs.start)
    return _painted(runs, runs.part == np.argmax(sizes), area.shape)


def filled_holes(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill whatever of the background no way over sides leads out of the image from.

    Parameters
    ----------
    area : (H, W) bool array

    Returns
    -------
    (H, W) bool array
    """
    background = _runs(~area)
    rows, columns = area.shape
    outside = (background.row == 0) | (background.row == rows - 1)
    outside |= (background.start == 0) | (background.stop == columns)
    hole = ~np.isin(background.part, background.part[outside])
    return area | _painted(background, hole, area.shape)


def dilated(area: NDArray[np.bool_], times: int) -> NDArray[np.bool_]:
    """Grow an area by its neighbours at the sides, so many times; outside is none of it."""
    for _ in range(times):
        grown = area.copy()
        grown[1:] |= area[:-1]
        grown[:-1] |= area[1:]
        grown[:, 1:] |= area[:, :-1]
        grown[:, :-1] |= area[:, 1:]
        area = grown
    return area


def opened(area: NDArray[np.bool_], times: int) -> NDArray[np.bool_]:
    """Take off so many rims, and grow what is left again; outside is none of it."""
    rim = np.pad(~area, times, constant_values=True)
    inner = (slice(times, -times), slice(times, -times))
    return dilated(~dilated(rim, times)[inner], times)


def _runs(area: NDArray[np.bool_]) -> _Runs:
    edges = np.diff(np.pad(area, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(edges == 1)
    stop = np.nonzero(edges == -1)[1]
    wide = area.shape[1] + 1
    # of the row above, the runs that end after this one starts and start before it ends
    above = (row - 1) * wide
    first = np.searchsorted(row * wide + stop, above + start, "right")
    last = np.searchsorted(row * wide + start, above + stop, "left")
    parent = list(range(len(row)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = run = parent[parent[run]]
        return run

    for run in np.flatnonzero(first < last).tolist():
        for other in range(first[run], last[run]):
            one, two = sorted((root(run), root(other)))
            parent[two] = one
    return _Runs(row, start, stop, np.array([root(run) for run in parent], np.intp))


def _painted(runs: _Runs, chosen: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    edges = np.zeros((shape[0], shape[1] + 1), np.int8)
    edges[runs.row[chosen], runs.start[chosen]] = 1
    edges[runs.row[chosen], runs.stop[chosen]] -= 1
    return np.asarray(np.cumsum(edges, axis=1, dtype=np.int8)[:, :-1] > 0)
