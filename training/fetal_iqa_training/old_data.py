"""Data that a model knew before: to see what it forgets, and to rehearse so that it does not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.labelled_frames import LabelledFrames, frames_of
from fetal_iqa_training.data.phantoms import write_phantoms
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Report, silent
from napari_fetal_iqa.storage import paths

REFERENCE_SEED, REFERENCE_CASES = 770_000, 2
REHEARSAL_SEED, REHEARSAL_CASES = 880_000, 4
"""Phantoms that no model was trained on: see the seeds in the demo models' cards."""

_CHUNK = 32


def reference_phantoms(report: Report = silent) -> Path:
    """Folder of the phantoms that every demo model is judged on; simulated once.

    Raises
    ------
    TrainingError
        Where the cache cannot be written.
    """
    return _phantoms("reference", REFERENCE_CASES, REFERENCE_SEED, report)


def rehearsal_phantoms(report: Report = silent) -> Path:
    """Folder of phantoms like those that the demo models learnt from; simulated once."""
    return _phantoms("rehearsal", REHEARSAL_CASES, REHEARSAL_SEED, report)


def _phantoms(name: str, cases: int, seed: int, report: Report) -> Path:
    folder = paths.cache() / "phantoms" / name
    try:
        write_phantoms(folder, cases, seed, "small", report=report)
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be written ({error.strerror}); free the disk") from (
            error
        )
    return folder


def old_frames(folder: Path) -> Iterator[LabelledFrames]:
    """Read the frames of a data set with an abdomen, and as many of those without.

    Parameters
    ----------
    folder : Path
        In the layout of ACOUSLIC-AI or HC18.

    Yields
    ------
    LabelledFrames
        One sweep at a time; of those without an abdomen evenly over the sweep.
    """
    for source in frames_of(list_annotated(folder)):
        positives = source.positive.nonzero()[0]
        negatives = (~source.positive).nonzero()[0]
        step = max(1, len(negatives) // max(1, len(positives)))
        chosen = sorted([*positives, *negatives[step // 2 :: step]])
        for start in range(0, len(chosen), _CHUNK):
            rows = chosen[start : start + _CHUNK]
            yield replace(
                source,
                frames=source.frames[rows],
                masks=source.masks[rows],
                positive=source.positive[rows],
                numbers=np.array(rows) if source.numbers is None else source.numbers[rows],
            )
