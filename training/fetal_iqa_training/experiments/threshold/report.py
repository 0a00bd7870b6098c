"""The threshold on the area of masks, and the combined rule: studied and written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.bootstrap import Spread, spread
from fetal_iqa_training.experiments.tables.catalogue import SEG
from fetal_iqa_training.experiments.tables.csv_text import as_csv
from fetal_iqa_training.experiments.tables.format import document, markdown_table
from fetal_iqa_training.experiments.tables.plan import Plan
from fetal_iqa_training.experiments.tables.plots import mark, save_png
from fetal_iqa_training.experiments.tables.results import ResultPair, paired_runs
from fetal_iqa_training.experiments.tables.write import about, write_json
from fetal_iqa_training.experiments.threshold.plot import draw_threshold
from fetal_iqa_training.experiments.threshold.rule_plot import draw_combined_rule
from fetal_iqa_training.experiments.threshold.rule_study import (
    CombinedRuleStudy,
    study_combined_rule,
)
from fetal_iqa_training.experiments.threshold.runs import ScoredRun
from fetal_iqa_training.experiments.threshold.study import ThresholdStudy, study_threshold

TITLE = "Threshold on the area of the mask"
METRICS = ("precision", "recall", "f1")
NAMED = {
    "paper": "1 %, as the paper",
    "chosen": "best F1 on validation frames",
    "best": "best F1 on the test frames themselves: the most there is to win",
}


@dataclass(frozen=True)
class ThresholdResults:
    """Both studies; the rule's may fail where the threshold's does not.

    Parameters
    ----------
    threshold : ThresholdStudy
    rule : CombinedRuleStudy or None
    rule_failure : str or None
    """

    threshold: ThresholdStudy
    rule: CombinedRuleStudy | None
    rule_failure: str | None


def study_threshold_and_rule(runs: Sequence[ScoredRun], seed: int) -> ThresholdResults:
    """Study the threshold and the combined rule.

    Raises
    ------
    TrainingError
        Where the threshold cannot be studied.
    """
    threshold = study_threshold([(one.for_threshold(), two.for_threshold()) for one, two in runs])
    try:
        rule = study_combined_rule([(one.for_rule(), two.for_rule()) for one, two in runs], seed)
    except TrainingError as error:
        return ThresholdResults(threshold, None, str(error))
    return ThresholdResults(threshold, rule, None)


def write_threshold(
    plan: Plan, results: ResultPair, found: ThresholdResults, command: str
) -> list[str]:
    """Write Markdown, CSV, JSON and pictures; return their paths."""
    base = plan.out / "threshold"
    files = [base.with_suffix(f".{end}") for end in ("md", "csv", "json", "png")]
    markdown, table, everything, picture = files
    write_atomically(table, as_csv(found.threshold.rows()))
    save_png(mark(draw_threshold(found.threshold), results), picture)
    rule_table, rule_picture = (plan.out / f"combined_rule.{end}" for end in ("csv", "png"))
    for earlier in (rule_table, rule_picture):
        earlier.unlink(missing_ok=True)
    if found.rule is not None:
        write_atomically(rule_table, as_csv(found.rule.rows()))
        save_png(mark(draw_combined_rule(found.rule), results), rule_picture)
        files += [rule_table, rule_picture]
    rule: JsonValue = (
        {"failure": found.rule_failure} if found.rule is None else found.rule.as_json()
    )
    models: list[JsonValue] = [result.as_json() for result in results]
    whole: dict[str, JsonValue] = {
        "models": models,
        "studied_seeds": [cls.seed for cls, _ in paired_runs(results)],
        "threshold": found.threshold.as_json(),
        "combined_rule": rule,
    }
    write_json(everything, "threshold", plan, command, whole, results)
    write_atomically(markdown, _markdown(plan, results, found, command))
    return [str(path) for path in files]


def _markdown(plan: Plan, results: ResultPair, found: ThresholdResults, command: str) -> str:
    runs = found.threshold.runs
    lines = []
    for name, words in NAMED.items():
        of_runs = [run.decisions[name].metrics() for run in runs]
        shown = [spread([one[key] for one in of_runs]) for key in ("share_percent", *METRICS)]
        lines.append([words, *map(str, shown)])
    average = spread([run.average_precision for run in runs])
    paper = ", ".join(f"{name} {SEG.paper[name]}" for name in METRICS)
    parts = [
        *about(plan, command, results),
        markdown_table(["threshold", "share (%)", "precision", "recall", "F1"], lines),
        f"Average precision {average}. The paper's SEG at 1 %: {paper}. The threshold to use is "
        "the one chosen on validation frames; the last line has seen the test frames.",
        "## A rule on mask and CLS",
    ]
    if found.rule is None:
        return document(TITLE, results, [*parts, f"Not fitted: {found.rule_failure}"])
    lines = [
        [str(row["system"]), *(str(_spread_of(row, metric, len(runs))) for metric in METRICS)]
        for row in found.rule.rows()
    ]
    table = markdown_table(["system", "precision", "recall", "F1"], lines)
    return document(TITLE, results, [*parts, table, found.rule.verdict()])


def _spread_of(row: Mapping[str, object], metric: str, runs: int) -> Spread:
    mean, std = row[f"{metric}_mean"], row[f"{metric}_std"]
    assert isinstance(mean, float)
    return Spread(mean, std if isinstance(std, float) else None, runs)
