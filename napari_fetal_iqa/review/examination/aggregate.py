"""One circumference of a case from those of its frames, with an interval.

The rule, step by step:

1. What the expert measured overrules: where there are such frames, only they count.
2. A frame whose circumference is far from the median of all, by more than 3.5 times their scaled
   median absolute deviation and by more than 10 %, is an outlier and is left out.
3. A probe that passes the abdomen sees it grow and shrink, and the plane that is measured is the
   widest: each run of neighbouring frames counts with the 90th percentile of its circumferences.
   Runs of one or two frames are flashes: they count only where no run is longer.
4. The case's value is the mean of its runs, weighted by their frames.
5. The interval adds what the runs leave open to the error that the models showed on cases whose
   circumference is known, or two observers where the expert measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

CONFIDENCE: Final = 0.90
OUTLIER_DEVIATIONS: Final = 3.5
"""Of a modified z-score (Iglewicz and Hoaglin 1993)."""
OUTLIER_SHARE: Final = 0.10
"""Nearer to the median than this no frame is an outlier, however alike the others are."""
FLASH_FRAMES: Final = 2
WIDEST_PERCENTILE: Final = 90
"""Of a run: on simulated cases nearer to the true plane than its median, which is 5 % too small."""
SCALED_MAD: Final = 1.4826
"""Makes the median absolute deviation of a normal distribution its standard deviation."""
OBSERVERS_SPREAD: Final = 0.088 / 1.96 / 2**0.5
"""Standard deviation of one measurement as a share of it, from the 95 % limits of agreement of two
observers, 8.8 % (Sarris et al., Ultrasound Obstet Gynecol 39 (2012) 82)."""


@dataclass(frozen=True)
class FrameCircumference:
    """The circumference of one frame that counts.

    Parameters
    ----------
    place : (int, int, int)
        Which volume of the case, which of its sweeps, which frame of the volume; 0-based.
    circumference_mm : float
    by_expert : bool
        The expert outlined or accepted it.
    truncated : bool
        A part of the outline lies beyond the field of view.
    """

    place: tuple[int, int, int]
    circumference_mm: float
    by_expert: bool = False
    truncated: bool = False


@dataclass(frozen=True)
class ModelError:
    """How far models were off on cases whose circumference is known.

    Parameters
    ----------
    share : float
        Root mean square of the error of a case, as a share of its circumference.
    run_share : float
        Root mean square of how far a run is from its case's value, as the same share.
    cases : int
    what : str
        Which cases, in words: ``"60 simulated cases"``.
    """

    share: float
    run_share: float
    cases: int
    what: str


@dataclass(frozen=True)
class CaseCircumference:
    """The circumference of a case.

    Parameters
    ----------
    circumference_mm : float
    interval_mm : (float, float) or None
        Holds the true one in 90 of 100 cases; None where nobody ever compared the models with
        known circumferences, so that it would be made up.
    by_expert : bool
        The expert's frames alone made it.
    n_runs : int
        Runs of frames that count.
    used, outliers, flashes : tuple of FrameCircumference
        Frames that count; that lie too far from the others; in runs too short to trust.
    error_of : str
        Whose error the interval holds beside the runs' own, in words; "nothing" without one.
    """

    circumference_mm: float
    interval_mm: tuple[float, float] | None
    by_expert: bool
    n_runs: int
    used: tuple[FrameCircumference, ...]
    outliers: tuple[FrameCircumference, ...]
    flashes: tuple[FrameCircumference, ...]
    error_of: str

    @property
    def truncated(self) -> int:
        """How many of the frames that count have an outline cut by the field of view."""
        return sum(frame.truncated for frame in self.used)


def case_circumference(
    frames: Sequence[FrameCircumference], model_error: ModelError | None = None
) -> CaseCircumference | None:
    """Make one circumference of those of a case's frames.

    Parameters
    ----------
    frames : sequence of FrameCircumference
        Frames that show the abdomen well enough to count, in any order.
    model_error : ModelError, optional
        Of the models that outlined them; without one there is no interval, unless the expert
        measured.

    Returns
    -------
    CaseCircumference
        None without frames.
    """
    by_expert = any(frame.by_expert for frame in frames)
    counting = sorted(
        (frame for frame in frames if frame.by_expert or not by_expert), key=lambda one: one.place
    )
    if not counting:
        return None
    kept, outliers = _without_outliers(counting)
    runs = runs_of(kept)
    flashes: list[FrameCircumference] = []
    if not by_expert and any(len(run) > FLASH_FRAMES for run in runs):
        flashes = [frame for run in runs if len(run) <= FLASH_FRAMES for frame in run]
        runs = [run for run in runs if len(run) > FLASH_FRAMES]
    of_others = model_error.run_share if model_error and not by_expert else 0.0
    value, variance = _over_runs(runs, of_others)
    share, error_of = OBSERVERS_SPREAD, "two observers (Sarris 2012)"
    if not by_expert:
        share, error_of = (
            (model_error.share, model_error.what) if model_error else (float("nan"), "nothing")
        )
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * np.sqrt(variance + (share * value) ** 2)
    interval = (float(value - half), float(value + half)) if np.isfinite(half) else None
    return CaseCircumference(
        circumference_mm=value,
        interval_mm=interval,
        by_expert=by_expert,
        n_runs=len(runs),
        used=tuple(frame for run in runs for frame in run),
        outliers=tuple(outliers),
        flashes=tuple(flashes),
        error_of=error_of,
    )


def _values(frames: Sequence[FrameCircumference]) -> NDArray[np.float64]:
    return np.array([frame.circumference_mm for frame in frames])


def _without_outliers(
    frames: Sequence[FrameCircumference],
) -> tuple[list[FrameCircumference], list[FrameCircumference]]:
    values = _values(frames)
    middle = np.median(values)
    away = np.abs(values - middle)
    limit = max(OUTLIER_DEVIATIONS * SCALED_MAD * np.median(away), OUTLIER_SHARE * middle)
    near = away <= limit
    return (
        [frame for frame, is_near in zip(frames, near, strict=True) if is_near],
        [frame for frame, is_near in zip(frames, near, strict=True) if not is_near],
    )


def runs_of(frames: Sequence[FrameCircumference]) -> list[list[FrameCircumference]]:
    """Part frames, in order, into those that follow each other in one sweep."""
    runs: list[list[FrameCircumference]] = []
    for frame in frames:
        volume, sweep, number = frame.place
        if runs and runs[-1][-1].place == (volume, sweep, number - 1):
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return runs


def _over_runs(
    runs: Sequence[Sequence[FrameCircumference]], run_share: float
) -> tuple[float, float]:
    """Return the weighted mean of the runs and its variance.

    The variance of a run is that of the runs among each other; few runs may agree by chance, so it
    is at least that of other cases.
    """
    widest = np.array([np.percentile(_values(run), WIDEST_PERCENTILE) for run in runs])
    weights = np.array([len(run) for run in runs]) / sum(map(len, runs))
    value = float(weights @ widest)
    alike = float((weights**2).sum())  # 1 / n where n runs are equally long
    scatter = float(weights @ (widest - value) ** 2) / (1 - alike) if len(runs) > 1 else 0.0
    return value, max(scatter, (run_share * value) ** 2) * alike
