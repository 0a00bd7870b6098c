"""What counts of every corrected frame, gathered from stores: for export and for fine-tuning."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from napari_fetal_iqa.corrections.consensus import consensus
from napari_fetal_iqa.corrections.history import FrameCorrection, latest
from napari_fetal_iqa.corrections.rows import SweepRecord
from napari_fetal_iqa.corrections.store import CorrectionStore
from napari_fetal_iqa.corrections.subjects import joined
from napari_fetal_iqa.labels import Label


@dataclass(frozen=True)
class CorrectedSweep:
    """All that is known of one sweep from one or more stores.

    Parameters
    ----------
    record : SweepRecord
    corrections : tuple of FrameCorrection
        What counts of each frame, by frame.
    reviewers : tuple of str
        Who spoke.
    subject : str or None
        Key of the person whose sweep it is; None where no store says so.
    """

    record: SweepRecord
    corrections: tuple[FrameCorrection, ...]
    reviewers: tuple[str, ...] = ()
    subject: str | None = None


def gather_corrections(
    stores: Iterable[CorrectionStore], reviewer: str | None = None, negatives: int = 0
) -> tuple[CorrectedSweep, ...]:
    """Gather what counts of every corrected frame.

    Each reviewer's latest word on a frame counts; where several reviewers spoke of one frame,
    their :func:`~napari_fetal_iqa.corrections.consensus.consensus`; where two stores know the same
    reviewer, the later label and the later mask. Confirmed predictions are words like any other;
    frames that nobody spoke of are not there.

    Parameters
    ----------
    stores : iterable of CorrectionStore
        Each is read before the next is taken, so that one at a time need be open.
    reviewer : str, optional
        Listen to this reviewer alone.
    negatives : int
        Frames without an abdomen to take, evenly over the sweep, from each sweep that a reviewer
        marked as fully reviewed, among those that nobody spoke of.

    Returns
    -------
    tuple of CorrectedSweep
        Sorted by content identity; only sweeps with corrections.

    Raises
    ------
    StoreError
        Where a store cannot be read.
    """
    records: dict[str, SweepRecord] = {}
    spoken: dict[str, dict[int, dict[str, FrameCorrection]]] = {}
    reviewed: dict[str, str] = {}
    keys: dict[str, list[str]] = {}
    for store in stores:
        for identity, whose in store.subjects().items():
            keys.setdefault(identity, []).append(whose.key)
        for record in store.sweeps():
            records[record.identity] = record
            of_sweep = spoken.setdefault(record.identity, {})
            for name in store.fully_reviewed(record.identity):
                if reviewer in (None, name):
                    reviewed[record.identity] = name
            for name in store.reviewers(record.identity):
                if reviewer is not None and name != reviewer:
                    continue
                for frame, state in store.corrections(record.identity, name).items():
                    of_frame = of_sweep.setdefault(frame, {})
                    of_frame[name] = latest((state, of_frame.get(name, state)))
    for identity, name in reviewed.items():
        _add_negatives(spoken[identity], records[identity], name, negatives)
    subject_of = joined(keys)
    return tuple(
        CorrectedSweep(
            records[identity],
            tuple(consensus(tuple(of_sweep[frame].values())) for frame in sorted(of_sweep)),
            tuple(sorted({name for of_frame in of_sweep.values() for name in of_frame})),
            subject_of.get(identity),
        )
        for identity, of_sweep in sorted(spoken.items())
        if of_sweep
    )


def _add_negatives(
    spoken: dict[int, dict[str, FrameCorrection]], record: SweepRecord, reviewer: str, count: int
) -> None:
    silent = [frame for frame in range(record.shape[0]) if frame not in spoken]
    for place in np.linspace(0, len(silent) - 1, min(count, len(silent))).round().astype(int):
        frame = silent[place]
        spoken[frame] = {reviewer: FrameCorrection(frame, Label.NONE, None, False, reviewer, "")}
