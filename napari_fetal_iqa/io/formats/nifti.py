"""NIfTI files (``.nii``, ``.nii.gz``): read or inflated as they are looked at.

nibabel parses and checks the header; the pixels are never read through it, so that they are
read or inflated as they are looked at, as those of every other format. Importing it takes a
fifth of a second, which is paid with the first NIfTI only: :mod:`napari_fetal_iqa.io.read` imports
this module no sooner.
"""

import logging
import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.axes import MAX_CHANNELS, Axes, AxesError, Role, find_axes
from napari_fetal_iqa.io.formats.pixel_block import PixelBlock
from napari_fetal_iqa.io.formats.spacing import Spacing, believed
from napari_fetal_iqa.sweep import SweepVolume, known_spacing

MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""How many mm a unit of length has; files without a unit are in mm by custom."""

MAX_OFFSET = 1 << 30
"""Where the pixels begin at the latest: extensions of the header are no larger than 1 GiB."""

VALUES_AXIS = 4
"""Number of the axis along which the values of one pixel lie (nifti1.h, "dim[5]")."""

COLOUR_INTENTS = (1007, 2003, 2004)
"""Codes of the intents VECTOR, which ITK writes for colour, RGB_VECTOR and RGBA_VECTOR."""

SCANNER = 1
"""Code of an s-form in the scanner's own millimetres."""

SFORM_AXES = 3
"""The s-form's columns that are steps, one for each of the first axes; the fourth is the origin."""

_UNHEARD = logging.getLogger(f"{__name__}.header")
"""Drops nibabel's warnings: its own logger prints them, with text of the header in them."""
_UNHEARD.setLevel(logging.CRITICAL)


def read_nifti(path: Path) -> SweepVolume:
    """Read a ``.nii`` or ``.nii.gz`` file: columns, rows and frames are its first three axes.

    Axes of length 1 are passed over, so that a cine stored along the fourth axis is read, too. A
    fifth axis of 3 or 4 is the colour, where the intent says so.

    Raises
    ------
    SweepError
        Where the header is damaged or not supported, or the pixels are too short.
    """
    with path.open("rb") as file:
        start = file.read(1 << 12)
    compressed = start[:2] == b"\x1f\x8b"
    if compressed:
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, 1 << 10)
        except zlib.error:
            start = b""
    header = _parse_header(path, start)
    dtype, channels = _pixel_type(path, header)
    axes = _axes(path, header, coloured=channels > 1)
    block = _pixel_block(path, header, compressed, dtype, channels, axes)
    spacing = _spacing(header, axes)
    return SweepVolume(
        block.open(),
        spacing_mm=spacing.mm,
        name=re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE),
        source_format=f"NIfTI, {block.encoding}",
        path=path,
        spacing_note=spacing.note,
    )


def _parse_header(path: Path, start: bytes) -> Nifti1Header:
    """Return the header that a file starts with, as it stands in the file."""
    for kind in (Nifti1Header, Nifti2Header):
        if len(start) < kind.sizeof_hdr:
            continue
        header = kind(start[: kind.sizeof_hdr], check=False)
        if header["sizeof_hdr"] == kind.sizeof_hdr and header["magic"] == kind.single_magic:
            return header
    raise SweepError(
        f"{path.name}: expected a NIfTI-1 or NIfTI-2 header with its pixels in one file, found "
        f"none; copy the file again, or save header and image as one .nii"
    )


def _pixel_block(
    path: Path,
    header: Nifti1Header,
    compressed: bool,
    dtype: np.dtype[Any],
    channels: int,
    axes: Axes,
) -> PixelBlock:
    offset = float(header["vox_offset"])
    if not header.single_vox_offset <= offset <= MAX_OFFSET:  # nan, too
        raise SweepError(f"{path.name}: NIfTI header is damaged (vox_offset); copy the file again")
    try:
        # A copy, because the check also mends: a spacing of 0 would become 1 mm.
        header.copy().check_fix(logger=_UNHEARD)
    except HeaderDataError as error:
        raise SweepError(f"{path.name}: NIfTI header is damaged; copy the file again") from error
    slope, intercept = _scale(header) if channels == 1 else (1.0, 0.0)
    return PixelBlock(
        path=path,
        shape=axes.shape,
        dtype=dtype,
        channels=channels * axes.n_channels,
        encoding="gzip" if compressed else "raw",
        offset=0 if compressed else int(offset),
        skip=int(offset) if compressed else 0,
        slope=slope,
        intercept=intercept,
        order=axes.order,
    )


