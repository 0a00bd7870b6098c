"""Whether one row is better than another beyond the luck of which subjects were judged.

Paired randomisation test over subjects: if two systems were alike, it would not matter which of
them gave which result for a subject; so the results of subjects are swapped at random and the
difference is computed anew. A subject's frames stay together, since they are alike. Over the runs
that both have the difference is the mean. The p values of a table are corrected for their number
by Holm's method.

References
----------
Noreen, Computer-Intensive Methods for Testing Hypotheses, Wiley 1989; Yeh, More accurate tests for
the statistical significance of result differences, COLING 2000; Holm, A simple sequentially
rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.tables.frame_outcomes import Counts, read_counts
from fetal_iqa_training.experiments.tables.results import RowResult

EXACT_SUBJECTS = 12
"""Up to so many, all swaps are gone through: 4,096; of more, as many as RESAMPLES are drawn."""
RESAMPLES = 10_000
FEWEST_SUBJECTS = 5
"""Of fewer subjects no swap can be rare: the smallest p of 4 is 0.125."""

_PARTS = {"f1": ("hits", "called", "positives"), "dice": ("dice", "outlined")}
"""The sums over subjects that a metric is made of."""


@dataclass(frozen=True)
class PairedTest:
    """Two rows on the same subjects.

    Parameters
    ----------
    row, other : str
        Names.
    metric : str
    difference : float
        Of the first less the second: mean over the runs that both have.
    p : float
        Two-sided.
    p_holm : float
        Corrected for the number of tests of its table.
    subjects, runs : int
    """

    row: str
    other: str
    metric: str
    difference: float
    p: float
    p_holm: float
    subjects: int
    runs: int


def paired_tests(results: Sequence[RowResult], metric: str, seed: int = 0) -> list[PairedTest]:
    """Compare all pairs of rows.

    Parameters
    ----------
    results : sequence of RowResult
        Pairs without a common run, and runs without a file of their frames, are left out.
    metric : {"f1", "dice"}
    seed : int
        Of the swaps.

    Returns
    -------
    list of PairedTest
        Empty where there are fewer than 5 subjects.

    Raises
    ------
    TrainingError
        Where two runs to pair were judged on different frames or by different truths.
    """
    counts = {
        result.row.name: {
            run.seed: (run.test_data, read_counts(run.outcomes))
            for run in result.runs
            if run.outcomes
        }
        for result in results
    }
    found = []
    for one, other in combinations(results, 2):
        own, others = counts[one.row.name], counts[other.row.name]
        pairs = [
            _paired(own[number], others[number], f"{one.row.name} and {other.row.name}", number)
            for number in sorted(own.keys() & others.keys())
        ]
        if pairs and len(pairs[0][0].subjects) >= FEWEST_SUBJECTS:
            difference, p = randomisation_test(pairs, metric, seed)
            if np.isfinite(difference):
                names = one.row.name, other.row.name
                n_subjects = len(pairs[0][0].subjects)
                test = PairedTest(*names, metric, difference, p, p, n_subjects, len(pairs))
                found.append(test)
    corrected = holm([test.p for test in found])
    return [replace(test, p_holm=p) for test, p in zip(found, corrected, strict=True)]


_Judged = tuple[str, Counts]
"""What a run was judged on, and how."""


def _paired(one: _Judged, other: _Judged, names: str, seed: int) -> tuple[Counts, Counts]:
    if one[0] != other[0] or one[1].truth != other[1].truth:
        raise TrainingError(
            f"{names}: their runs of seed {seed} were judged on other frames or by other truths, "
            "and cannot be paired; move one of them away, so that it is made again"
        )
    return one[1], other[1]


def randomisation_test(
    pairs: Sequence[tuple[Counts, Counts]], metric: str, seed: int = 0
) -> tuple[float, float]:
    """Return the mean difference of a metric over runs, and how rare it is among swaps.

    Parameters
    ----------
    pairs : sequence of (Counts, Counts)
        The two systems, run by run, on the same subjects.
    metric : {"f1", "dice"}
    seed : int

    Returns
    -------
    difference, p : float
        nan and 1 where the metric is not defined.
    """
    n_subjects = len(pairs[0][0].subjects)
    if n_subjects <= EXACT_SUBJECTS:
        swaps = np.array(list(product((0.0, 1.0), repeat=n_subjects)))  # the first swaps nobody
        drawn = 0
    else:
        random = np.random.default_rng(seed)
        swaps = random.integers(0, 2, (RESAMPLES + 1, n_subjects)).astype(np.float64)
        swaps[0] = 0
        drawn = 1
    with np.errstate(invalid="ignore", divide="ignore"):
        differences = np.mean([_differences(*pair, metric, swaps) for pair in pairs], axis=0)
    observed = float(differences[0])
    if not np.isfinite(observed):
        return observed, 1.0
    # swapping everybody gives the same value with the other sign, but for rounding
    as_rare = np.abs(differences[drawn:]) >= abs(observed) - 1e-12
    return observed, float((as_rare.sum() + drawn) / (len(as_rare) + drawn))


def _differences(
    one: Counts, other: Counts, metric: str, swaps: NDArray[np.float64]
) -> NDArray[np.float64]:
    sides = []
    for own, others in ((one, other), (other, one)):
        sums = {}
        for part in _PARTS[metric]:
            mine, theirs = getattr(own, part), getattr(others, part)
            sums[part] = mine.sum() + swaps @ (theirs - mine)
        sides.append(_metric(metric, sums))
    return sides[0] - sides[1]


def _metric(metric: str, sums: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    if metric == "dice":
        return sums["dice"] / sums["outlined"]
    return np.nan_to_num(2 * sums["hits"] / (sums["called"] + sums["positives"]))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for their number by Holm's step-down method; 1 at most."""
    order = np.argsort(p_values)
    corrected = np.zeros(len(p_values))
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return [float(p) for p in corrected]
