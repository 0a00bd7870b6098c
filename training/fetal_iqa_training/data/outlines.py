"""Outlines of abdomens on standard planes: a table of ellipses, one a file.

::

    file,subject,cx,cy,a,b,angle_deg,pass,comment

Pixels of the image's original, unstretched shape; the origin is the centre of the top left pixel,
x runs to the right and y down. A row whose outline cannot be told has no numbers and a comment.
"""

import csv
import math
from dataclasses import dataclass
from math import radians
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.geometry.ellipse import ramanujan_perimeter, to_axes

SHIPPED = Path(__file__).parents[1] / "outlines" / "abdomens.csv"
"""Outlines of the abdomens of FETAL_PLANES_DB, drawn by engineers; CC BY 4.0."""
COLUMNS = ("file", "subject", "cx", "cy", "a", "b", "angle_deg", "pass", "comment")


@dataclass(frozen=True)
class PlaneEllipse:
    """An ellipse in pixels of an image.

    Parameters
    ----------
    cx, cy : float
        Centre; x to the right, y down, 0 in the centre of the top left pixel.
    a, b : float
        Semi-axes.
    angle_deg : float
        Of the axis ``a`` from the x axis, clockwise in the image, as OpenCV counts.
    """

    cx: float
    cy: float
    a: float
    b: float
    angle_deg: float = 0.0

    @property
    def angle_rad(self) -> float:
        """``angle_deg`` in radians."""
        return radians(self.angle_deg)

    @property
    def circumference(self) -> float:
        """In pixels, by Ramanujan's first formula."""
        return ramanujan_perimeter(self.a, self.b)

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the pixels of a (H, W) image that lie inside, as a bool array."""
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        u, v = to_axes((self.a, self.b), self.angle_rad, columns - self.cx, rows - self.cy)
        return np.asarray(u**2 + v**2 <= 1)


def read_outlines(path: Path | None = None, which: str | None = None) -> dict[str, PlaneEllipse]:
    """Read a table of outlines; of a file that was outlined several times, the first pass.

    Parameters
    ----------
    path : Path, optional
        By default the outlines that come with the program.
    which : str, optional
        The pass to read instead: ``"2"`` for those that were drawn again, blind to the first.

    Returns
    -------
    dict
        Ellipse by name of the file; files whose outline cannot be told are not in it.

    Raises
    ------
    TrainingError
        Where the table is not there, lacks a column, or has a line that is no ellipse.
    """
    path = path or SHIPPED
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: no table of outlines to read ({error}); name one") from None
    reader = csv.DictReader(text.splitlines())
    if lacking := set(COLUMNS) - set(reader.fieldnames or ()):
        raise TrainingError(f"{path}: expected a column {min(lacking)!r}; get the table anew")
    passes: dict[str, tuple[str, PlaneEllipse]] = {}
    for number, line in enumerate(reader, start=2):
        if not line["a"] or (which is not None and line["pass"] != which):
            continue
        try:
            ellipse = PlaneEllipse(*(float(line[name]) for name in COLUMNS[2:7]))
        except (TypeError, ValueError):
            raise TrainingError(f"{path}: line {number} has no numbers; correct it") from None
        finite = all(map(math.isfinite, (ellipse.cx, ellipse.cy, ellipse.angle_deg)))
        if not finite or not 0 < min(ellipse.a, ellipse.b) <= max(ellipse.a, ellipse.b) < 10_000:
            raise TrainingError(f"{path}: line {number} is no ellipse; correct it")
        known = passes.get(line["file"])
        if known is None or line["pass"] < known[0]:
            passes[line["file"]] = line["pass"], ellipse
    return {name: ellipse for name, (_, ellipse) in passes.items()}
