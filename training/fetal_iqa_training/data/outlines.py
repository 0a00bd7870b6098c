"""Outlines of abdomens on standard planes: a table of ellipses, one a file.

::

    file,subject,cx,cy,a,b,angle_deg,pass,comment

Pixels of the image's original, unstretched shape; the origin is the centre of the top left pixel,
x runs to the right and y down. A row whose outline cannot be told has no numbers and a comment.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, radians
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.geometry.ellipse import ramanujan_perimeter, to_axes

SHIPPED = Path(__file__).parents[1] / "outlines" / "abdomens.csv"
"""Outlines of the abdomens of FETAL_PLANES_DB, drawn by engineers; CC BY 4.0."""
COLUMNS = ("file", "subject", "cx", "cy", "a", "b", "angle_deg", "pass", "comment")

_NUMBERS = COLUMNS[2:7]
_SHORTEST, _LONGEST = 5.0, 5000.0  # semi-axes in pixels; the shipped ones have 95 to 393
_LARGEST_RATIO = 3.0  # of the axes; the shipped ones have up to 1.45
_FARTHEST = 10_000.0  # a centre, in pixels; the image's own size is checked where it is known


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

    def check_centre(self, size: tuple[int, int], name: str) -> None:
        """Refuse an outline whose centre is not on its image.

        Parameters
        ----------
        size : (int, int)
            Columns and rows of the image in its original shape.
        name : str
            Of the image, for the message.

        Raises
        ------
        TrainingError
        """
        if not (0 <= self.cx <= size[0] - 1 and 0 <= self.cy <= size[1] - 1):
            raise TrainingError(
                f"{name}: the centre of its outline, {self.cx:g}, {self.cy:g}, is not on the image "
                f"of {size[0]} x {size[1]} pixels; correct the outline"
            )


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
        Where the table is not there, lacks a column, or has a line that is no outline.
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
        _check_fields(line, f"{path}: line {number}")
        if not line["a"] or (which is not None and line["pass"] != which):
            continue
        try:
            ellipse = PlaneEllipse(*(float(line[name]) for name in _NUMBERS))
        except ValueError:
            raise TrainingError(f"{path}: line {number} has no numbers; correct it") from None
        _check_ellipse(ellipse, f"{path}: line {number}")
        known = passes.get(line["file"])
        if known is None or line["pass"] < known[0]:
            passes[line["file"]] = line["pass"], ellipse
    return {name: ellipse for name, (_, ellipse) in passes.items()}


def _check_fields(line: Mapping[str | None, str | list[str] | None], where: str) -> None:
    if None in line or None in line.values():
        raise TrainingError(f"{where} has not as many fields as there are columns; correct it")
    given = [name for name in _NUMBERS if line[name]]
    if given and len(given) < len(_NUMBERS):
        lacking = next(name for name in _NUMBERS if name not in given)
        raise TrainingError(f"{where} has no {lacking}; correct it")


def _check_ellipse(ellipse: PlaneEllipse, where: str) -> None:
    short, long = sorted((ellipse.a, ellipse.b))
    if not (_SHORTEST <= ellipse.a <= _LONGEST and _SHORTEST <= ellipse.b <= _LONGEST):
        wrong = f"its axes are {ellipse.a:g} and {ellipse.b:g} pixels"
    elif long > _LARGEST_RATIO * short:
        wrong = f"one axis is {long / short:.1f} times the other"
    elif not (0 <= ellipse.cx <= _FARTHEST and 0 <= ellipse.cy <= _FARTHEST):
        wrong = f"its centre is {ellipse.cx:g}, {ellipse.cy:g}"
    elif not isfinite(ellipse.angle_deg):
        wrong = f"its angle is {ellipse.angle_deg:g}"
    else:
        return
    raise TrainingError(f"{where} is no ellipse of an abdomen ({wrong}); correct it")
