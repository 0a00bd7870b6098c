"""How good the frame chosen from a whole case is, and what smoothing along time changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fetal_iqa_training.evaluation.bootstrap import (
    Estimate,
    estimated_mean,
    estimated_percentile,
)
from fetal_iqa_training.experiments.sweeps.case import (
    ChooseFrame,
    SweepCase,
    Thresholds,
)
from napari_fetal_iqa.labels import Label

NEAR: Final = (0, 2, 5, 15)
"""Frames; 15 is as far off as earns something in the ACOUSLIC-AI challenge."""
_MEDIAN, _HIGH = 50, 90


@dataclass(frozen=True)
class Smoothing:
    """The frame chosen from whole cases, with scores smoothed along time.

    Parameters
    ----------
    frames : float
        Standard deviation of the Gaussian along time.
    chosen : int
        Cases in which a frame is chosen at all.
    near : dict of int to Estimate
        Share of the cases with an annotated frame whose chosen frame is that near to one of the
        same sweep; 0 frames is a hit.
    optimal : Estimate
        Share of the cases with an optimal frame whose chosen frame is one.
    measured : int
        Cases whose chosen frame has a circumference, and its sweep an expert's.
    errors : dict of str to Estimate
        ``median_mm``, ``p90_mm``, ``median_percent``, ``p90_percent`` of the absolute error over
        those cases; None where there are none.
    hits_changed : Estimate
        By how much the share of hits is higher than with the first width.
    error_changed_mm : Estimate
        Mean over the cases measured with both of how much the absolute error is larger than with
        the first width.
    """

    frames: float
    chosen: int
    near: dict[int, Estimate]
    optimal: Estimate
    measured: int
    errors: dict[str, Estimate]
    hits_changed: Estimate
    error_changed_mm: Estimate

    @property
    def estimates(self) -> dict[str, Estimate]:
        """All metrics with intervals, by name."""
        return {
            **{f"within_{frames}_frames": share for frames, share in self.near.items()},
            "optimal": self.optimal,
            **{f"ac_error_{name}": error for name, error in self.errors.items()},
            "hits_changed": self.hits_changed,
            "error_changed_mm": self.error_changed_mm,
        }


def chosen_frames_over_smoothing(
    cases: Sequence[SweepCase],
    choose: ChooseFrame,
    thresholds: Thresholds,
    widths: Sequence[float],
    seed: int = 0,
) -> tuple[Smoothing, ...]:
    """Judge the frame chosen from each whole case, width by width.

    Parameters as of :func:`~fetal_iqa_training.experiments.sweeps.study.study_sweeps`.

    Returns
    -------
    tuple of Smoothing
        One a width.
    """
    chosen = [[case.choose(choose, thresholds, width) for case in cases] for width in widths]
    return tuple(
        _judge(width, cases, frames, chosen[0], seed)
        for width, frames in zip(widths, chosen, strict=True)
    )


def _judge(
    width: float,
    cases: Sequence[SweepCase],
    frames: Sequence[int],
    first: Sequence[int],
    seed: int,
) -> Smoothing:
    judged = list(zip(cases, frames, first, strict=True))
    off = [
        (case.frames_off(frame), case.frames_off(before))
        for case, frame, before in judged
        if (case.labels > 0).any()
    ]
    off_units = [case.unit for case in cases if (case.labels > 0).any()]
    optimal_units = [case.unit for case in cases if (case.labels == Label.OPTIMAL).any()]
    optimal = [
        frame >= 0 and case.labels[frame] == Label.OPTIMAL
        for case, frame, _ in judged
        if (case.labels == Label.OPTIMAL).any()
    ]
    errors = [(case.ac_error(frame), case.ac_error(before)) for case, frame, before in judged]
    measured = [case.unit for case, (now, _) in zip(cases, errors, strict=True) if now]
    both = [case.unit for case, (now, was) in zip(cases, errors, strict=True) if now and was]
    mm = [now.mm for now, _ in errors if now]
    percent = [now.percent for now, _ in errors if now]
    return Smoothing(
        width,
        chosen=sum(frame >= 0 for frame in frames),
        near={
            reach: estimated_mean([distance <= reach for distance, _ in off], seed, off_units)
            for reach in NEAR
        },
        optimal=estimated_mean(optimal, seed, optimal_units),
        measured=len(mm),
        errors={
            "median_mm": estimated_percentile(mm, _MEDIAN, seed, measured),
            "p90_mm": estimated_percentile(mm, _HIGH, seed, measured),
            "median_percent": estimated_percentile(percent, _MEDIAN, seed, measured),
            "p90_percent": estimated_percentile(percent, _HIGH, seed, measured),
        },
        hits_changed=estimated_mean(
            [float(now == 0) - (was == 0) for now, was in off], seed, off_units
        ),
        error_changed_mm=estimated_mean(
            [now.mm - was.mm for now, was in errors if now and was], seed, both
        ),
    )
