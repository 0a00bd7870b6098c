"""The study of blind sweeps, run by run, and its files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.evaluation.bootstrap import spread
from fetal_iqa_training.experiments.sweeps.plot import draw_smoothing, draw_success
from fetal_iqa_training.experiments.sweeps.study import SMOOTHING_FRAMES, SweepStudy, study_sweeps
from fetal_iqa_training.experiments.sweeps.whole_cases import analyse_cases, lines_of
from fetal_iqa_training.experiments.tables.csv_text import as_csv
from fetal_iqa_training.experiments.tables.format import document, markdown_table
from fetal_iqa_training.experiments.tables.plan import Plan, Weights
from fetal_iqa_training.experiments.tables.plots import mark, save_png
from fetal_iqa_training.experiments.tables.results import ResultPair, paired_runs
from fetal_iqa_training.experiments.tables.write import about, write_json
from fetal_iqa_training.progress import Report
from napari_fetal_iqa.analysis.best_frame import best_frame
from napari_fetal_iqa.counted import counted

Row = Mapping[str, object]

SUCCESS = {
    "goal": "good is",
    "sweeps": "sweeps",
    "usual": "chosen, usual order",
    "any_order": "chosen, any order",
    "there_usual": "a good one is there, usual order",
    "there_any_order": "a good one is there, any order",
}
SEARCHES = {
    "goal": "good is",
    "found": "found, usual order",
    "sweeps_needed": "sweeps, usual order",
    "found_any_order": "found, any order",
    "sweeps_needed_any_order": "sweeps, any order",
}
SMOOTHING = {
    "smoothing_frames": "smoothing (frames)",
    "within_0_frames": "hit: annotated",
    "optimal": "hit: optimal",
    "within_15_frames": "within 15 frames",
    "ac_error_median_mm": "AC error, median (mm)",
    "ac_error_p90_mm": "90th percentile (mm)",
    "hits_changed": "hits, less those without",
    "error_changed_mm": "AC error, less that without (mm)",
}


@dataclass(frozen=True)
class SweepRun:
    """The study of one run's models."""

    seed: int
    study: SweepStudy


def study_runs(
    plan: Plan, weights: Weights, results: ResultPair, report: Report
) -> Iterator[SweepRun]:
    """Study the test cases with each run's CLS and SEG; write them frame by frame.

    Parameters as of :func:`~fetal_iqa_training.experiments.threshold.runs.score_runs`.

    Yields
    ------
    SweepRun
        The study of one run's models, in the order of their seeds.
    """
    names = [case.name for case in plan.split_cases().test]
    for cls, seg in paired_runs(results):
        cases, thresholds = analyse_cases(
            plan.data,
            names,
            (cls.folder, seg.folder),
            weights[results[0].encoder],
            plan.common.device,
            report,
        )
        frames = as_csv(line for case in cases for line in lines_of(case))
        write_atomically(plan.out / "sweeps" / f"frames-seed-{cls.seed}.csv", frames)
        found = study_sweeps(cases, best_frame, thresholds, seed=plan.common.seed)
        yield SweepRun(cls.seed, found)


def write_sweeps(
    plan: Plan, results: ResultPair, runs: Sequence[SweepRun], command: str
) -> list[str]:
    """Write Markdown, CSV, JSON and the pictures of the first run; return their paths."""
    ends = (".md", ".csv", "-smoothing.csv", ".json", ".png", "-smoothing.png")
    markdown, success, smoothing, everything, picture, smoothing_picture = (
        plan.out / f"sweeps{end}" for end in ends
    )
    write_atomically(success, as_csv(_of_all(runs, SweepStudy.success_rows)))
    write_atomically(smoothing, as_csv(_of_all(runs, SweepStudy.smoothing_rows)))
    studies: list[JsonValue] = [{"seed": run.seed, **run.study.as_json()} for run in runs]
    models: list[JsonValue] = [result.as_json() for result in results]
    write_json(everything, "sweeps", plan, command, {"models": models, "runs": studies}, results)
    save_png(mark(draw_success(runs[0].study), results), picture)
    save_png(mark(draw_smoothing(runs[0].study), results), smoothing_picture)
    write_atomically(markdown, _markdown(plan, results, runs, command))
    return [str(plan.out / f"sweeps{end}") for end in ends]


def _of_all(runs: Sequence[SweepRun], rows: Callable[[SweepStudy], Sequence[Row]]) -> Iterator[Row]:
    for run in runs:
        for row in rows(run.study):
            yield {"seed": run.seed, **row}


def _markdown(plan: Plan, results: ResultPair, runs: Sequence[SweepRun], command: str) -> str:
    success = _over_runs([run.study.success_rows() for run in runs], ("goal", "sweeps"))
    searches = _over_runs([_searches(run.study) for run in runs], ("goal",))
    smoothing = _over_runs([run.study.smoothing_rows() for run in runs], ("smoothing_frames",))
    parts = [
        *about(plan, command, results),
        f"{counted(runs[0].study.cases, 'test case')}, all their frames. "
        "Mean ± sample standard deviation over the runs; intervals, in the CSV and JSON "
        f"files, resample {runs[0].study.resampled}. The frame is "
        f"chosen as `napari-fetal-iqa analyse` does, smoothed by {SMOOTHING_FRAMES:g} frames "
        "unless stated otherwise.",
        "## Share of cases whose chosen frame is good, over the sweeps done",
        _table(success, SUCCESS),
        "## Searches that stop at the first good frame",
        _table(searches, SEARCHES),
        "## The frame chosen from the whole case, by the smoothing along time",
        _table(smoothing, SMOOTHING),
    ]
    title = "Blind sweeps: how soon a good frame is found, and how good the chosen one is"
    return document(title, results, parts)


def _searches(study: SweepStudy) -> list[Row]:
    return [
        {"goal": success.goal} | {name: found.value for name, found in success.searches.items()}
        for success in study.success
    ]


def _over_runs(runs: Sequence[Sequence[Row]], keys: Sequence[str]) -> list[Row]:
    """Summarise the same rows of several runs; empty where one run does not know a metric."""
    summary: list[Row] = []
    for rows in zip(*runs, strict=True):
        line: dict[str, object] = {key: rows[0][key] for key in keys}
        for name in rows[0].keys() - set(keys):
            values = [value for row in rows if isinstance(value := row[name], int | float)]
            known = spread(values) if len(values) == len(rows) else None
            line[name] = "" if known is None else known
        summary.append(line)
    return summary


def _table(rows: Sequence[Row], columns: Mapping[str, str]) -> str:
    lines = [[str(row[name]) for name in columns] for row in rows]
    return markdown_table(list(columns.values()), lines)
