"""How sure a number is: percentile intervals from resampled cases."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import JsonValue

RESAMPLES = 1000
FEWEST_CASES = 5
"""Of fewer cases no interval is given: their resamples show nothing."""


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval.

    Parameters
    ----------
    value : float or None
        None where nothing could be measured.
    low, high : float or None
        None where there are too few cases.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def as_json(self) -> dict[str, JsonValue]:
        """Return ``value`` and ``interval``, rounded to 4 digits; None where not known."""
        known = self.low is not None and self.high is not None
        return {
            "value": rounded(self.value),
            "interval": [rounded(self.low), rounded(self.high)] if known else None,
        }

    def as_row(self, name: str) -> dict[str, float | None]:
        """Return three columns of a table: ``<name>``, ``<name>_low``, ``<name>_high``."""
        ends = {"": self.value, "_low": self.low, "_high": self.high}
        return {name + end: rounded(value) for end, value in ends.items()}


def rounded(value: float | None) -> float | None:
    """Round to 4 digits; None stays None."""
    return None if value is None else round(float(value), 4)


def resampled_cases(n_cases: int, seed: int = 0) -> NDArray[np.intp]:
    """Draw cases with replacement, as many as there are, 1000 times.

    Returns
    -------
    (1000, n_cases) int array
        Of case numbers; (0, n_cases) of fewer than 5 cases.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    n_resamples = RESAMPLES if n_cases >= FEWEST_CASES else 0
    random = np.random.default_rng(seed)
    return random.integers(0, max(n_cases, 1), (n_resamples, n_cases), dtype=np.intp)


def estimate(value: float, resamples: NDArray[np.float64]) -> Estimate:
    """Put the 2.5 and 97.5 percentiles of its resamples, (R,), beside a number.

    Resamples in which it is not defined, nan, are left out.
    """
    known = resamples[np.isfinite(resamples)]
    if not len(known):
        return Estimate(float(value))
    low, high = np.percentile(known, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def estimated_mean(
    values: ArrayLike, seed: int = 0, subjects: Sequence[str] | None = None
) -> Estimate:
    """Return the mean of one finite number a case, (n_cases,); None of no cases.

    Where the subjects of the cases are given they are resampled, each with all its cases.
    """
    of_case = np.asarray(values, np.float64)
    if not of_case.size:
        return Estimate(None)
    means = [of_case[drawn].mean() for drawn in _resamples(len(of_case), seed, subjects)]
    return estimate(of_case.mean(), np.array(means))


def estimated_percentile(
    values: ArrayLike, percent: float, seed: int = 0, subjects: Sequence[str] | None = None
) -> Estimate:
    """Return a percentile of one finite number a case, as :func:`estimated_mean` the mean."""
    of_case = np.asarray(values, np.float64)
    if not of_case.size:
        return Estimate(None)
    drawn = [of_case[rows] for rows in _resamples(len(of_case), seed, subjects)]
    return estimate(
        float(np.percentile(of_case, percent)),
        np.array([np.percentile(of_resample, percent) for of_resample in drawn]),
    )


def _resamples(
    n_cases: int, seed: int, subjects: Sequence[str] | None
) -> Iterator[NDArray[np.intp]]:
    """Yield the cases of each resample; none of fewer than 5 subjects."""
    whose = range(n_cases) if subjects is None else subjects
    cases_of: dict[object, list[int]] = {}
    for case, subject in enumerate(whose):
        cases_of.setdefault(subject, []).append(case)
    groups = [np.array(cases, np.intp) for cases in cases_of.values()]
    for drawn in resampled_cases(len(groups), seed):
        yield np.concatenate([groups[number] for number in drawn])


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over runs; no deviation for one run."""

    mean: float
    std: float | None
    runs: int

    def __str__(self) -> str:
        """Write as tables do: ``0.7570 ± 0.0123``."""
        return f"{self.mean:.4f}" + ("" if self.std is None else f" ± {self.std:.4f}")


def spread(values: Iterable[float]) -> Spread | None:
    """Summarise one number a run; None where there is no run."""
    of_runs = [float(value) for value in values]
    if not of_runs:
        return None
    std = statistics.stdev(of_runs) if len(of_runs) > 1 else None
    return Spread(statistics.fmean(of_runs), std, len(of_runs))
