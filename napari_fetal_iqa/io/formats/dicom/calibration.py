"""Millimetres per pixel of a DICOM image, and why they are not known (PS3.3, C.8.5.5 and C.7.6.16).

An ultrasound region that shows tissue carries its own scale. Two scales in one frame are two
pictures, and only the one that holds the fan counts.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.io.formats.dicom.elements import DataSet, Element
from napari_fetal_iqa.sweep import BLACK, Frames, SweepVolume, known_spacing

Spacing = tuple[float, float]

TWO_DIMENSIONAL = 1
"""RegionSpatialFormat of a picture, not of a trace or of graphics (PS3.3, C.8.5.5.1.1)."""

CENTIMETRES = 3
"""Unit code of PhysicalUnitsXDirection and -YDirection for cm (PS3.3, C.8.5.5.1.15)."""

REGIONS, SHARED_GROUPS, FRAME_GROUPS = 0x00186011, 0x52009229, 0x52009230
PIXEL_MEASURES, PIXEL_SPACING = 0x00289110, 0x00280030
SOURCES = frozenset({REGIONS, SHARED_GROUPS, FRAME_GROUPS, PIXEL_SPACING})
"""Tags of the elements that :func:`read_calibration` takes."""

_FORMAT, _UNITS, _DELTAS = 0x00186012, (0x00186024, 0x00186026), (0x0018602C, 0x0018602E)
_CORNERS = (0x0018601A, 0x0018601E, 0x00186018, 0x0018601C)
_OF_REGION = frozenset({_FORMAT, *_UNITS, *_DELTAS, *_CORNERS})

SAME_SCALE = 0.001
"""Relative difference up to which two spacings are one, as writers round."""

MOST = 64
"""Regions, and different spacings, that are looked at; a scanner writes a handful of the one, and
one of the other."""

FAN_INSIDE, OTHERS_LIT = 0.95, 0.02
"""Share of the fan that its region must hold, and of the other regions that captions may light."""


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


@dataclass(frozen=True)
class Calibration:
    """What a header says of the size of its pixels.

    Parameters
    ----------
    regions : tuple of Region
    spacings : tuple of (float, float)
        Different ones of PixelSpacing, in the header itself and in its functional groups.
    comma : bool
        Whether PixelSpacing was written with decimal commas.
    """

    regions: tuple[Region, ...] = ()
    spacings: tuple[Spacing, ...] = ()
    comma: bool = False


def read_calibration(header: DataSet, found: dict[int, Element], end: int) -> Calibration:
    """Read the calibration of an image.

    Parameters
    ----------
    header : DataSet
    found : dict of tag to Element
        Those of :data:`SOURCES` that the image has.
    end : int
        Where its header ends.
    """
    spacings: list[Spacing] = []
    comma = False
    for element in _pixel_spacings(header, found, end):
        numbers = header.numbers(element)
        spacing = known_spacing(*numbers) if len(numbers) == 2 else None
        if spacing and not any(_same(spacing, other) for other in spacings):
            spacings.append(spacing)
            if len(spacings) == MOST:
                break
            comma |= element.vr in ("", "DS") and b"," in header.value(element)
    regions = (
        _region(header, header.pick(start, stop, _OF_REGION))
        for start, stop in islice(header.items(found.get(REGIONS), end), MOST)
    )
    return Calibration(tuple(region for region in regions if region), tuple(spacings), comma)


def _pixel_spacings(header: DataSet, found: dict[int, Element], end: int) -> Iterator[Element]:
    if PIXEL_SPACING in found:
        yield found[PIXEL_SPACING]
    for tag in (SHARED_GROUPS, FRAME_GROUPS):
        for item in header.items(found.get(tag), end):
            measures = header.pick(*item, {PIXEL_MEASURES}).get(PIXEL_MEASURES)
            for inner in header.items(measures, item[1]):
                yield from header.pick(*inner, {PIXEL_SPACING}).values()


def _region(header: DataSet, found: dict[int, Element]) -> Region | None:
    """Return a region that shows a picture, else None."""
    spatial_format = header.number(found.get(_FORMAT))
    units = [header.number(found.get(tag)) for tag in _UNITS]
    if spatial_format not in (None, TWO_DIMENSIONAL):
        return None
    deltas = [header.number(found.get(tag)) for tag in reversed(_DELTAS)]
    spacing = None
    if units == [CENTIMETRES, CENTIMETRES] and None not in deltas:
        spacing = known_spacing(*(10 * abs(delta or 0) for delta in deltas))
    if spacing is None and spatial_format is None:
        return None
    corners = [header.number(found.get(tag)) for tag in _CORNERS]
    if not all(corner is not None and 0 <= corner < math.inf for corner in corners):
        return Region(None, None, spacing)
    first_row, last_row, first_column, last_column = (int(corner or 0) for corner in corners)
    if last_row < first_row or last_column < first_column:
        return None
    return Region((first_row, last_row), (first_column, last_column), spacing)


class Picture:
    """What all frames show together, looked at when it is asked for, and once.

    Parameters
    ----------
    frames : (T, H, W) uint8 array
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames

    @cached_property
    def fan(self) -> NDArray[np.bool_]:
        """(H, W) bool: where the fan lies."""
        return SweepVolume(self._frames).field_of_view

    @cached_property
    def lit(self) -> NDArray[np.bool_]:
        """(H, W) bool: where any frame is not black; a second view may show in a few alone."""
        brightest = np.zeros(self._frames.shape[1:], np.uint8)
        for frame in self._frames:
            np.maximum(brightest, frame, out=brightest)
        return np.asarray(brightest > BLACK)


