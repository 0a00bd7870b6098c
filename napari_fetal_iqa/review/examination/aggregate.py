"""One circumference of a case from those of its frames, with an interval.

The rule, step by step:

1. What the expert measured overrules: where there are such frames, only they count.
2. A frame whose circumference is far from the median of all, by more than 3.5 times their scaled
   median absolute deviation and by more than 10 %, is an outlier and is left out.
3. A probe that passes the abdomen sees it grow and shrink, and the plane that is measured is the
   widest: each run of neighbouring frames counts with the 90th percentile of its circumferences.
   Runs of one or two frames are flashes: they count only where no run is longer.
4. The case's value is the mean of its runs, weighted by their frames.
5. Half the interval is a multiple of the case's own spread: how much its runs differ among each
   other, and at least 2 % of the value. The multiple is the smallest with which nine of ten cases
   hold their known circumference (split conformal prediction), so that nothing is assumed of how
   errors are distributed. Where the expert measured, two observers' difference takes its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, hypot
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
LEAST_SPREAD: Final = 0.02
"""Of a case, as a share: few runs may agree by chance, and one run cannot differ at all."""
OF_NORMAL: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
"""Half the interval of a normal distribution, in its standard deviations."""


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
    scale : float
        Half the interval of a case, as a multiple of its own spread.
    cases : int
        Whose circumference is known.
    what : str
        Which cases, in words: ``"60 simulated cases"``.

    References
    ----------
    Lei et al., Journal of the American Statistical Association 113 (2018) 1094.
    """

    scale: float
    cases: int
    what: str

    @classmethod
    def calibrated(
        cls, cases: Sequence[tuple[Sequence[FrameCircumference], float]], what: str
    ) -> "ModelError":
        """Find the scale with which the interval of a case like these holds the truth.

        Parameters
        ----------
        cases : sequence of (frames, circumference in mm)
            Those without a frame that counts are left out.
        what : str

        Raises
        ------
        ValueError
            Of fewer than nine cases, none of which can stand for the widest tenth.
        """
        scores = []
        for frames, truth_mm in cases:
            found = case_circumference(frames)
            if found is not None:
                away = abs(found.circumference_mm - truth_mm)
                scores.append(away / (found.circumference_mm * found.spread))
        place = ceil((len(scores) + 1) * CONFIDENCE)
        if place > len(scores):
            raise ValueError(f"expected at least 9 cases to calibrate by, found {len(scores)}")
        return cls(sorted(scores)[place - 1], len(scores), what)


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
        Whose error the interval holds, in words; "nothing" without one.
    spread : float
        How much the case's own runs leave open, as a share of the circumference.
    """

    circumference_mm: float
    interval_mm: tuple[float, float] | None
    by_expert: bool
    n_runs: int
    used: tuple[FrameCircumference, ...]
    outliers: tuple[FrameCircumference, ...]
    flashes: tuple[FrameCircumference, ...]
    error_of: str
    spread: float

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
    value, variance = _over_runs(runs)
    least = OBSERVERS_SPREAD if by_expert else LEAST_SPREAD
    spread = hypot(variance**0.5 / value, least)
    if by_expert:
        error_of, scale = "two observers (Sarris 2012)", OF_NORMAL
    elif model_error is not None:
        error_of, scale = model_error.what, model_error.scale
    else:
        error_of, scale = "nothing", None
    half = None if scale is None else scale * spread * value
    interval = None if half is None else (value - half, value + half)
    return CaseCircumference(
        circumference_mm=value,
        interval_mm=interval,
        by_expert=by_expert,
        n_runs=len(runs),
        used=tuple(frame for run in runs for frame in run),
        outliers=tuple(outliers),
        flashes=tuple(flashes),
        error_of=error_of,
        spread=spread,
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


def _over_runs(runs: Sequence[Sequence[FrameCircumference]]) -> tuple[float, float]:
    """Return the weighted mean of the runs, and its variance by how much they differ."""
    widest = np.array([np.percentile(_values(run), WIDEST_PERCENTILE) for run in runs])
    weights = np.array([len(run) for run in runs]) / sum(map(len, runs))
    value = float(weights @ widest)
    alike = float((weights**2).sum())  # 1 / n where n runs are equally long
    scatter = float(weights @ (widest - value) ** 2) / (1 - alike) if len(runs) > 1 else 0.0
    return value, scatter * alike
