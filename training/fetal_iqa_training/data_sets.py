"""Data sets by their layout: a folder becomes cases with subjects."""

from pathlib import Path

from fetal_iqa_training.labelled_frames import AnnotatedCase, acouslic_cases
from fetal_iqa_training.outlined_images import find_table, outlined_cases


def list_annotated(folder: Path) -> tuple[AnnotatedCase, ...]:
    """List the annotated cases of a data set folder.

    Parameters
    ----------
    folder : Path
        In the layout of ACOUSLIC-AI (sweeps with masks, which phantoms have too) or of HC18
        (single images with a drawn outline each).

    Raises
    ------
    SweepError, TrainingError
        Where the folder is in neither layout, or something in it is missing.
    """
    table = find_table(folder)
    return acouslic_cases(folder) if table is None else outlined_cases(table)
