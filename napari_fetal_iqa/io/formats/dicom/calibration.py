"""Millimetres per pixel of a DICOM image, and why they are not known (PS3.3, C.8.5.5 and C.7.6.16).

An ultrasound region that shows tissue carries its own scale. Two scales in one frame are two
pictures, and only the one that holds the fan counts.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from napari_fetal_iqa.io.formats.dicom.elements import DataSet, Element
from napari_fetal_iqa.io.formats.dicom.regions import (
    Picture,
    Region,
    Spacing,
    holds_the_fan,
    is_scanners,
    miss_the_picture,
    reach_beyond,
    same_scale,
)
from napari_fetal_iqa.io.formats.spacing import is_pixel_size
from napari_fetal_iqa.sweep import known_spacing

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

MAX_SPACING_BYTES = 256
"""Of one value of PixelSpacing: two numbers of 16 letters, and blanks."""

PLACEHOLDERS_MM: tuple[Spacing, ...] = ((1.0, 1.0), (10.0, 10.0))
"""1 of a millimetre and of a centimetre, the unit of regions: no scanner's pixel is as large."""

MOST = 64
"""Regions, and different spacings, that are looked at; a scanner writes a handful of the one, and
one of the other."""


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
    absurd : bool
        Whether there is a scale or spacing that no scanner has; it is in neither of the above.
    """

    regions: tuple[Region, ...] = ()
    spacings: tuple[Spacing, ...] = ()
    comma: bool = False
    absurd: bool = False


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
    comma = absurd = False
    for element in _pixel_spacings(header, found, end):
        numbers = header.numbers(element) if element.length <= MAX_SPACING_BYTES else []
        spacing = known_spacing(*numbers) if len(numbers) == 2 else None
        if spacing and not is_pixel_size(spacing):
            spacing, absurd = None, True
        if spacing and not any(same_scale(spacing, other) for other in spacings):
            spacings.append(spacing)
            if len(spacings) == MOST:
                break
            comma |= element.vr in ("", "DS") and b"," in header.value(element)
    regions = []
    for start, stop in islice(header.items(found.get(REGIONS), end), MOST):
        if region := _region(header, header.pick(start, stop, _OF_REGION)):
            if region.spacing_mm and not is_scanners(region):
                region, absurd = Region(region.rows, region.columns, None), True
            regions.append(region)
    return Calibration(tuple(regions), tuple(spacings), comma, absurd)


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


def spacing_of(calibration: Calibration, picture: Picture) -> tuple[Spacing | None, str]:
    """Return millimetres per pixel along rows and columns, and what is to be said of them.

    That of the regions calibrated in cm where all have one scale; of several scales that of the
    region in which the fan certainly lies; without such regions that of PixelSpacing. None where
    it is not known. Of one that looks like a placeholder that is said, wherever it comes from.

    Parameters
    ----------
    calibration : Calibration
    picture : Picture
        Looked at in full only where regions differ, or seem to lie elsewhere.
    """
    spacing, note = _of_regions_or_header(calibration, picture)
    return spacing, "; ".join(filter(None, (note, _placeholder_note(spacing))))


def _placeholder_note(spacing: Spacing | None) -> str:
    """Return what is to be said of a spacing that programs write where they know none."""
    for placeholder in PLACEHOLDERS_MM:
        if same_scale(spacing, placeholder):
            return (
                f"{placeholder[0]:g} mm is what programs write that know no spacing; compare with "
                f"a scale"
            )
    return ""


def _of_regions_or_header(calibration: Calibration, picture: Picture) -> tuple[Spacing | None, str]:
    scales: list[Spacing] = []
    for region in calibration.regions:
        if region.spacing_mm and not any(same_scale(region.spacing_mm, scale) for scale in scales):
            scales.append(region.spacing_mm)
    if not scales:
        return _pixel_spacing(calibration)
    if reach_beyond(calibration.regions, picture):
        return None, "an ultrasound region reaches beyond the frame, which was cut or scaled since"
    if len(scales) == 1 and miss_the_picture(calibration.regions, picture):
        return None, "the fan does not lie in the ultrasound region, so that its scale is another's"
    if len(scales) == 1 and all(region.spacing_mm for region in calibration.regions):
        return scales[0], ""
    if len(scales) == 1:
        return _beside_unscaled(scales[0], calibration.regions, picture)
    several = f"{len(scales)} ultrasound regions of different scale"
    for scale in scales:
        if holds_the_fan(scale, calibration.regions, picture):
            return scale, f"{several}; that of the region in which the fan lies"
    return None, f"{several}, and the fan does not lie in one of them alone"


def _beside_unscaled(
    scale: Spacing, regions: Sequence[Region], picture: Picture
) -> tuple[Spacing | None, str]:
    """Return the scale of some regions where others have none, but not where the fan has none."""
    if holds_the_fan(scale, regions, picture):
        return scale, ""
    if holds_the_fan(None, regions, picture):
        return None, "the fan lies in an ultrasound region that has no scale"
    return scale, "there is an ultrasound region without a scale; that of the others"


def _pixel_spacing(calibration: Calibration) -> tuple[Spacing | None, str]:
    if not calibration.spacings:
        return None, "the header gives a scale that no scanner has" if calibration.absurd else ""
    if len(calibration.spacings) > 1:
        return None, f"the header gives {len(calibration.spacings)} different spacings"
    (spacing,) = calibration.spacings
    if calibration.comma:
        return spacing, "its decimal commas were read as points"
    return spacing, ""
