"""The combined rule judged on test frames, beside each network alone; over several runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.bootstrap import Estimate, estimate, resampled_cases
from fetal_iqa_training.evaluation.metrics import defined_metrics
from fetal_iqa_training.experiments.threshold.rule import CombinedRule, RuleFrames, fit_rule
from fetal_iqa_training.experiments.threshold.study import mean_and_std
from napari_fetal_iqa.counted import counted

RECALL_KEPT: Final = "combined, SEG's recall kept"
BEST_F1: Final = "combined, best F1"
SYSTEMS: Final = ("SEG", "CLS", "SEG and CLS", RECALL_KEPT, BEST_F1)
METRICS: Final = ("precision", "recall", "f1")
COMPARISONS: Final = tuple(
    (rule, other) for rule in (RECALL_KEPT, BEST_F1) for other in SYSTEMS[:3]
)


@dataclass(frozen=True, eq=False)
class CombinedRuleStudy:
    """What the combined rule is good for.

    Parameters
    ----------
    cases : int
        Test cases.
    rules : tuple of CombinedRule
        One a run.
    metrics : dict of (runs, 3) float
        Precision, recall and F1 of each of :data:`SYSTEMS`, on the test frames.
    differences : dict of dict
        Of each of :data:`COMPARISONS`, metric by metric: by how much the combined rule's mean over
        the runs is higher, with the interval of a paired bootstrap over the cases.
    """

    cases: int
    rules: tuple[CombinedRule, ...]
    metrics: dict[str, NDArray[np.float64]]
    differences: dict[tuple[str, str], dict[str, Estimate]]

    def rows(self) -> list[dict[str, str | float | None]]:
        """One row a system: its name, mean and std of each metric."""
        return [
            {"system": system}
            | {
                f"{metric}_{end}": value
                for column, metric in enumerate(METRICS)
                for end, value in mean_and_std(of_runs[:, column]).items()
            }
            for system, of_runs in self.metrics.items()
        ]

    def as_json(self) -> dict[str, JsonValue]:
        """Return systems, differences with intervals, the rules themselves and the verdict."""
        return {
            "cases": self.cases,
            "systems": [dict(row) for row in self.rows()],
            "differences": [
                {"of": rule, "from": other}
                | {metric: difference.as_json() for metric, difference in by_metric.items()}
                for (rule, other), by_metric in self.differences.items()
            ],
            "rules": [rule.as_json() for rule in self.rules],
            "verdict": self.verdict(),
        }

    def verdict(self) -> str:
        """Answer the paper's question in words, for what was planned beforehand.

        That is the rule at the threshold that keeps SEG's recall on validation; the other was
        tried, too, and is no answer.
        """
        precision, recall = (self.differences[RECALL_KEPT, "SEG"][name] for name in METRICS[:2])
        agreeing = self.differences[RECALL_KEPT, "SEG and CLS"]
        return (
            f"On {counted(self.cases, 'test case')} the combined rule's precision is "
            f"{_signed(precision)} and its recall {_signed(recall)} against SEG alone: "
            f"{_answer(precision, recall)}. "
            "Against the simple rule that both networks must agree its precision is "
            f"{_signed(agreeing['precision'])} and its recall {_signed(agreeing['recall'])}."
        )


def study_combined_rule(
    runs: Sequence[tuple[RuleFrames, RuleFrames]], seed: int = 0
) -> CombinedRuleStudy:
    """Fit the rule on the validation frames of each run and judge it on its test frames.

    Parameters
    ----------
    runs : sequence of (validation, test)
        All with the same test cases.
    seed : int
        Of the resamples.

    Returns
    -------
    CombinedRuleStudy

    Raises
    ------
    TrainingError
        Without runs, where no test frame shows an abdomen, or where the rule cannot be fitted.
    ValueError
        Where runs differ in their test cases, or the two parts of a run in their features.
    """
    if not runs:
        raise TrainingError("no runs to study the combined rule on; train one model or more")
    cases = np.unique(runs[0][1].case)
    for validation, test in runs:
        if not test.positive.any():
            raise TrainingError(
                "no test frame shows an abdomen; give the test part of the data more cases"
            )
        if validation.names != test.names:
            raise ValueError(f"expected the features {validation.names}, found {test.names}")
        if not np.array_equal(np.unique(test.case), cases):
            raise ValueError("expected the same test cases in all runs")
    rules = tuple(fit_rule(validation) for validation, _ in runs)
    counts = [_counts(rule, test) for rule, (_, test) in zip(rules, runs, strict=True)]
    whole = np.arange(len(cases))[None]
    drawn = resampled_cases(len(cases), seed)
    metrics = {
        system: np.stack([_metrics(of_run[system], whole)[0] for of_run in counts])
        for system in SYSTEMS
    }
    resampled = {
        system: np.mean([_metrics(of_run[system], drawn) for of_run in counts], axis=0)
        for system in SYSTEMS
    }
    differences = {
        (rule, other): {
            metric: estimate(
                float((metrics[rule] - metrics[other])[:, column].mean()),
                (resampled[rule] - resampled[other])[:, column],
            )
            for column, metric in enumerate(METRICS)
        }
        for rule, other in COMPARISONS
    }
    return CombinedRuleStudy(len(cases), rules, metrics, differences)


def _counts(rule: CombinedRule, test: RuleFrames) -> dict[str, NDArray[np.float64]]:
    """(3, cases) of each system: frames rightly called positive, called positive, and positive."""
    probability = rule.probability(test.features)
    decisions = (
        test.seg,
        test.cls,
        test.seg & test.cls,
        probability >= rule.recall_threshold,
        probability >= rule.f1_threshold,
    )
    of_case = np.unique(test.case, return_inverse=True)[1]
    return {
        system: np.stack(
            [np.bincount(of_case, part) for part in (called & test.positive, called, test.positive)]
        )
        for system, called in zip(SYSTEMS, decisions, strict=True)
    }


def _metrics(counts: NDArray[np.float64], drawn: NDArray[np.intp]) -> NDArray[np.float64]:
    """(R, 3) metrics of each draw of cases, (R, cases); nan of one without an abdomen."""
    return np.stack(defined_metrics(*counts[:, drawn].sum(axis=2)), axis=1)


def _answer(precision: Estimate, recall: Estimate) -> str:
    if precision.low is None or precision.high is None or recall.high is None:
        return "too few cases to tell"
    if precision.low > 0:
        lost = "recall is lost" if recall.high < 0 else "no loss of recall is shown"
        return f"precision is won, {lost}"
    return "precision is lost" if precision.high < 0 else "no gain is shown"


def _signed(difference: Estimate) -> str:
    text = f"{difference.value:+.4f}"
    if difference.low is None or difference.high is None:
        return text
    return f"{text} (95 % interval {difference.low:+.4f} to {difference.high:+.4f})"
