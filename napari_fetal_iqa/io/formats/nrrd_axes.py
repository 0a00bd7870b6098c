"""What the per-axis fields of a NRRD header say: which axis is which, and how long its steps are.

Fields and kinds are those of Teem's definition of the format, sections 4 and 6.
"""

import math
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import cycle, islice

from napari_fetal_iqa.io.formats.axes import (
    KINDS_OF_SPACE,
    UNKNOWN_KINDS,
    Axes,
    AxesError,
    Role,
    find_axes,
    known_kinds,
    roles_of_kinds,
    with_frames_told,
)
from napari_fetal_iqa.io.formats.axis_labels import PLANE, as_named, check_steps, names_of, words_of
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
    **dict.fromkeys(("\u00b5m", "\u03bcm", "micrometre", "micrometres"), 0.001),
}
"""How many mm a unit has; files without a unit are in mm by custom."""

LENGTHS = (*filter(None, MILLIMETRES), "nm", "km", "in", "inch", "inches", "furlong")
"""Units of an axis of space."""

PIXELS = ("px", "pixel", "pixels", "voxel", "voxels")
"""Units of an axis of space, where none has a length."""

TIMES = (
    *("h", "hr", "hour", "hours", "min", "minute", "minutes"),
    *("s", "sec", "sec.", "secs", "second", "seconds", "time", "frame", "frames"),
    *("ms", "msec", "msecs", "millisec", "millisecond", "milliseconds"),
    *("us", "usec", "\u00b5s", "\u03bcs", "microsecond", "microseconds"),
    *("ns", "nsec", "nanosecond", "nanoseconds"),
)
"""Units of an axis of time."""

CENTERS = ("cell", "node")
"""Where the samples of an axis of space lie."""

SPACES_WITH_TIME = ("rast", "last", "lpst")
"""Short names of spaces whose last component is time; the long ones end in ``-time``."""


def nrrd_axes(header: TextHeader) -> Axes:
    """Return which axis is which: by kinds, units, labels, spacings and directions.

    Raises
    ------
    SweepError
        Where it cannot be told.
    """
    (dimensions,) = header.whole_numbers("dimension", 1)
    if not 2 <= dimensions <= MAX_DIMENSIONS:
        raise header.wrong("dimension", f"2 to {MAX_DIMENSIONS}")
    sizes = header.whole_numbers("sizes", dimensions)
    labels = words_of(header.get("labels"))
    try:
        roles = _roles(header, sizes)
        axes = as_named(find_axes(sizes, roles), names_of(labels))
        if axes.frames is not None and roles[axes.frames] == "space":
            check_steps(axes, _directions(header) or header.numbers("spacings"), labels)
        return axes
    except AxesError as error:
        raise header.untold(error) from None


def _roles(header: TextHeader, sizes: Sequence[int]) -> list[Role]:
    kinds = words_of(header.get("kinds")) or [""] * len(sizes)
    roles = roles_of_kinds(kinds, sizes)
    units = words_of(header.get("units"))
    names = names_of(words_of(header.get("labels")))
    space = _Space(header)
    vectors = _vectors(header)
    steps = _directions(header) or header.numbers("spacings")
    # Of two axes at least a step must be known, before one without says anything.
    partly = len(steps) == len(sizes) and sum(map(math.isfinite, steps)) > 1
    for axis, role in enumerate(roles):
        if role == "space" and (
            (len(units) == len(sizes) and units[axis] in TIMES)
            or (len(names) == len(sizes) and names[axis] == "frames")
            or (len(vectors) == len(sizes) and space.is_time(vectors[axis]))
        ):
            roles[axis] = "frames"
        elif kinds[axis] in UNKNOWN_KINDS and partly and not math.isfinite(steps[axis]):
            roles[axis] = "aside"
        elif kinds[axis] in UNKNOWN_KINDS and partly and vectors and steps[axis] == 0 and axis < 2:
            raise AxesError("a direction of length 0 that may be that of frames")
    # One channel, where other axes are named as columns and rows.
    if sizes[0] == 1 and kinds[0] in UNKNOWN_KINDS and len(set(kinds)) > 1 and roles[0] == "space":
        roles[0] = "channels"
    return with_frames_told(roles, sizes, _fields(header, kinds, names))


def _fields(
    header: TextHeader, kinds: Sequence[str], names: Sequence[str]
) -> Iterator[tuple[Sequence[str], Collection[str]]]:
    """Yield the words of the fields that tell axes of space from others, and which words do so."""
    yield known_kinds(kinds), KINDS_OF_SPACE
    units = words_of(header.get("units"))
    if len(units) == len(kinds):
        lengths = any(unit in LENGTHS for unit in units)
        yield units, LENGTHS if lengths else PIXELS
    space = _Space(header)
    vectors = _vectors(header)
    steps = vectors or [[step] for step in header.numbers("spacings")]
    for words, told in (
        (names, PLANE),
        (words_of(header.get("centers") or header.get("centerings")), CENTERS),
        ([space.unit_along(vector) for vector in vectors], LENGTHS),
        (["step" if all(map(math.isfinite, step)) else "" for step in steps], ("step",)),
    ):
        # These say nothing, unless they say it of two.
        if len(words) == len(kinds) and sum(word in told for word in words) > 1:
            yield words, told


class _Space:
    """The components of directions: their units, and which of them are time."""

    def __init__(self, header: TextHeader) -> None:
        self.units = words_of(header.get("space units"))
        space = header.get("space").strip('"').lower()
        self._timed = {n for n, unit in enumerate(self.units) if unit in TIMES}
        if space.endswith("-time") or space in SPACES_WITH_TIME:
            self._timed.add(3)

    def unit_along(self, vector: Sequence[float]) -> str:
        """Return the unit of a direction, "" where it has several, or is none."""
        along = {unit for unit, part in zip(self.units, vector, strict=False) if part}
        return along.pop() if len(along) == 1 else ""

    def is_time(self, vector: Sequence[float]) -> bool:
        """Return whether a direction has a component of time."""
        return any(part and n in self._timed for n, part in enumerate(vector))


def steps_by_directions(header: TextHeader, axes: Axes) -> tuple[float, float] | None:
    """Return the steps along rows and columns in mm by the space directions, if these say so."""
    return _of_plane(_directions(header), axes)


def steps_by_spacings(header: TextHeader, axes: Axes) -> tuple[float, float] | None:
    """Return the steps along rows and columns in mm by the spacings, if these say so."""
    steps = header.numbers("spacings")
    units = words_of(header.get("units") or header.get("space units"))
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
    """Return the length of each axis' direction in mm, nan where there is none or it is time."""
    space = _Space(header)
    lengths = []
    for parts in _vectors(header):
        scales = [MILLIMETRES.get(unit, math.nan) for unit in space.units[: len(parts)]]
        # A direction of 0 in a unit that is not one of length, such as that of time, is 0.
        scaled = [p * s if p else 0.0 for p, s in zip(parts, scales or cycle([1.0]), strict=False)]
        lengths.append(math.nan if space.is_time(parts) else math.hypot(*scaled))
    return lengths


def _vectors(header: TextHeader) -> list[list[float]]:
    """Return the direction of each axis, a single nan where there is none."""
    vectors = []
    # Each axis has one, and without "(" inside of one, no place is looked at twice.
    written = re.finditer(r"none|\([^()]*\)", header.get("space directions").lower())
    for vector in islice((match[0] for match in written), MAX_DIMENSIONS + 1):
        try:
            vectors.append([float(part) for part in vector.strip("()").split(",")])
        except ValueError:
            vectors.append([math.nan])
    return vectors
