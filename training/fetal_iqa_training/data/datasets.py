"""Data sets by their layout: a folder becomes cases with subjects."""

import json
from collections.abc import Collection
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_training.data.hc18 import find_table, outlined_cases
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, acouslic_cases
from napari_fetal_iqa.storage.paths import read_small_text

ORIGIN = "origin.json"
"""A data set may say in this file how it was made."""


def origin(folder: Path) -> JsonValue:
    """Return what a data set says of how it was made; None where it says nothing."""
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
        In the layout of ACOUSLIC-AI (sweeps with masks, which phantoms have too) or of HC18
        (single images with a drawn outline each).
    only : collection of str, optional
        Names of the cases to list, where there are such; the others may be damaged.

    Raises
    ------
    SweepError, TrainingError
        Where the folder is in neither layout, or something in it is missing.
    """
    table = find_table(folder)
    if table is None:
        return acouslic_cases(folder, only)
    return outlined_cases(table, only)
