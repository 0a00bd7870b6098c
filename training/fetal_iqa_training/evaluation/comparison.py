"""Parent and child on the same frames: what got better, what got worse, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from fetal_iqa_training.evaluation.metrics import defined_metrics
from fetal_iqa_training.settings import Task

RESAMPLES = 1000
FEWEST_UNITS = 5
"""Subjects or sweeps; of fewer no interval is given, for their resamples show nothing."""
NAMED = 20
"""At most as many frames are named as better, and as worse."""
NOTABLE = 0.02
"""A frame whose score changed less is as it was."""

ERRORS = ("circumference_error_mm", "circumference_error_percent")
MEASURED = "circumference_measured"
"""Name of the number of frames that the mean errors of the circumference are of."""
KEPT = "circumference_kept"
"""Name of the share of the frames measured by the parent that a model measures."""


@dataclass(frozen=True)
class FrameOutcome:
    """One frame, judged.

    Parameters
    ----------
    sweep : str
        Whose frame it is.
    frame : int
        Its number in the sweep, 0-based.
    positive : bool
        The truth: it shows an abdomen that can be measured.
    score : float
        0 to 1: the probability of a classifier, the area of a segmenter's mask.
    decision : bool
        What the model says.
    dice : float, optional
        Of a segmenter's mask, where the frame has a true one.
    circumference_error_mm : float, optional
        Absolute difference of the circumferences, where both masks can be measured.
    circumference_error_percent : float, optional
        The same in percent of the true one, which needs no scale.
    subject : str, optional
        Whose sweep it is, where known.
    """

    sweep: str
    frame: int
    positive: bool
    score: float
    decision: bool
    dice: float | None = None
    circumference_error_mm: float | None = None
    circumference_error_percent: float | None = None
    subject: str | None = None

    @property
    def unit(self) -> str:
        """What is resampled: the subject, else the sweep."""
        return self.sweep if self.subject is None else self.subject

    @property
    def measured(self) -> bool:
        """Whether its circumference can be compared with the true one, in mm or in percent."""
        return any(getattr(self, name) is not None for name in ERRORS)


Outcomes = Sequence[FrameOutcome]


def metrics(outcomes: Outcomes) -> dict[str, float]:
    """Return ``accuracy``, ``f1``, ``precision``, ``recall`` and, of masks, ``dice`` and the error.

    As :class:`~fetal_iqa_training.evaluation.metrics.FrameMetrics` and the judge do: Dice and
    the errors of the circumference are means over the frames that have them, and of frames without
    an abdomen there is the accuracy alone.
    """
    whole = np.ones((1, len(outcomes)))
    return {name: float(value[0]) for name, value in _weighted(outcomes, whole).items()}


def circumferences(
    parent: Outcomes, child: Outcomes
) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """Return how parent and child measure the circumference, so that the two can be compared.

    Parameters
    ----------
    parent, child : sequences of FrameOutcome
        Of the same frames in the same order.

    Returns
    -------
    parent, child : dict
        ``circumference_measured``, the frames that each measures; ``circumference_kept``, the share
        of those of the parent that it measures; and the mean errors over the frames that both
        measure, in mm only where the scale of all these frames is known. Empty where neither
        measures any.
    """
    if not any(one.measured for one in (*parent, *child)):
        return {}, {}
    whole = np.ones((1, len(parent)))
    kept = _kept(parent, child, whole)
    sides = []
    for own, compared, share in zip((parent, child), _comparable(parent, child), kept, strict=True):
        side: dict[str, JsonValue] = {MEASURED: sum(one.measured for one in own)}
        known = {KEPT: share} | _weighted(compared, whole)
        for name in (KEPT, *ERRORS):
            if name in known and np.isfinite(known[name][0]):
                side[name] = round(float(known[name][0]), 4)
        sides.append(side)
    return sides[0], sides[1]


def _comparable(parent: Outcomes, child: Outcomes) -> tuple[Outcomes, Outcomes]:
    """Leave out errors that only one of the two has, so that both are of the same frames.

    A model that loses the hard outlines has the smaller error over its own. Of frames of which some
    have no scale the error in mm is left out: that in percent is of all of them.
    """
    both = [one.measured and other.measured for one, other in zip(parent, child, strict=True)]
    scaled = all(
        one.circumference_error_mm is not None
        for side in (parent, child)
        for one, known in zip(side, both, strict=True)
        if known
    )
    first, second = (
        [
            replace(
                one,
                circumference_error_mm=one.circumference_error_mm if known and scaled else None,
                circumference_error_percent=one.circumference_error_percent if known else None,
            )
            for one, known in zip(side, both, strict=True)
        ]
        for side in (parent, child)
    )
    return first, second


def _kept(
    parent: Outcomes, child: Outcomes, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return which share of the parent's measured frames each measures; nan of none."""
    before, after = (np.array([one.measured for one in side]) for side in (parent, child))
    with np.errstate(invalid="ignore", divide="ignore"):
        of = weights @ before
        return of / of, (weights @ (before & after)) / of


