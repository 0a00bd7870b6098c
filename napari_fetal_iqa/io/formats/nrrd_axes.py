"""What the per-axis fields of a NRRD header say: which axis is which, and how long its steps are.

Fields and kinds are those of Teem's definition of the format, sections 4 and 6.
"""

import math
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

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

FRAME_LABELS = ("frame", "frames", "time", "t")

PLANE_LABELS = (
    *("x", "y", "column", "columns", "row", "rows", "width", "height", "lateral", "axial"),
)
"""Labels of the axes of a picture."""

CENTERS = ("cell", "node")
"""Where the samples of an axis of space lie."""

SPACES_WITH_TIME = ("rast", "last", "lpst")
"""Short names of spaces whose last component is time; the long ones end in ``-time``."""


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
    kinds = _words(header.get("kinds")) or [""] * len(sizes)
    roles = roles_of_kinds(kinds, sizes)
    units = _words(header.get("units"))
    labels = _labels(header)
    vectors = _vectors(header)
    steps = _directions(header) or _numbers(header, "spacings")
    # Of two axes at least a step must be known, before one without says anything.
    partly = len(steps) == len(sizes) and sum(map(math.isfinite, steps)) > 1
    for axis, role in enumerate(roles):
        if role == "space" and (
            (len(units) == len(sizes) and units[axis] in TIMES)
            or (len(labels) == len(sizes) and labels[axis] in FRAME_LABELS)
            or (len(vectors) == len(sizes) and _along_time(header, vectors[axis]))
        ):
            roles[axis] = "frames"
        elif kinds[axis] in UNKNOWN_KINDS and partly and not math.isfinite(steps[axis]):
            roles[axis] = "aside"
        elif kinds[axis] in UNKNOWN_KINDS and partly and vectors and steps[axis] == 0 and axis < 2:
            raise AxesError("a direction of length 0 that may be that of frames")
    # One channel, where other axes are named as columns and rows.
    if sizes[0] == 1 and kinds[0] in UNKNOWN_KINDS and len(set(kinds)) > 1 and roles[0] == "space":
        roles[0] = "channels"
    return with_frames_told(roles, sizes, _fields(header, kinds))


def _fields(
    header: TextHeader, kinds: Sequence[str]
) -> Iterator[tuple[Sequence[str], Collection[str]]]:
    """Yield the words of the fields that tell axes of space from others, and which words do so."""
    yield known_kinds(kinds), KINDS_OF_SPACE
    units = _words(header.get("units"))
    if len(units) == len(kinds):
        lengths = any(unit in LENGTHS for unit in units)
        yield units, LENGTHS if lengths else PIXELS
    vectors = _vectors(header)
    steps = vectors or [[step] for step in _numbers(header, "spacings")]
    for words, told in (
        (_labels(header), PLANE_LABELS),
        (_words(header.get("centers") or header.get("centerings")), CENTERS),
        ([_unit_along(header, vector) for vector in vectors], LENGTHS),
        (["step" if all(map(math.isfinite, step)) else "" for step in steps], ("step",)),
    ):
        # These say nothing, unless they say it of two.
        if len(words) == len(kinds) and sum(word in told for word in words) > 1:
            yield words, told


def _labels(header: TextHeader) -> list[str]:
    """Return the first word of each label, as of "time (s)" or "frame number"."""
    return ["".join(re.findall(r"\w+", label)[:1]) for label in _words(header.get("labels"))]


def _unit_along(header: TextHeader, vector: Sequence[float]) -> str:
    """Return the unit of a direction, "" where it has several, or is none."""
    units = _words(header.get("space units"))
    along = {unit for unit, part in zip(units, vector, strict=False) if part}
    return along.pop() if len(along) == 1 else ""


def steps_by_directions(header: TextHeader, axes: Axes) -> tuple[float, float] | None:
    """Return the steps along rows and columns in mm by the space directions, if these say so."""
    return _of_plane(_directions(header), axes)


def steps_by_spacings(header: TextHeader, axes: Axes) -> tuple[float, float] | None:
    """Return the steps along rows and columns in mm by the spacings, if these say so."""
    steps = _numbers(header, "spacings")
    units = _words(header.get("units") or header.get("space units"))
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
    units = _words(header.get("space units"))
    lengths = []
    for parts in _vectors(header):
        scales = [MILLIMETRES.get(unit, math.nan) for unit in units] or [1.0] * len(parts)
        # A direction of 0 in a unit that is not one of length, such as that of time, is 0.
        scaled = [p * s if p else 0.0 for p, s in zip(parts, scales, strict=False)]
        lengths.append(math.nan if _along_time(header, parts) else math.hypot(*scaled))
    return lengths


def _vectors(header: TextHeader) -> list[list[float]]:
    """Return the direction of each axis, a single nan where there is none."""
    vectors = []
    for vector in re.findall(r"none|\([^)]*\)", header.get("space directions").lower()):
        try:
            vectors.append([float(part) for part in vector.strip("()").split(",")])
        except ValueError:
            vectors.append([math.nan])
    return vectors


def _along_time(header: TextHeader, vector: Sequence[float]) -> bool:
    """Whether a direction has a component of time."""
    units = _words(header.get("space units"))
    space = header.get("space").strip('"').lower()
    timed = [unit in TIMES for unit in units[: len(vector)]]
    timed += [False] * (len(vector) - len(timed))
    if space.endswith("-time") or space in SPACES_WITH_TIME:
        timed[3:4] = [True] * (len(vector) > 3)
    return any(is_time and part for is_time, part in zip(timed, vector, strict=True))


def _numbers(header: TextHeader, key: str) -> list[float]:
    try:
        return [float(word) for word in header.words(key)]
    except ValueError:
        return []


def _words(text: str) -> list[str]:
    """Return the words of a field for each axis, which some writers quote and others do not."""
    with suppress(UnicodeDecodeError):  # headers are read as Latin-1; most are written as UTF-8
        text = text.encode("latin-1").decode()
    return [word.strip('"').strip().lower() for word in re.findall(r'"[^"]*"|[^\s"]+', text)]
