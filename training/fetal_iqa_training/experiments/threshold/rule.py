"""A rule on mask and CLS that tries to win back SEG's lost precision: the paper's open question.

SEG finds more abdomens than CLS but is wrong more often (arXiv 2507.22802: recall 0.8599 against
0.7397, precision 0.6988 against 0.7782). A logistic regression on features of the mask, the scores
and the neighbouring frames is fitted on validation frames alone, and judged on test frames beside
SEG alone, CLS alone, and both agreeing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from scipy.special import expit

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.bootstrap import rounded
from fetal_iqa_training.evaluation.metrics import precision_recall_f1

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FOLDS = 5  # of the paper's 30 validation cases, 6 are held out at a time
STRENGTHS: Final = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
"""Of the inverse regularisation C; the one with the least loss on held-out folds is taken."""


@dataclass(frozen=True, eq=False)
class RuleFrames:
    """Frames of one part of the data, all that the rule is fitted on or judged by.

    Parameters
    ----------
    names : tuple of str
        Of the features.
    features : (N, F) float64
    positive : (N,) bool
        The truth.
    case : (N,) array
        Whose frame it is: the subject where one has several cases. Folds and resamples keep the
        frames of one together.
    seg, cls : (N,) bool
        What each network alone decides, at its own threshold.
    """

    names: tuple[str, ...]
    features: NDArray[np.float64]
    positive: NDArray[np.bool_]
    case: NDArray[Any]
    seg: NDArray[np.bool_]
    cls: NDArray[np.bool_]

    def __post_init__(self) -> None:
        count = len(self.positive)
        lengths = {len(part) for part in (self.features, self.case, self.seg, self.cls)}
        if lengths != {count} or self.features.shape[1:] != (len(self.names),):
            raise ValueError(
                f"expected {len(self.names)} features, a case and two decisions for each of "
                f"{count} frames, found features {self.features.shape} and lengths {lengths}"
            )


@dataclass(frozen=True, eq=False)
class CombinedRule:
    """A logistic regression with two thresholds.

    Parameters
    ----------
    names : tuple of str
        Of the features.
    center, scale : (F,) float
        What standardises a feature: the mean and standard deviation of the validation frames.
    weights : (F,) float
        Of the standardised features: how the log odds change by one standard deviation.
    bias : float
    strength : float
        The inverse regularisation C chosen.
    recall_threshold : float
        The highest probability at which no fewer validation frames with an abdomen are found than
        by SEG; on probabilities from folds that the frame was held out of.
    f1_threshold : float
        The probability with the best F1 on the same; the highest of equals.
    """

    names: tuple[str, ...]
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: float
    strength: float
    recall_threshold: float
    f1_threshold: float

    def probability(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) float: how likely each frame shows an abdomen, of (N, F) features."""
        return np.asarray(expit((features - self.center) / self.scale @ self.weights + self.bias))

    def as_json(self) -> dict[str, JsonValue]:
        """Return the rule as numbers: it can be applied from these."""
        return {
            "features": [
                {"name": name, "center": float(c), "scale": float(s), "weight": float(w)}
                for name, c, s, w in zip(
                    self.names, self.center, self.scale, self.weights, strict=True
                )
            ],
            "bias": self.bias,
            "strength": self.strength,
            "recall_threshold": rounded(self.recall_threshold),
            "f1_threshold": rounded(self.f1_threshold),
        }


def fit_rule(validation: RuleFrames) -> CombinedRule:
    """Fit the rule on validation frames; nothing of the test frames is known to it.

    Strength and thresholds are chosen on probabilities that each frame got from a fit without its
    case; the rule itself is then fitted on all frames.

    Parameters
    ----------
    validation : RuleFrames

    Returns
    -------
    CombinedRule

    Raises
    ------
    TrainingError
        Where fewer than two cases have frames with an abdomen, or a fold is left with one kind of
        frame only.
    """
    folds = _folds(validation)
    truth = validation.positive
    held_out = {strength: _held_out(validation, folds, strength) for strength in STRENGTHS}
    strength = min(STRENGTHS, key=lambda strength: _log_loss(held_out[strength], truth))
    probability = held_out[strength]
    pipeline = _logistic_regression(strength).fit(validation.features, truth)
    scaler, model = pipeline[0], pipeline[1]
    return CombinedRule(
        validation.names,
        scaler.mean_,
        scaler.scale_,
        model.coef_[0],
        float(model.intercept_[0]),
        strength,
        _recall_threshold(probability, truth, int((validation.seg & truth).sum())),
        _f1_threshold(probability, truth),
    )


def _folds(frames: RuleFrames) -> NDArray[np.intp]:
    """(N,) int: fold of each frame; cases are dealt out, those with most positive frames first."""
    cases, of_case = np.unique(frames.case, return_inverse=True)
    positives = np.bincount(of_case, frames.positive, len(cases))
    n_folds = min(FOLDS, int((positives > 0).sum()))
    if n_folds < 2:
        raise TrainingError(
            "the combined rule is fitted on validation cases with an abdomen, and needs 2 or more; "
            f"found {n_folds}: give validation more cases"
        )
    fold_of_case = np.empty(len(cases), np.intp)
    fold_of_case[np.argsort(-positives, kind="stable")] = np.arange(len(cases)) % n_folds
    folds = fold_of_case[of_case]
    for fold in range(n_folds):
        if frames.positive[folds != fold].all():
            raise TrainingError(
                "the combined rule is fitted on validation frames without an abdomen, too; "
                "found them in too few cases: give validation more cases"
            )
    return np.asarray(folds, np.intp)


def _logistic_regression(strength: float) -> "Pipeline":
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5000))


def _held_out(frames: RuleFrames, folds: NDArray[np.intp], strength: float) -> NDArray[np.float64]:
    probability = np.empty(len(folds))
    for fold in np.unique(folds):
        out = folds == fold
        fitted = _logistic_regression(strength).fit(frames.features[~out], frames.positive[~out])
        probability[out] = fitted.predict_proba(frames.features[out])[:, 1]
    return probability


def _log_loss(probability: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    likelihood = np.where(truth, probability, 1 - probability)
    # one frame that a fold is certain and wrong about would make the loss infinite
    return float(-np.log(np.maximum(likelihood, 1e-15)).mean())


def _recall_threshold(
    probability: NDArray[np.float64], truth: NDArray[np.bool_], hits: int
) -> float:
    """Return the highest threshold that finds ``hits`` positive frames; 1 where SEG finds none."""
    found_first = np.sort(probability[truth])[::-1]
    return float(found_first[max(hits, 1) - 1])


def _f1_threshold(probability: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    falling = np.argsort(-probability, kind="stable")
    threshold, hit = probability[falling], truth[falling]
    f1 = precision_recall_f1(np.cumsum(hit), np.arange(1, len(hit) + 1), truth.sum())[2]
    last_of_equals = np.append(threshold[1:] != threshold[:-1], True)
    return float(threshold[np.argmax(np.where(last_of_equals, f1, -1.0))])
