"""Where to put the threshold on the mask's area: the paper's 1 % and what else could be.

SEG calls a frame positive where its mask covers a share of the padded square. The experiment moves
that share from 0.1 % to 5 % and distinguishes three thresholds: the paper's, the one that is best
on the test frames themselves (how much there is to win, and no honest result), and the one that is
best on the validation frames.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from fetal_iqa_models.thresholds import AREA_THRESHOLD
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.bootstrap import rounded, spread
from fetal_iqa_training.evaluation.metrics import precision_recall_f1

SHARES = np.arange(10, 501) / 10_000  # of whole numbers: a sum of steps would miss the 0.01
"""(491,) thresholds: 0.1 % to 5 % in steps of 0.01 %, which is 5 pixels of 224 x 224."""
CURVE_POINTS = 200  # a picture shows no more, and the JSON is no longer than needed

_Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ScoredFrames:
    """Frames of one part of the data, scored and judged.

    Parameters
    ----------
    share : (N,) float
        What SEG's mask covers of the padded square, 0 to 1.
    positive : (N,) bool
        The truth: an expert outlined the abdomen.
    """

    share: NDArray[np.floating]
    positive: NDArray[np.bool_]


@dataclass(frozen=True)
class Decision:
    """How well frames are decided at one threshold.

    Parameters
    ----------
    share : float
        A frame is positive where its share is this or more.
    precision, recall, f1 : float
        0 of nothing is 0.
    """

    share: float
    precision: float
    recall: float
    f1: float

    def metrics(self) -> dict[str, float]:
        """Return the threshold in percent, and the metrics."""
        return {
            "share_percent": 100 * self.share,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


@dataclass(frozen=True, eq=False)
class ThresholdRun:
    """One model on its test frames.

    Parameters
    ----------
    precision, recall, f1 : (K,) float
        At each threshold of the study.
    curve_recall, curve_precision : (P,) float
        Precision over recall at the frames' own shares, from the strictest threshold to the most
        lenient; 200 points at most.
    average_precision : float
        Area under that curve, as steps.
    paper, chosen, best : Decision
        On the test frames, at the paper's 1 %, at the threshold with the best F1 on the validation
        frames, and at the one with the best F1 on the test frames.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    curve_recall: NDArray[np.float64]
    curve_precision: NDArray[np.float64]
    average_precision: float
    paper: Decision
    chosen: Decision
    best: Decision

    @property
    def decisions(self) -> dict[str, Decision]:
        """The three thresholds by name."""
        return {"paper": self.paper, "chosen": self.chosen, "best": self.best}

    def as_json(self) -> dict[str, JsonValue]:
        """Return the metrics at the three thresholds, and the curve."""
        summary: dict[str, JsonValue] = {
            name: {key: rounded(value) for key, value in decision.metrics().items()}
            for name, decision in self.decisions.items()
        }
        summary["average_precision"] = rounded(self.average_precision)
        summary["curve"] = {
            "recall": self.curve_recall.round(4).tolist(),
            "precision": self.curve_precision.round(4).tolist(),
        }
        return summary


@dataclass(frozen=True, eq=False)
class ThresholdStudy:
    """What the threshold does, over several runs.

    Parameters
    ----------
    shares : (K,) float
        The thresholds tried.
    runs : tuple of ThresholdRun
    """

    shares: NDArray[np.float64]
    runs: tuple[ThresholdRun, ...]

    def rows(self) -> list[dict[str, float | None]]:
        """One row a threshold: ``share_percent``, and mean and std of each metric."""
        columns = {
            name: np.stack([getattr(run, name) for run in self.runs])
            for name in ("precision", "recall", "f1")
        }
        return [
            {"share_percent": rounded(100 * share)}
            | {
                f"{name}_{end}": value
                for name, of_runs in columns.items()
                for end, value in mean_and_std(of_runs[:, row]).items()
            }
            for row, share in enumerate(self.shares)
        ]

    def as_json(self) -> dict[str, JsonValue]:
        """Mean and std of each metric at ``paper``, ``chosen``, ``best``; then run by run."""
        summary: dict[str, JsonValue] = {}
        for name in ("paper", "chosen", "best"):
            of_runs = [run.decisions[name].metrics() for run in self.runs]
            summary[name] = {
                metric: dict(mean_and_std([one[metric] for one in of_runs]))
                for metric in of_runs[0]
            }
        averages = [run.average_precision for run in self.runs]
        summary["average_precision"] = dict(mean_and_std(averages))
        summary["runs"] = [run.as_json() for run in self.runs]
        return summary


