"""Folders of single images with a drawn outline each, in the layout of the HC18 challenge.

::

    pixel_size_and_hc.csv                 filename, pixel size (mm), circumference (mm)
    images/003_HC.png                     or beside the table, or in training_set/
    annotations/003_HC_Annotation.png     a thin closed line, or beside the image

The number before the first ``_`` of a file name is the subject. Van den Heuvel et al., PLOS ONE
13 (2018) e0200412.
"""

import csv
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fetal_iqa_training.data.labelled_frames import AnnotatedCase, LabelledFrames
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.io import read_sweep

_TABLES = "*pixel_size_and_[hH][cC].csv"
_IMAGES = ("images", "training_set", ".")
_OUTLINES = ("annotations", *_IMAGES)
_CLOSED = 3
"""A filled outline has at least this many times the line's own pixels."""


def find_table(folder: Path) -> Path | None:
    """Return the table of a folder in this layout; None where it is no such folder."""
    return next(iter(sorted(folder.glob(_TABLES))), None)


def outlined_cases(table: Path, only: Collection[str] | None = None) -> tuple[AnnotatedCase, ...]:
    """List the images that a table names.

    Parameters
    ----------
    table : Path
    only : collection of str, optional
        Names of the images to list, without their ending; the others may be missing.

    Raises
    ------
    TrainingError
        Where the table cannot be read, or names an image to list that is not there.
    """
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = [(row[0], float(row[1])) for row in list(csv.reader(file))[1:] if row]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise TrainingError(
            f"{table}: expected file name and pixel size in mm on each line ({error})"
        ) from None
    return tuple(
        _case(table.parent, name, pixel_mm)
        for name, pixel_mm in rows
        if only is None or Path(name).stem in only
    )


def _case(folder: Path, name: str, pixel_mm: float) -> AnnotatedCase:
    image = _find(folder, _IMAGES, name)
    outline = _find(folder, _OUTLINES, f"{Path(name).stem}_Annotation{Path(name).suffix}")
    read = partial(_frames, image, outline, pixel_mm)
    return AnnotatedCase(image.stem, _subject(image), 1, read)


def _find(folder: Path, places: tuple[str, ...], name: str) -> Path:
    for place in places:
        path = folder / place / Path(name).name
        if path.is_file():
            return path
    raise TrainingError(f"{folder}: {name} is missing; copy the data set again")


def _frames(image: Path, outline: Path, pixel_mm: float) -> Iterator[LabelledFrames]:
    frames = np.asarray(read_sweep(image).frames)
    line = np.asarray(read_sweep(outline).frames[0]) > 127
    if line.shape != frames.shape[1:]:
        raise TrainingError(f"{outline.name}: not of the size of {image.name}; copy it again")
    mask = fill_outline(line)
    yield LabelledFrames(
        sweep=image.stem,
        frames=frames,
        masks=mask[None],
        positive=np.array([mask.any()]),
        spacing_mm=(pixel_mm, pixel_mm),
        subject=_subject(image),
        case=image.stem,
    )


def _subject(image: Path) -> str:
    return image.name.split("_")[0]


def fill_outline(line: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill a drawn outline to the middle of its line.

    Parameters
    ----------
    line : (H, W) bool array
        A closed line some pixels thick; one that an edge of the image cuts off is closed along
        that edge.

    Returns
    -------
    (H, W) bool array
    """
    filled = close_outline(line)
    hole = filled & ~line
    inwards = ndimage.distance_transform_edt(~hole)
    outwards = ndimage.distance_transform_edt(filled)
    return np.asarray(inwards <= outwards)


def close_outline(line: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill a drawn outline to its outer edge; (H, W) bool array to (H, W) bool array."""
    filled = ndimage.binary_fill_holes(line)
    for edge in (((1, 0), (0, 0)), ((0, 1), (0, 0)), ((0, 0), (1, 0)), ((0, 0), (0, 1))):
        if filled.sum() > _CLOSED * line.sum():
            break
        (top, _), (left, _) = edge
        walled = ndimage.binary_fill_holes(np.pad(line, edge, constant_values=True))
        filled = walled[top : top + line.shape[0], left : left + line.shape[1]]
    return np.asarray(filled)
