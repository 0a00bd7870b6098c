"""Training frames from what experts said: the corrections stores and the sweeps they speak of."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.data.labelled_frames import LabelledFrames
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.settings import Task
from napari_fetal_iqa.corrections import (
    CorrectionStore,
    FrameCorrection,
    Label,
    SweepRecord,
    latest,
)
from napari_fetal_iqa.geometry.mask_codec import decode_mask
from napari_fetal_iqa.sweep import SweepVolume

_CHUNK = 32


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
    """

    record: SweepRecord
    corrections: tuple[FrameCorrection, ...]
    reviewers: tuple[str, ...] = ()


def read_corrections(
    stores: Iterable[Path], reviewer: str | None = None, negatives: int = 0
) -> tuple[CorrectedSweep, ...]:
    """Gather the state of every corrected frame.

    Each reviewer's latest word on a frame counts; where several reviewers spoke of one frame,
    their :func:`consensus`; where two stores know the same reviewer, the later label and the later
    mask. Confirmed predictions are words like any other; frames that nobody spoke of are not there.

    Parameters
    ----------
    stores : iterable of Path
        Corrections stores (SQLite files).
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
    TrainingError
        Where a store is not there.
    StoreError
        Where a file is no corrections store.
    """
    records: dict[str, SweepRecord] = {}
    said: dict[str, dict[int, dict[str, FrameCorrection]]] = {}
    reviewed: dict[str, str] = {}
    for path in stores:
        if not path.is_file():
            raise TrainingError(f"{path}: there is no corrections store; check the path")
        with CorrectionStore(path) as store:
            for record in store.sweeps():
                records[record.identity] = record
                of_sweep = said.setdefault(record.identity, {})
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
        _add_negatives(said[identity], records[identity], name, negatives)
    return tuple(
        CorrectedSweep(
            records[identity],
            tuple(consensus(tuple(of_sweep[frame].values())) for frame in sorted(of_sweep)),
            tuple(sorted({name for of_frame in of_sweep.values() for name in of_frame})),
        )
        for identity, of_sweep in sorted(said.items())
        if of_sweep
    )


def _add_negatives(
    said: dict[int, dict[str, FrameCorrection]], record: SweepRecord, reviewer: str, count: int
) -> None:
    silent = [frame for frame in range(record.shape[0]) if frame not in said]
    for place in np.linspace(0, len(silent) - 1, min(count, len(silent))).round().astype(int):
        frame = silent[place]
        said[frame] = {reviewer: FrameCorrection(frame, Label.NONE, None, False, reviewer, "")}


def consensus(states: Sequence[FrameCorrection]) -> FrameCorrection:
    """Join what several reviewers say of one frame.

    The label that most of them gave counts; of labels that equally many gave, the latest. The
    latest mask among those who gave that label counts, or else the latest of all.

    Parameters
    ----------
    states : sequence of FrameCorrection
        One of each reviewer.
    """
    votes = Counter(state.label for state in states if state.label is not None)
    if len(states) == 1 or not votes:
        return latest(states)
    most = max(votes.values())
    labelled = [s for s in states if s.label is not None and votes[s.label] == most]
    label = max(labelled, key=lambda state: state.label_time).label
    agreeing = [s for s in states if s.label is label and s.mask is not None]
    return replace(latest(states), label=label, mask=latest(agreeing or states).mask)


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
        )


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
