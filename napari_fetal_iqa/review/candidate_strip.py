"""The few frames of a sweep that an expert wants beside each other: the best of each part of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.analysis.best_frame import best_frame
from napari_fetal_iqa.geometry.biometry import is_in_pieces, measure_abdomen
from napari_fetal_iqa.geometry.mask_codec import decode_mask
from napari_fetal_iqa.labels import Label
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.sweep import SweepVolume

MOST_RUNS = 24
"""On a scanner that a model does not know, it finds runs everywhere: the best of them are shown."""
MOST_DISAGREEMENTS = 24


class Kind(StrEnum):
    """Why a frame is shown."""

    BEST = "Best frame of all"
    SWEEP = "Best of its sweep"
    RUN = "Best of its run"
    DISAGREEMENT = "Reviewers disagree"


@dataclass(frozen=True)
class Candidate:
    """One frame of the strip.

    Parameters
    ----------
    frame, sweep, frame_in_sweep : int
        0-based.
    kind : Kind
    quality : float or None
    mask : bytes or None
        The packed mask that counts, by which the AC is measured; None where it is not measured.
    """

    frame: int
    sweep: int
    frame_in_sweep: int
    kind: Kind
    quality: float | None
    mask: bytes | None


def candidate_strip(session: ReviewSession) -> tuple[Candidate, ...]:
    """Choose the frames: the best of each sweep, one of each run, and where reviewers disagree.

    The best frame of all is that of its sweep, too. A run is of frames in a row, of one sweep,
    that show the abdomen; where a frame stands for its sweep already, its run has no other. None
    comes twice.

    Returns
    -------
    tuple of Candidate
        First the best of each sweep, beside each other; then the runs, and then the
        disagreements, each in the order of the frames.
    """
    chosen: dict[int, Kind] = {}
    if session.analysis is not None:
        labels, _ = session.labels()
        outlined = session.outlined()
        score = session.analysis.score
        best = session.best_frame()
        measurable = session.measurable()
        for frame in session.best_frames():
            chosen[frame] = Kind.BEST if frame == best else Kind.SWEEP
        shows = np.isin(labels, (Label.OPTIMAL, Label.SUBOPTIMAL))
        runs = [
            run
            for run in _runs(shows, session.sweep.bounds)
            if not any(frame in chosen for frame in range(*run))
        ]
        runs.sort(key=lambda run: -float(np.nan_to_num(score[slice(*run)]).max()))
        # from what there is to measure in a run to what is merely said of it
        choices = (measurable, shows & outlined, shows)
        for run in sorted(runs[:MOST_RUNS]):
            found = (best_frame(score, choice, [run]) for choice in choices)
            chosen[next(frame for frame in found if frame >= 0)] = Kind.RUN
    for frame in session.disagreements[:MOST_DISAGREEMENTS]:
        if chosen.get(frame) not in (Kind.BEST, Kind.SWEEP):
            chosen.pop(frame, None)
            chosen[frame] = Kind.DISAGREEMENT
    outlined = session.outlined()
    return tuple(
        _candidate(session, frame, kind, bool(outlined[frame])) for frame, kind in chosen.items()
    )


def _runs(shows: NDArray[np.bool_], bounds: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    runs = []
    for start, stop in bounds:
        edges = np.flatnonzero(np.diff(np.r_[False, shows[start:stop], False].astype(np.int8)))
        runs += [(start + int(a), start + int(b)) for a, b in edges.reshape(-1, 2)]
    return runs


def _candidate(session: ReviewSession, frame: int, kind: Kind, outlined: bool) -> Candidate:
    view = session.view(frame)
    measured = outlined and view.label is not Label.NONE
    mask = session.packed_mask(frame) if measured else None
    return Candidate(frame, view.sweep, view.frame_in_sweep, kind, view.quality, mask)


def circumference(mask: bytes, sweep: SweepVolume) -> float | None:
    """Return the circumference of a packed mask in mm, None where the review measures none."""
    outline = decode_mask(mask, sweep.shape[1:])
    if sweep.spacing_mm is None or not outline.any() or is_in_pieces(outline):
        return None
    measured = measure_abdomen(outline, sweep.spacing_mm, sweep.field_of_view)
    return measured.circumference_mm if measured else None


def beside(candidates: Sequence[Candidate], frame: int, step: int) -> int | None:
    """Return the frame of the next candidate behind or before a frame; None where there is none."""
    frames = sorted({one.frame for one in candidates})
    if step > 0:
        return next((one for one in frames if one > frame), None)
    return next((one for one in reversed(frames) if one < frame), None)
