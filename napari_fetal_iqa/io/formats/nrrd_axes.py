"""What the per-axis fields of a NRRD header say: which axis is which, and how long its steps are.

Fields and kinds are those of Teem's definition of the format, sections 4 and 6.
"""

import math
import re
from collections.abc import Sequence

from napari_fetal_iqa.io.formats.axes import (
    MAX_CHANNELS,
    UNKNOWN_KINDS,
    Axes,
    AxesError,
    Role,
    find_axes,
    roles_of_kinds,
)
from napari_fetal_iqa.io.formats.text_header import TextHeader
from napari_fetal_iqa.sweep import known_spacing

MAX_DIMENSIONS = 16
"""Teem's own bound."""

MILLIMETRES = {
    "": 1.0,
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 10.0),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1000.0),
    **dict.fromkeys(("um", "micron", "microns", "micrometer", "micrometers"), 0.001),
}
"""How many mm a unit has; files without a unit are in mm by custom."""

TIMES = ("s", "sec", "second", "seconds", "ms", "msec", "us", "usec")
"""Units of an axis of time."""


def nrrd_axes(header: TextHeader) -> Axes:
    """Return which axis is which: by kinds, units, spacings and directions, as far as they say.

    Raises
    ------
    SweepError
        Where it cannot be told.
    """
    (dimensions,) = header.whole_numbers("dimension", 1)
    if not 2 <= dimensions <= MAX_DIMENSIONS:
        raise header.wrong("dimension", f"2 to {MAX_DIMENSIONS}")
    sizes = header.whole_numbers("sizes", dimensions)
    try:
        return find_axes(sizes, _roles(header, sizes))
    except AxesError as error:
        raise header.untold(error) from None


def _roles(header: TextHeader, sizes: Sequence[int]) -> list[Role]:
    kinds = header.get("kinds").lower().split() or [""] * len(sizes)
    roles = roles_of_kinds(kinds, sizes)
    units = _quoted(header.get("units"))
    steps = _directions(header) or _numbers(header, "spacings")
    # Of two axes at least a step must be known, before one without says anything.
    partly = len(steps) == len(sizes) and sum(map(math.isfinite, steps)) > 1
    for axis, role in enumerate(roles):
        if role == "space" and len(units) == len(sizes) and units[axis] in TIMES:
            roles[axis] = "frames"
        elif kinds[axis] in UNKNOWN_KINDS and partly and not math.isfinite(steps[axis]):
            roles[axis] = "aside"
    if len(sizes) > 2 and kinds[0] in UNKNOWN_KINDS and roles[0] == "space":
        if 1 < sizes[0] <= MAX_CHANNELS:
            raise AxesError(f"a first axis of {sizes[0]} that may be colours or columns")
        if sizes[0] == 1:  # one channel; a picture of one column is no picture
            roles[0] = "channels"
    return roles


def steps_by_directions(header: TextHeader, axes: Axes) -> tuple[float, float] | None:
    """Return the steps along rows and columns in mm by the space directions, if these say so."""
    return _of_plane(_directions(header), axes)


def steps_by_spacings(header: TextHeader, axes: Axes) -> tuple[float, float] | None:
    """Return the steps along rows and columns in mm by the spacings, if these say so."""
    steps = _numbers(header, "spacings")
    units = _quoted(header.get("units") or header.get("space units"))
    scales = _scales(units, len(axes.sizes), sorted((axes.columns, axes.rows)))
    return _of_plane([step * scale for step, scale in zip(steps, scales, strict=False)], axes)


def _scales(units: Sequence[str], dimensions: int, plane: Sequence[int]) -> list[float]:
    """Return the mm of each axis' unit: one a axis, or one a axis of space."""
    if len(units) == dimensions or not units:
        return [MILLIMETRES.get(unit, math.nan) for unit in units or [""] * dimensions]
    scales = [math.nan] * dimensions
    if len(set(units)) == 1 or len(units) == 1:
        return [MILLIMETRES.get(units[0], math.nan)] * dimensions
    for axis, unit in zip(plane, units, strict=False):
        scales[axis] = MILLIMETRES.get(unit, math.nan)
    return scales


def _of_plane(steps: Sequence[float], axes: Axes) -> tuple[float, float] | None:
    if len(steps) != len(axes.sizes):
        return None
    return known_spacing(steps[axes.rows], steps[axes.columns])


def _directions(header: TextHeader) -> list[float]:
    """Return the length of each axis' direction in mm, nan where there is none."""
    vectors = re.findall(r"none|\([^)]*\)", header.get("space directions").lower())
    units = _quoted(header.get("space units"))
    lengths = []
    for vector in vectors:
        try:
            parts = [float(part) for part in vector.strip("()").split(",")]
        except ValueError:
            parts = [math.nan]
        scales = [MILLIMETRES.get(unit, math.nan) for unit in units] or [1.0] * len(parts)
        # A direction of 0 in a unit that is not one of length, such as that of time, is 0.
        scaled = [p * s if p else 0.0 for p, s in zip(parts, scales, strict=False)]
        lengths.append(math.hypot(*scaled))
    return lengths


def _numbers(header: TextHeader, key: str) -> list[float]:
    try:
        return [float(word) for word in header.words(key)]
    except ValueError:
        return []


def _quoted(text: str) -> list[str]:
    return [unit.strip().lower() for unit in re.findall(r'"([^"]*)"', text)]