def study_threshold(
    runs: Sequence[tuple[ScoredFrames, ScoredFrames]], shares: NDArray[np.float64] = SHARES
) -> ThresholdStudy:
    """Try thresholds on the area of SEG's masks.

    Parameters
    ----------
    runs : sequence of (validation, test)
        Frames of each run, scored by that run's model.
    shares : (K,) float
        Thresholds to try; by default 0.1 % to 5 % in steps of 0.01 %.

    Returns
    -------
    ThresholdStudy
        Of equally good thresholds the one nearest the paper's is taken, the lower of two as near.

    Raises
    ------
    TrainingError
        Without runs, or where a part has no frame that shows an abdomen or a share that is no
        number.
    """
    if not runs:
        raise TrainingError("no runs to study the threshold on; train one model or more")
    for number, (validation, test) in enumerate(runs, start=1):
        _check(validation, f"run {number}, validation")
        _check(test, f"run {number}, test")
    return ThresholdStudy(shares, tuple(_run(*parts, shares) for parts in runs))


def mean_and_std(values: Iterable[float]) -> dict[str, float | None]:
    """Return ``mean`` and the sample ``std`` of one number a run; of one run no std."""
    found = spread(values)
    assert found is not None
    return {"mean": rounded(found.mean), "std": rounded(found.std)}


def _check(frames: ScoredFrames, part: str) -> None:
    if frames.share.ndim != 1 or frames.share.shape != frames.positive.shape:
        raise ValueError(
            f"{part}: expected one share and one truth a frame, "
            f"found {frames.share.shape} and {frames.positive.shape}"
        )
    if not frames.positive.any():
        raise TrainingError(f"{part}: no frame shows an abdomen; give this part more cases")
    if not np.isfinite(frames.share).all():
        raise TrainingError(f"{part}: the model gives no numbers; train it again")


def _run(validation: ScoredFrames, test: ScoredFrames, shares: NDArray[np.float64]) -> ThresholdRun:
    precision, recall, f1 = _at(test, shares)
    own_shares = np.unique(test.share)[::-1]
    curve_precision, curve_recall, _ = _at(test, own_shares)
    steps = np.diff(curve_recall, prepend=0)
    n_points = min(CURVE_POINTS, len(own_shares))
    shown = np.linspace(0, len(own_shares) - 1, n_points).round().astype(np.intp)
    return ThresholdRun(
        precision,
        recall,
        f1,
        curve_recall[shown],
        curve_precision[shown],
        float(steps @ curve_precision),
        paper=_decision(test, AREA_THRESHOLD),
        chosen=_decision(test, _best_share(validation, shares)),
        best=_decision(test, _best_share(test, shares)),
    )


def _best_share(frames: ScoredFrames, shares: NDArray[np.float64]) -> float:
    f1 = _at(frames, shares)[2]
    equals = shares[f1 == f1.max()]
    # rounded: 0.9 % and 1.1 % are equally near, whatever their last binary digit is
    return float(min(equals, key=lambda share: (round(abs(share - AREA_THRESHOLD), 9), share)))


def _decision(frames: ScoredFrames, share: float) -> Decision:
    return Decision(share, *(float(metric[0]) for metric in _at(frames, np.array([share]))))


def _at(
    frames: ScoredFrames, shares: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    hits = _at_least(frames.share[frames.positive], shares)
    return precision_recall_f1(hits, _at_least(frames.share, shares), frames.positive.sum())


def _at_least(values: NDArray[np.floating], thresholds: NDArray[np.floating]) -> _Counts:
    """Count the values at or above each threshold; in float32, as the networks give them."""
    ordered = np.sort(values.astype(np.float32))
    return len(ordered) - np.searchsorted(ordered, thresholds.astype(np.float32), side="left")
