"""Training frames from corrections: the stores, and the sweeps they are of."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.data.labelled_frames import LabelledFrames, content_of
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.settings import Task
from napari_fetal_iqa.corrections import (
    CorrectionStore,
    FrameCorrection,
    Label,
    SweepRecord,
)
from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep, gather_corrections
from napari_fetal_iqa.corrections.subject_sources import fill_subjects
from napari_fetal_iqa.errors import StoreUnwritableError
from napari_fetal_iqa.geometry.mask_codec import decode_mask
from napari_fetal_iqa.io.acouslic import SWEEPS_PER_CASE
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)

_CHUNK = 32


def read_corrections(
    stores: Iterable[Path], reviewer: str | None = None, negatives: int = 0
) -> tuple[CorrectedSweep, ...]:
    """Read what counts of every corrected frame from the files of stores.

    Parameters
    ----------
    stores : iterable of Path
        Corrections stores (SQLite files).
    reviewer, negatives
        See :func:`~napari_fetal_iqa.corrections.corrected_sweeps.gather_corrections`.

    Returns
    -------
    tuple of CorrectedSweep
        Sorted by content identity; only sweeps with corrections.

    Raises
    ------
    TrainingError
        Where a store is not there.
    StoreError
        Where a file is no corrections store.
    """
    return gather_corrections(_opened(stores), reviewer, negatives)


def _opened(paths: Iterable[Path]) -> Iterator[CorrectionStore]:
    for path in paths:
        if not path.is_file():
            raise TrainingError(f"{path}: there is no corrections store; check the path")
        with CorrectionStore(path) as store:
            try:
                fill_subjects(store)
            except StoreUnwritableError as error:  # it can be read, and that is what counts
                logger.warning("whose sweeps these are cannot be noted: %s", error)
            yield store


def usable_for(task: Task, correction: FrameCorrection) -> bool:
    """Return whether a task can be trained on a correction.

    Frame quality is trained on labels, or on a mask where there is no label. Masks are
    trained on masks, and on the label "none", which says that there is nothing to outline;
    a frame labelled optimal or suboptimal without a mask says nothing of the outline.
    """
    if task == "cls":
        return correction.label is not None or correction.mask is not None
    return correction.mask is not None or correction.label is Label.NONE


def count_usable(sweeps: Iterable[CorrectedSweep], task: Task) -> tuple[int, int]:
    """Count the positive and the negative frames that a task can be trained on.

    Raises
    ------
    TrainingError
        Where a stored mask is damaged.
    """
    positives = negatives = 0
    for sweep in sweeps:
        for correction in sweep.corrections:
            if usable_for(task, correction):
                if _is_positive(correction, _mask(correction, sweep.record), task):
                    positives += 1
                else:
                    negatives += 1
    return positives, negatives


def corrected_frames(
    sweep: CorrectedSweep, volume: SweepVolume, task: Task
) -> Iterator[LabelledFrames]:
    """Cut a sweep's corrected frames out of its volume.

    Optimal and suboptimal planes are both positive, as in the paper, whose positive frames are
    those with an annotated abdomen. For masks, a frame is positive where its mask is not empty.

    Parameters
    ----------
    sweep : CorrectedSweep
    volume : SweepVolume
        Of the same content identity.
    task : {"cls", "seg"}

    Yields
    ------
    LabelledFrames
        Up to 32 frames at a time.

    Raises
    ------
    TrainingError
        Where a stored mask is damaged.
    """
    usable = [c for c in sweep.corrections if usable_for(task, c)]
    for start in range(0, len(usable), _CHUNK):
        chunk = usable[start : start + _CHUNK]
        masks = np.stack([_mask(c, sweep.record) for c in chunk])
        yield LabelledFrames(
            sweep=sweep.record.identity,
            frames=np.stack([np.asarray(volume.frames[c.frame]) for c in chunk]),
            masks=masks,
            positive=np.array(
                [_is_positive(c, mask, task) for c, mask in zip(chunk, masks, strict=True)]
            ),
            spacing_mm=volume.spacing_mm,
            field_of_view=volume.field_of_view,
            numbers=np.array([c.frame for c in chunk]),
            subject=sweep.subject,
        )


def contents_of(sweep: CorrectedSweep, volume: SweepVolume) -> Iterator[str]:
    """Hash each sweep of a volume as a data set that holds it would have it.

    By the bounds that the store knows, and as six sweeps, as data sets in the ACOUSLIC-AI layout
    are read.
    """
    length, rest = divmod(len(volume), SWEEPS_PER_CASE)
    six = () if rest else volume.with_bounds(length).bounds
    for start, stop in sorted({*sweep.record.bounds, *six}):
        yield content_of(np.asarray(volume.frames[start:stop]))


def _is_positive(correction: FrameCorrection, mask: NDArray[np.bool_], task: Task) -> bool:
    if task == "seg" or correction.label is None:
        return bool(mask.any())
    return correction.label is not Label.NONE


def _mask(correction: FrameCorrection, record: SweepRecord) -> NDArray[np.bool_]:
    shape = record.shape[1:]
    if correction.mask is None:
        return np.zeros(shape, bool)
    try:
        return decode_mask(correction.mask, shape)
    except ValueError as error:
        raise TrainingError(
            f"sweep {record.identity[:8]}: the stored mask of frame {correction.frame} is unusable "
            f"({error}); outline the frame again"
        ) from None
