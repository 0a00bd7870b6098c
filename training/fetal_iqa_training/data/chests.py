"""Four-chamber views of the fetal chest with an ellipse of the ribs: the FOCUS data set.

::

    annotations.csv           file, split, width, height, thorax_cx, ..., subject
    training/images/001.png   and validation/, testing/

The ellipse follows the ribs, not the skin. Zenodo 14597550, CC BY 4.0.
"""

import csv
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from fetal_iqa_training.data.labelled_frames import AnnotatedCase, LabelledFrames
from fetal_iqa_training.data.outlines import PlaneEllipse
from fetal_iqa_training.data.planes import PlaneImage, load_frame
from fetal_iqa_training.errors import TrainingError

MARK = "thorax_cx"
"""A column by which the list is told from others of its name."""

_ELLIPSE = ("thorax_cx", "thorax_cy", "thorax_a", "thorax_b", "thorax_angle_deg")


def chest_cases(table: Path, only: Collection[str] | None = None) -> tuple[AnnotatedCase, ...]:
    """List the images that a table names, by ``focus-<split>-<number>``.

    Subjects that the table does not name are one each, ``focus-<split>-<number>`` too: within
    FOCUS nobody says which of them are one.

    Raises
    ------
    TrainingError
        Where the table cannot be read, or names an image to list that is not there.
    """
    try:
        with table.open(newline="", encoding="utf-8") as file:
            found = [_case(table.parent, line) for line in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise TrainingError(f"{table}: expected images with an ellipse each ({error})") from None
    return tuple(case for case in found if only is None or case.name in only)


def _case(folder: Path, line: Mapping[str, str]) -> AnnotatedCase:
    path = folder / line["file"]
    if not path.is_file():
        raise TrainingError(f"{folder}: {line['file']} is missing; copy the data set again")
    name = f"focus-{line['split']}-{path.stem}"
    subject = line["subject"] or name
    outline = PlaneEllipse(*(float(line[column]) for column in _ELLIPSE))
    read = partial(_frames, path, name, subject, outline)
    # whose subject is named may be held back by the planes' list, which knows more
    held_back = None if line["subject"] else line["split"] != "training"
    return AnnotatedCase(name, subject, 1, read, held_back)


def _frames(path: Path, name: str, subject: str, outline: PlaneEllipse) -> Iterator[LabelledFrames]:
    frame = load_frame(PlaneImage(path, subject, "thorax"))
    mask = outline.mask((frame.shape[0], frame.shape[1]))
    yield LabelledFrames(
        sweep=name,
        frames=frame[None],
        masks=mask[None],
        positive=np.array([True]),
        subject=subject,
        case=name,
    )