def intervals(parent: Outcomes, child: Outcomes, seed: int = 0) -> dict[str, JsonValue]:
    """Return 95 % intervals of each metric of parent and child, and of their difference.

    Paired percentile bootstrap: both are judged on the same 1000 resamples of subjects, or of
    sweeps where it is not known whose they are, since frames of one subject are alike. Of fewer
    than 5 there are no intervals: they would be narrow for want of variety.

    Parameters
    ----------
    parent, child : sequences of FrameOutcome
        Of the same frames in the same order.
    seed : int

    Returns
    -------
    dict
        ``{"f1": {"parent": [low, high], "child": [...], "difference": [...]}, ...}``; empty where
        there are too few to tell.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    if len({outcome.unit for outcome in parent}) < FEWEST_UNITS:
        return {}
    weights = _resampled(parent, np.random.default_rng(seed))
    before, after = (_weighted(side, weights) for side in _comparable(parent, child))
    if any(one.measured for one in parent):
        before[KEPT], after[KEPT] = _kept(parent, child, weights)
    found: dict[str, JsonValue] = {}
    for name in before.keys() & after.keys():
        sides = {
            "parent": before[name],
            "child": after[name],
            "difference": after[name] - before[name],
        }
        ends = {side: np.nanpercentile(values, [2.5, 97.5]) for side, values in sides.items()}
        found[name] = {side: [round(float(end), 4) for end in of] for side, of in ends.items()}
    return dict(sorted(found.items()))


def resampled_units(outcomes: Outcomes) -> dict[str, JsonValue]:
    """Say what intervals resample: ``unit`` in words, ``count`` of them, whether ``enough``."""
    units = {outcome.unit for outcome in outcomes}
    known = [outcome.subject is not None for outcome in outcomes]
    unit = "sweeps" if not any(known) else "subjects"
    if any(known) and not all(known):
        unit = "subjects, and sweeps of unknown ones"
    return {"unit": unit, "count": len(units), "enough": len(units) >= FEWEST_UNITS}


def per_sweep(parent: Outcomes, child: Outcomes) -> dict[str, JsonValue]:
    """Return the metrics of parent and child on each sweep, by the start of its identity."""
    before, after = _by_sweep(parent), _by_sweep(child)
    found: dict[str, JsonValue] = {}
    for sweep in before:
        sides = before[sweep], after[sweep]
        measured = circumferences(*sides)
        was, now = (
            _rounded(side) | of for side, of in zip(_comparable(*sides), measured, strict=True)
        )
        found[sweep[:8]] = {"parent": was, "child": now}
    return found


def changed(parent: Outcomes, child: Outcomes, task: Task) -> dict[str, JsonValue]:
    """Name the frames that got better and worse, the most changed first; 20 of each at most.

    A frame's own score is, of a classifier, how near its score is to the truth; of a segmenter
    its Dice, or where there is nothing to outline whether it decides so.
    """
    moves = [
        (one.sweep, one.frame, _frame_score(one, task), _frame_score(other, task))
        for one, other in zip(parent, child, strict=True)
    ]
    better = sorted((m for m in moves if m[3] - m[2] > NOTABLE), key=lambda m: m[2] - m[3])
    worse = sorted((m for m in moves if m[2] - m[3] > NOTABLE), key=lambda m: m[3] - m[2])
    return {
        name: [
            {"sweep": sweep, "frame": frame, "before": round(was, 3), "after": round(now, 3)}
            for sweep, frame, was, now in side[:NAMED]
        ]
        for name, side in (("better", better), ("worse", worse))
    }


def _frame_score(outcome: FrameOutcome, task: Task) -> float:
    if task == "cls":
        return outcome.score if outcome.positive else 1 - outcome.score
    if outcome.dice is not None:
        return outcome.dice
    return float(outcome.decision == outcome.positive)


def _by_sweep(outcomes: Outcomes) -> Mapping[str, list[FrameOutcome]]:
    ordered = sorted(outcomes, key=lambda outcome: (outcome.sweep, outcome.frame))
    return {sweep: list(group) for sweep, group in groupby(ordered, lambda one: one.sweep)}


def _rounded(outcomes: Outcomes) -> dict[str, JsonValue]:
    known = {k: round(v, 4) for k, v in metrics(outcomes).items() if np.isfinite(v)}
    return {
        "frames": len(outcomes),
        "positives": sum(outcome.positive for outcome in outcomes),
        **known,
    }


def _resampled(outcomes: Outcomes, random: np.random.Generator) -> NDArray[np.float64]:
    """How often each frame is in each resample, (RESAMPLES, N)."""
    clusters = np.unique([outcome.unit for outcome in outcomes], return_inverse=True)[1]
    n_clusters = int(clusters.max()) + 1
    drawn = random.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), RESAMPLES)
    return drawn[:, clusters].astype(np.float64)


def _weighted(outcomes: Outcomes, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of frames that count ``weights`` times; nan where one is not defined."""
    positive = np.array([outcome.positive for outcome in outcomes])
    decision = np.array([outcome.decision for outcome in outcomes])
    found: dict[str, NDArray[np.float64]] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        found["accuracy"] = weights @ (positive == decision) / weights.sum(axis=1)
        if positive.any():
            found["precision"], found["recall"], found["f1"] = defined_metrics(
                *(weights @ frames for frames in (positive & decision, decision, positive))
            )
        for name in ("dice", *ERRORS):
            values = np.array([getattr(outcome, name) for outcome in outcomes], np.float64)
            known = np.isfinite(values)
            if known.any():
                found[name] = weights[:, known] @ values[known] / weights[:, known].sum(axis=1)
    return found
