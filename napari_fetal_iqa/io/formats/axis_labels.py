"""What the labels of a volume's axes say: which one counts columns, rows or frames.

Labels are free text, of which the words below are understood; of the others nothing is guessed.
"""

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Literal

from napari_fetal_iqa.io.formats.axes import Axes, AxesError

Name = Literal["", "columns", "rows", "frames"]

NAMES: dict[str, Name] = {
    **dict.fromkeys(("x", "col", "cols", "column", "columns", "width", "w"), "columns"),
    **dict.fromkeys(("lateral", "lat", "azimuth", "beam", "beams", "scanline"), "columns"),
    **dict.fromkeys(("y", "row", "rows", "height", "h", "axial", "ax", "range"), "rows"),
    **dict.fromkeys(("t", "slice", "slices", "elevation", "cine"), "frames"),
}
"""Words of labels. Not "i" and "j", which are columns and rows here, rows and columns there."""

FRAME_BEGINNINGS = ("frame", "time")
"""How longer words of frames begin: "frameno", "timestamp"."""

DEPTHS = ("depth", "z")
"""Rows of a picture; but frames where another axis holds the rows, as in depth, height, width."""

PLANE = ("columns", "rows")

UNLIKE, UNLIKE_UNDER_LABELS, ALIKE = 10, 4, 2
"""Factors between the steps of two axes: from the first on they are no plane, from the second on
where labels set them apart in other words; up to the third they are one."""


MAX_WORDS = 17
"""Looked at in one field: one more than any file has axes, so that too many are seen to be."""


def words_of(text: str) -> list[str]:
    """Return the words of a field for each axis, which some writers quote and others do not."""
    with suppress(UnicodeDecodeError):  # headers are read as Latin-1; most are written as UTF-8
        text = text.encode("latin-1").decode()
    words = islice(re.finditer(r'"[^"]*"|[^\s"]+', text), MAX_WORDS)
    return [word[0].strip('"').strip().lower() for word in words]


def names_of(labels: Sequence[str]) -> list[Name]:
    """Return what each label names, "" where it is not understood."""
    words = [re.findall(r"[^\W\d_]+", label) for label in labels]
    names: list[Name] = [next(filter(None, map(_name, of_label)), "") for of_label in words]
    deep: Name = "frames" if "rows" in names else "rows"
    for axis, of_label in enumerate(words):
        if not names[axis] and any(word in DEPTHS for word in of_label):
            names[axis] = deep
    return names


def as_named(axes: Axes, names: Sequence[Name]) -> Axes:
    """Return the axes with columns and rows as they are named.

    Raises
    ------
    AxesError
        Where both are named alike, or one is named as the other and that one is not named.
    """
    if len(names) != len(axes.sizes):
        return axes
    named = names[axes.columns], names[axes.rows]
    if named == ("rows", "columns"):
        return replace(axes, columns=axes.rows, rows=axes.columns)
    if named in (("rows", ""), ("", "columns")) or named[0] == named[1] != "":
        raise AxesError("labels that name columns and rows otherwise than they stand, or in part")
    return axes


def check_steps(axes: Axes, steps: Sequence[float], labels: Sequence[str]) -> None:
    """Refuse columns and rows of very unlike steps, of which one is like those of the frames.

    So it looks where the frames, whose steps are of time, stand among the first two axes, and the
    file says so in other words or not at all.

    Parameters
    ----------
    axes : Axes
        Found by their order alone.
    steps : sequence of float
        Of each axis.
    labels : sequence of str

    Raises
    ------
    AxesError
        Where it looks so.
    """
    if axes.frames is None or len(steps) != len(axes.sizes):
        return
    columns, rows, frames = (abs(steps[axis]) for axis in (axes.columns, axes.rows, axes.frames))
    if not all(0 < step < math.inf for step in (columns, rows, frames)):
        return
    unlike = UNLIKE_UNDER_LABELS if len(labels) == len(steps) and all(labels) else UNLIKE
    like_frames = min(_ratio(columns, frames), _ratio(rows, frames))
    if _ratio(columns, rows) > unlike and like_frames <= ALIKE:
        raise AxesError("columns and rows of very unlike steps, of which one may be frames")


def _name(word: str) -> Name:
    return "frames" if word.startswith(FRAME_BEGINNINGS) else NAMES.get(word, "")


def _ratio(one: float, other: float) -> float:
    return max(one, other) / min(one, other)