def spacing_of(calibration: Calibration, picture: Picture) -> tuple[Spacing | None, str]:
    """Return millimetres per pixel along rows and columns, and what is to be said of them.

    That of the regions calibrated in cm where all have one scale; of several scales that of the
    region in which the fan certainly lies; without such regions that of PixelSpacing. None where
    it is not known.

    Parameters
    ----------
    calibration : Calibration
    picture : Picture
        Looked at only where regions differ.
    """
    scales: list[Spacing] = []
    for region in calibration.regions:
        if region.spacing_mm and not any(_same(region.spacing_mm, scale) for scale in scales):
            scales.append(region.spacing_mm)
    if not scales:
        return _pixel_spacing(calibration)
    if len(scales) == 1 and all(region.spacing_mm for region in calibration.regions):
        return scales[0], ""
    if len(scales) == 1:
        return _beside_unscaled(scales[0], calibration.regions, picture)
    several = f"{len(scales)} ultrasound regions of different scale"
    for scale in scales:
        if _holds_the_fan(scale, calibration.regions, picture):
            return scale, f"{several}; that of the region in which the fan lies"
    return None, f"{several}, and the fan does not lie in one of them alone"


def _beside_unscaled(
    scale: Spacing, regions: Sequence[Region], picture: Picture
) -> tuple[Spacing | None, str]:
    """Return the scale of some regions where others have none, but not where the fan has none."""
    if _holds_the_fan(scale, regions, picture):
        return scale, ""
    if _holds_the_fan(None, regions, picture):
        return None, "the fan lies in an ultrasound region that has no scale"
    return scale, "there is an ultrasound region without a scale; that of the others"


def _pixel_spacing(calibration: Calibration) -> tuple[Spacing | None, str]:
    if not calibration.spacings:
        return None, ""
    if len(calibration.spacings) > 1:
        return None, f"the header gives {len(calibration.spacings)} different spacings"
    (spacing,) = calibration.spacings
    if calibration.comma:
        return spacing, "its decimal commas were read as points"
    if spacing == (1, 1):
        return spacing, "1 mm is what programs write that know no spacing; compare with a scale"
    return spacing, ""


def _holds_the_fan(scale: Spacing | None, regions: Sequence[Region], picture: Picture) -> bool:
    """Return whether the fan lies in the regions of one scale, or of none, and others are dark."""
    inside, outside = np.zeros((2, *picture.fan.shape), bool)
    for region in regions:
        if region.rows is None or region.columns is None:
            return False
        box = tuple(slice(first, last + 1) for first, last in (region.rows, region.columns))
        same = region.spacing_mm == scale or (scale and _same(region.spacing_mm, scale))
        (inside if same else outside)[box] = True
    fan, others = picture.fan, outside & ~inside
    return bool(
        np.count_nonzero(fan & inside & ~outside) >= FAN_INSIDE * np.count_nonzero(fan)
        and np.count_nonzero(picture.lit & others) <= OTHERS_LIT * np.count_nonzero(others)
    )


def _same(one: Spacing | None, other: Spacing) -> bool:
    return one is not None and all(
        math.isclose(a, b, rel_tol=SAME_SCALE) for a, b in zip(one, other, strict=True)
    )
