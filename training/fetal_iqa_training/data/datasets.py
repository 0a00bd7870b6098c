"""Data sets by their layout: a folder becomes cases with subjects."""

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_training.data.chests import MARK, chest_cases
from fetal_iqa_training.data.collection import collected_folders, is_collection, of_part, origin_of
from fetal_iqa_training.data.hc18 import find_table, outlined_cases
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, acouslic_cases
from fetal_iqa_training.data.outlined_planes import plane_cases
from fetal_iqa_training.data.planes import has_planes
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.storage.paths import read_small_text

ORIGIN = "origin.json"
"""A data set may say in this file how it was made."""


def origin(folder: Path) -> JsonValue:
    """Return what a data set says of how it was made; None where it says nothing."""
    if is_collection(folder):
        return origin_of(folder, origin)
    try:
        content: JsonValue = json.loads(read_small_text(folder / ORIGIN))
    except (OSError, ValueError, RecursionError):
        return None
    return content


def list_annotated(folder: Path, only: Collection[str] | None = None) -> tuple[AnnotatedCase, ...]:
    """List the annotated cases of a data set folder.

    Parameters
    ----------
    folder : Path
        In the layout of ACOUSLIC-AI (sweeps with masks, which phantoms have too), of HC18 (single
        images with a drawn outline each), of FOCUS (chests) or of standard planes; or a
        collection of such folders.
    only : collection of str, optional
        Names of the cases to list, where there are such; the others may be damaged.

    Raises
    ------
    SweepError, TrainingError
        Where the folder is in no such layout, or something in it is missing.
    """
    if is_collection(folder):
        return _collected(folder, only)
    if (table := find_table(folder)) is not None:
        return outlined_cases(table, only)
    listed = folder / "annotations.csv"
    if listed.is_file() and MARK in read_head(listed):
        return chest_cases(listed, only)
    if has_planes(folder):
        return plane_cases(folder, only)
    cases, held_back = acouslic_cases(folder, only), _held_back(folder)
    return tuple(replace(case, held_back=held_back) for case in cases)


def _held_back(folder: Path) -> bool | None:
    """Whether sweeps are made of planes of subjects who only judge; None where nobody says."""
    note = origin(folder)
    made = note.get("textured") if isinstance(note, dict) else None
    part = made.get("part") if isinstance(made, dict) else None
    return None if part is None else part != "train"


def read_head(table: Path) -> str:
    """Return the first line of a table."""
    with table.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline(10_000)


def _collected(folder: Path, only: Collection[str] | None) -> tuple[AnnotatedCase, ...]:
    found: dict[str, AnnotatedCase] = {}
    for place, part in collected_folders(folder):
        for case in of_part(list_annotated(place, only), place, part):
            # the same image in another size is the same case: the first counts
            if found.setdefault(case.name, case).subject_id != case.subject_id:
                raise TrainingError(
                    f"{folder}: two of its data sets have a case {case.name[:50]!r}; leave one away"
                )
    return tuple(found.values())