def _pixel_type(path: Path, header: Nifti1Header) -> tuple[np.dtype[Any], int]:
    """Return the number type of the pixels, with its byte order, and the number of channels."""
    try:
        dtype = header.get_data_dtype()
    except KeyError:  # a code that the standard has not
        dtype = np.dtype(np.void)
    channels = len(dtype.names or "1")
    number = dtype[0] if dtype.names else dtype  # RGB and RGBA are records of uint8
    if number.kind not in "iuf" or number.itemsize > 8:  # complex, bits, and 128-bit floats
        raise SweepError(
            f"{path.name}: expected pixels of a number type, found NIfTI datatype "
            f"{header['datatype']}; save the volume again as uint8"
        )
    return number, channels


def _scale(header: Nifti1Header) -> tuple[float, float]:
    """Return slope and intercept; those that mean nothing are passed over."""
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError:  # the intercept is not finite
        slope = None
    return (1.0, 0.0) if slope is None else (slope, intercept)


def _spacing(header: Nifti1Header, axes: Axes) -> Spacing:
    """Return the spacing of pixdim, unless the s-form knows better."""
    # The code of the length alone: get_xyzt_units stumbles over unknown units of time.
    scale = MILLIMETRES.get(int(header["xyzt_units"]) & 7, math.nan)
    _, *steps = header["pixdim"].tolist()
    stated = known_spacing(_single(steps[axes.rows]), _single(steps[axes.columns]))
    if stated is None:  # damaged: the s-form is no better
        return Spacing()
    by_sform = Spacing(_sform_steps(header, axes, stated))
    return believed(stated, by_sform, "pixdim", "its s-form", scale)


def _sform_steps(
    header: Nifti1Header, axes: Axes, stated: tuple[float, float]
) -> tuple[float, float] | None:
    """Return the steps along rows and columns by the s-form, where it is one of the scanner's.

    One of another code maps to a template, and may scale: it counts only against a placeholder.
    It knows nothing of the fourth and later axes.
    """
    if max(axes.rows, axes.columns) >= SFORM_AXES:
        return None
    code = int(header["sform_code"])
    if code < 1 or (code != SCANNER and stated != (1, 1)):
        return None
    vectors = zip(*(header[f"srow_{axis}"].tolist() for axis in "xyz"), strict=True)
    steps = [_single(math.hypot(*vector)) for vector in vectors]
    return known_spacing(steps[axes.rows], steps[axes.columns])


def _single(step: float) -> float:
    """Return a step as it was written: NIfTI-1 keeps single precision, 0.28 not 0.2800000011."""
    return float(f"{step:.7g}")


def _axes(path: Path, header: Nifti1Header, coloured: bool) -> Axes:
    """Return which axis is which: columns, rows, depth, time, and fifth the values of a pixel."""
    # Not get_data_shape, which takes some sizes for the surfaces of FreeSurfer.
    dimensions, *sizes = header["dim"].tolist()
    sizes = sizes[: max(dimensions, 0)]
    try:
        if not 2 <= dimensions <= 7 or min(sizes) < 1:
            raise AxesError(f"{dimensions} axes, or one without a length")
        roles: list[Role] = ["space"] * dimensions
        values = sizes[VALUES_AXIS] if dimensions > VALUES_AXIS else 1
        colour_intent = int(header["intent_code"]) in COLOUR_INTENTS
        if 1 < values <= MAX_CHANNELS:
            if coloured or not colour_intent or values < 3:
                raise AxesError(f"a fifth axis of {values} that is none of a colour")
            roles[VALUES_AXIS] = "channels"
        elif colour_intent and values > 1:
            raise AxesError(f"colours of {values} channels")
        elif colour_intent and not coloured and 1 < max(sizes[2:], default=1) <= MAX_CHANNELS:
            raise AxesError(f"{max(sizes[2:])} frames or colours, elsewhere than on a fifth axis")
        return find_axes(sizes, roles, coloured)
    except AxesError as error:
        raise SweepError(
            f"{path.name}: expected columns, rows and frames, and colours at most, found {error}; "
            f"choose a file that holds one sweep"
        ) from None
