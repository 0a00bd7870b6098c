"""What PLUS, 3D Slicer (SlicerIGSIO) and Ibis write into the headers of tracked sweeps.

The fields are those of PLUS's page "Sequence file" (MetaImage and NRRD alike), the orientation
that of its page "Ultrasound image orientation".
"""

import math
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from napari_fetal_iqa.io.formats.spacing import Spacing, agree
from napari_fetal_iqa.io.formats.text_header import TextHeader

TRANSFORM = re.compile(r"((?:Seq_Frame\d+_)?Image\d*To\w+Transform)$")
"""The matrices from pixels to the tracker's millimetres, of one frame or of all."""

NO_ORIENTATION = ("", "XX", "XXX")
"""Nobody told PLUS how the probe was held."""


@dataclass(frozen=True)
class Orientation:
    """How stored frames must be turned: first rows and columns swapped, then each reversed."""

    swapped: bool = False
    flip_rows: bool = False
    flip_columns: bool = False


def read_orientation(letters: str) -> Orientation:
    """Return how frames must be turned, so that they are seen as PLUS itself shows them: MF.

    The first letter tells where the image's x axis points, the second where y does: to the
    marked (M) or unmarked (U) side of the probe, far (F) from it or near (N) to it. So in MF the
    skin is the first row, and the marked side the last column. RF-like images (FM) have the two
    swapped. A third letter (A, D) orders the slices of a 3-D probe, which stay as they are.

    Raises
    ------
    ValueError
        Where it is no such orientation.
    """
    word = letters.strip().upper()
    if word in NO_ORIENTATION:
        return Orientation()
    if not re.fullmatch(r"([MU][FN]|[FN][MU])[AD]?", word):
        raise ValueError("no orientation of PLUS")
    return Orientation(
        swapped=word[0] in "FN", flip_rows="N" in word[:2], flip_columns="U" in word[:2]
    )


def orientation_of(header: TextHeader) -> Orientation:
    """Return how the frames of a file must be turned.

    Raises
    ------
    SweepError
        Where the orientation is none of PLUS's, or the frames are no pictures.
    """
    if header.get("UltrasoundImageType").upper().startswith("RF"):
        raise header.wrong("UltrasoundImageType", "BRIGHTNESS, as RF lines are no picture")
    try:
        return read_orientation(header.get("UltrasoundImageOrientation"))
    except ValueError:
        raise header.wrong("UltrasoundImageOrientation", "one of PLUS's, such as MF") from None


def turned(
    spacing_mm: tuple[float, float] | None, orientation: Orientation
) -> tuple[float, float] | None:
    """Return the spacing of frames, along rows and columns, after they were turned."""
    if spacing_mm is None or not orientation.swapped:
        return spacing_mm
    return spacing_mm[1], spacing_mm[0]


def spacing_of_transforms(fields: Mapping[str, str]) -> Spacing:
    """Return the size of a pixel by the image-to-tracker matrices, along rows and columns.

    Frames without a valid matrix are passed over. There is none where no frame has one; and with
    a note where those of the frames differ.
    """
    found = list(_pixel_sizes(fields))
    if not found:
        return Spacing()
    row, column = (statistics.median(sizes) for sizes in zip(*found, strict=True))
    if not all(agree(size, (row, column)) for size in found):
        return Spacing(None, "the image-to-tracker transforms of its frames differ in scale")
    # Written with six digits, so that 0.2 is not 0.19999999999999998 after the root.
    return Spacing((float(f"{row:.6g}"), float(f"{column:.6g}")))


def _pixel_sizes(fields: Mapping[str, str]) -> Iterable[tuple[float, float]]:
    for key, value in fields.items():
        if not TRANSFORM.fullmatch(key) or fields.get(f"{key}Status", "OK") != "OK":
            continue
        try:
            matrix = [float(word) for word in value.split()]
        except ValueError:
            continue
        if len(matrix) != 16:
            continue
        # Row by row: the image of a step of one pixel along x, and along y, is a column.
        column, row = (math.hypot(*matrix[axis:12:4]) for axis in (0, 1))
        if 0 < row < math.inf and 0 < column < math.inf:
            yield row, column
