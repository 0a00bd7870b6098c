"""Calibration: a quality of 0.8 should mean that 80 % of such frames show the abdomen.

A library on numbers; :mod:`~fetal_iqa_training.evaluation.calibrate_model` is about models.
"""

from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from textwrap import wrap

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

from fetal_iqa_training.errors import TrainingError

BINS = 15
"""Of equal width, as in Guo et al. 2017."""

TEMPERATURES = (0.02, 50.0)
"""Range that the temperature is searched in; where it ends at a bound, the scores tell little."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """What scores promised and what was true, bin by bin.

    Parameters
    ----------
    edges : (B + 1,) float
        Of the bins, 0 to 1.
    counts : (B,) int
        Scores in each bin.
    promised : (B,) float
        Mean score of each bin; nan where it is empty.
    observed : (B,) float
        Share of the bin's labels that are positive; nan where it is empty.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    promised: NDArray[np.float64]
    observed: NDArray[np.float64]

    @property
    def gaps(self) -> NDArray[np.float64]:
        """(B,) float: how far apart the two are; 0 where a bin is empty."""
        return np.nan_to_num(np.abs(self.observed - self.promised))

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean gap, weighted by the counts (Guo et al., eq. 3)."""
        return float(np.average(self.gaps, weights=self.counts))


def reliability(scores: ArrayLike, labels: ArrayLike, bins: int = BINS) -> Reliability:
    """Compare scores with what was true.

    As the score is the probability of one class, bins hold that probability against the share of
    positive labels; Guo et al. hold the confidence of the chosen class against its accuracy, which
    for two classes folds the lower half of the diagram onto the upper. A score on an edge counts
    in the bin below it, as theirs do; 0 in the first bin.

    Parameters
    ----------
    scores : (N,) float
        Probabilities.
    labels : (N,) bool or 0 and 1
    bins : int

    Returns
    -------
    Reliability

    Raises
    ------
    ValueError
        Where the two are not of one length, not empty, or no probabilities and labels.

    References
    ----------
    Guo et al., On calibration of modern neural networks, ICML 2017, section 2.
    """
    score, label = _pairs(scores, labels)
    if not ((score >= 0) & (score <= 1)).all():
        raise ValueError("expected scores of 0 to 1")
    edges = np.linspace(0, 1, bins + 1)
    bin_of = np.clip(np.searchsorted(edges, score, side="left") - 1, 0, bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    with np.errstate(invalid="ignore"):
        promised = np.bincount(bin_of, score, bins) / counts
        observed = np.bincount(bin_of, label, bins) / counts
    return Reliability(edges, counts, promised, observed)


def expected_calibration_error(scores: ArrayLike, labels: ArrayLike, bins: int = BINS) -> float:
    """Mean gap between what scores promise and what is true; see :func:`reliability`."""
    # Not torchmetrics' binary_calibration_error (1.9.0): it bins a score of exactly 1, which
    # float32 gives to every sure frame, apart from 0.99, and so differs from the diagram.
    return reliability(scores, labels, bins).expected_error


def brier_score(scores: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared difference of scores and labels of 0 and 1 (Brier, Monthly Weather Rev. 1950).

    Of Brier's two classes one is counted, so that 0 is perfect and 1 the worst.
    """
    score, label = _pairs(scores, labels)
    return float(np.mean((score - label) ** 2))


def negative_log_likelihood(logits: ArrayLike, labels: ArrayLike, temperature: float = 1) -> float:
    """Mean negative log likelihood of labels, by ``sigmoid(logits / temperature)``, in nats."""
    logit, label = _pairs(logits, labels)
    scaled = logit / temperature
    return float(np.mean(np.logaddexp(0, scaled) - label * scaled))


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Find the temperature that makes logits most likely; use frames not trained on.

    One positive number divides all logits: their order, and every decision at 0.5, stay. The search
    is over the logarithm of the temperature, in which the likelihood has one optimum.

    Parameters
    ----------
    logits : (N,) float
    labels : (N,) bool or 0 and 1

    Returns
    -------
    float
        Above 1 where the scores were too sure, below 1 where they were too timid; 0.02 to 50.

    Raises
    ------
    TrainingError
        Where all labels are the same: then there is nothing to calibrate by.
    ValueError
        Where the two are not of one length, not finite, or no labels.

    References
    ----------
    Guo et al., ICML 2017, section 4.2: temperature scaling.
    """
    logit, label = _pairs(logits, labels)
    if label.min() == label.max():
        raise TrainingError(
            "expected frames with and without an abdomen to calibrate by, found one kind only; "
            "add frames of the other"
        )
    lowest, highest = map(log, TEMPERATURES)
    found = minimize_scalar(
        lambda logarithm: negative_log_likelihood(logit, label, exp(logarithm)),
        bounds=(lowest, highest),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return exp(found.x)


def calibrated(logits: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Turn logits into probabilities at a temperature: ``sigmoid(logits / temperature)``."""
    return np.asarray(expit(np.asarray(logits, np.float64) / temperature))


def draw_reliability(
    before: Reliability, path: Path, after: Reliability | None = None, remark: str | None = None
) -> None:
    """Draw a reliability diagram as PNG: observed share over promised probability.

    Parameters
    ----------
    before : Reliability
    path : Path
    after : Reliability, optional
        Drawn beside it: the same frames after calibration.
    remark : str, optional
        What must be known of the frames; written over the diagram.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.add_subplot(
        aspect="equal", xlim=(0, 1), ylim=(0, 1), xlabel="quality", ylabel="share with an abdomen"
    )
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfect")
    shown = [("before" if after else "as it is", before, "o")]
    if after:
        shown.append(("calibrated", after, "s"))
    for name, found, marker in shown:
        filled = found.counts > 0
        axes.plot(
            found.promised[filled],
            found.observed[filled],
            marker=marker,
            label=f"{name}, expected error {found.expected_error:.3f}",
        )
    axes.legend(loc="upper left", frameon=False)
    if remark is not None:
        axes.set_title("\n".join(wrap(remark, 60)), fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=120)


def _pairs(
    numbers: ArrayLike, labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    number, label = np.asarray(numbers, np.float64), np.asarray(labels, np.float64)
    if number.ndim != 1 or number.shape != label.shape or not number.size:
        raise ValueError(f"expected as many scores as labels, found {number.shape}, {label.shape}")
    if not (np.isfinite(number).all() and np.isin(label, (0, 1)).all()):
        raise ValueError("expected finite scores, and labels of 0 and 1")
    return number, label
