"""Chests of which nobody says whose they are, told by the planes that they resemble.

The chests of FOCUS are images of FETAL_PLANES_DB, and few name their subject: one of them may be
the next frame of a loop that has a thorax on the other side of the split.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.data.chests import MARK, chest_cases
from fetal_iqa_training.data.collection import Part
from fetal_iqa_training.data.datasets import read_head
from fetal_iqa_training.data.labelled_frames import AnnotatedCase
from fetal_iqa_training.data.near_copies import PERHAPS, SAME, likeness, small
from fetal_iqa_training.data.planes import has_planes, load_frame, read_planes

_TABLE = "annotations.csv"


@dataclass
class _People:
    """Small images of one people: of subjects that are named, and of chests without."""

    subjects: list[str] = field(default_factory=list)
    known: list[NDArray[np.float32]] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    chests: list[NDArray[np.float32]] = field(default_factory=list)


def with_subjects_by_content(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Give chests without a subject that of the thorax that they resemble, among the same people.

    One that resembles a thorax, yet not enough to be its neighbour for sure, or thoraxes of two
    subjects, is left out. Each chest and each thorax is read once.

    Parameters
    ----------
    parts : iterable of Part
        Of a collection; only those with the same ``subjects``, which is not empty, are compared.

    Raises
    ------
    TrainingError
        Where a data set or an image of it cannot be read.
    """
    parts = tuple(parts)
    found = {}
    for people in {part.subjects for part in parts if part.subjects}:
        alike = [part for part in parts if part.subjects == people]
        if any(_has_chests(Path(part.folder)) for part in alike):
            found[people] = _told(_people(alike))
    done = []
    for part in parts:
        if part.subjects in found and _has_chests(Path(part.folder)):
            subject_of, left_out = found[part.subjects]
            part = part.model_copy(update={"subject_of": subject_of, "left_out": left_out})
        done.append(part)
    return tuple(done)


def _told(people: _People) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the subjects of chests by name, and the chests that are left out."""
    subjects: list[str | None] = [*people.subjects, *(None for _ in people.unnamed)]
    first = len(people.subjects)
    alike = likeness(people.chests, [*people.known, *people.chests])
    subject_of: dict[str, str] = {}
    left_out: tuple[str, ...] = ()
    told = -1
    while told < len(subject_of):  # a chest that was told tells its neighbours in the loop
        told, doubtful = len(subject_of), []
        for number, name in enumerate(people.unnamed):
            if name in subject_of:
                continue
            near = [
                (float(value), subject)
                for value, subject in zip(alike[number], subjects, strict=True)
                if value >= PERHAPS and subject is not None
            ]
            if near and max(near)[0] >= SAME and len({subject for _, subject in near}) == 1:
                subject_of[name] = near[0][1]
                subjects[first + number] = near[0][1]
            elif near:
                doubtful.append(name)
        left_out = tuple(doubtful)
    return subject_of, left_out


def _people(parts: Sequence[Part]) -> _People:
    found = _People()
    for folder in (Path(part.folder) for part in parts):
        if _has_chests(folder):
            for case in chest_cases(folder / _TABLE):
                image = small(next(iter(case.read())).frames[0])
                if _is_named(case):
                    found.subjects.append(case.subject_id)
                    found.known.append(image)
                else:
                    found.unnamed.append(case.name)
                    found.chests.append(image)
        elif has_planes(folder):
            for plane in read_planes(folder):
                if plane.plane == "thorax":
                    found.subjects.append(plane.subject)
                    found.known.append(small(load_frame(plane)))
    return found


def _has_chests(folder: Path) -> bool:
    table = folder / _TABLE
    return table.is_file() and MARK in read_head(table)


def _is_named(case: AnnotatedCase) -> bool:
    return case.subject_id != case.name
